//! When the next request leaves, at a steady rate from the start.

use std::time::Duration;

use tokio::time::Instant;

/// Behind by more than this, departures are given up: a burst of them would be a load of its own.
const PATIENCE: Duration = Duration::from_secs(1);

/// Departures by the clock.
#[derive(Debug)]
pub(crate) struct Schedule {
    begun: Instant,
    per_second: f64,
    /// Departures so far, those given up included.
    number: u64,
    missed: u64,
}

/// One request's turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Departure {
    pub(crate) number: u64,
    /// Latency counts from here, however late it leaves.
    pub(crate) due: Instant,
}

impl Schedule {
    pub(crate) fn new(begun: Instant, per_second: u32) -> Self {
        Self {
            begun,
            per_second: f64::from(per_second.max(1)),
            number: 0,
            missed: 0,
        }
    }

    /// The next departure.
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 requests")]
    pub(crate) fn next(&self) -> Instant {
        self.begun + Duration::from_secs_f64(self.number as f64 / self.per_second)
    }

    /// Takes the next departure that is not given up.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive number of requests"
    )]
    pub(crate) fn depart(&mut self, now: Instant) -> Departure {
        let behind = now.saturating_duration_since(self.next());
        if behind > PATIENCE {
            let given_up = (behind.as_secs_f64() * self.per_second) as u64;
            self.number += given_up;
            self.missed += given_up;
        }
        let departure = Departure {
            number: self.number,
            due: self.next(),
        };
        self.number += 1;
        departure
    }

    /// Departures that were given up.
    pub(crate) fn missed(&self) -> u64 {
        self.missed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn departures_keep_their_distance_and_their_numbers() {
        let begun = Instant::now();
        let mut schedule = Schedule::new(begun, 500);
        for number in 0..1000 {
            assert_eq!(schedule.depart(begun).number, number);
        }
        assert_eq!(schedule.next(), begun + Duration::from_secs(2));
        assert_eq!(schedule.missed(), 0);
    }

    #[test]
    fn after_a_long_stall_departures_are_given_up_rather_than_sent_in_a_burst() {
        let begun = Instant::now();
        let mut schedule = Schedule::new(begun, 100);
        schedule.depart(begun + Duration::from_millis(900));
        assert_eq!(schedule.missed(), 0);
        let departure = schedule.depart(begun + Duration::from_secs(10));
        assert_eq!(schedule.missed(), 999);
        assert_eq!(
            departure,
            Departure {
                number: 1000,
                due: begun + Duration::from_secs(10)
            }
        );
        assert!(schedule.next() > begun + Duration::from_secs(10));
    }
}
