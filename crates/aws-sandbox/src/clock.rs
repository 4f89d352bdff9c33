//! Time: real instants, and how long one AWS minute lasts here.
//!
//! Only what the AWS API expresses in minutes (bake times, hook timeouts) is scaled; seconds stay seconds, and
//! every timestamp in an answer is the real time.

use std::time::Duration;

use time::OffsetDateTime;

/// How long one minute of the AWS API lasts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    minute: Duration,
}

impl Clock {
    pub(crate) fn new(minute: Duration) -> Self {
        Self { minute }
    }

    /// `n` minutes of the AWS API, as they last here. Negative and absurd counts become zero and the longest duration.
    pub(crate) fn minutes(self, n: f64) -> Duration {
        Duration::try_from_secs_f64(self.minute.as_secs_f64() * n.max(0.0)).unwrap_or(Duration::MAX)
    }
}

/// The real time.
pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_scaled() {
        let clock = Clock::new(Duration::from_secs(1));
        assert_eq!(clock.minutes(10.0), Duration::from_secs(10));
        assert_eq!(clock.minutes(0.5), Duration::from_millis(500));
        assert_eq!(clock.minutes(-1.0), Duration::ZERO);
    }
}
