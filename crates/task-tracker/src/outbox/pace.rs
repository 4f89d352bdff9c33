//! When a message is tried again: soon at first, then ever more seldom, over about three days.
//!
//! The times are those that Standard Webhooks recommends ("Specification", deliverability), each made up to a fifth longer
//! or shorter: receivers that were down for all should not meet all at once.

use std::time::Duration;

/// Seconds to wait after the first attempt, the second, …; after the last there is none.
const WAITS: [u32; 9] = [
    5,
    5 * 60,
    30 * 60,
    2 * 3600,
    5 * 3600,
    10 * 3600,
    14 * 3600,
    20 * 3600,
    24 * 3600,
];

/// How long to wait after so many attempts; None when that was the last one. `chance` is 0 to 1.
pub(super) fn wait(attempts: i16, chance: f64) -> Option<Duration> {
    let made = usize::try_from(attempts).ok()?.checked_sub(1)?;
    let seconds = f64::from(*WAITS.get(made)?);
    let stretch = 0.8 + 0.4 * chance.clamp(0.0, 1.0);
    Some(Duration::from_secs_f64(seconds * stretch))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ten_attempts_over_three_days_and_then_no_more() {
        let waits: Vec<Duration> = (1..).map_while(|attempts| wait(attempts, 0.5)).collect();
        assert_eq!(waits.len(), 9);
        assert_eq!(waits[0], Duration::from_secs(5));
        let whole: Duration = waits.iter().sum();
        assert!((70..=80).contains(&(whole.as_secs() / 3600)), "{whole:?}");
        assert!(waits.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!((wait(10, 0.5), wait(i16::MAX, 0.5), wait(0, 0.5)), (None, None, None));
    }

    proptest! {
        #[test]
        fn chance_moves_a_wait_by_a_fifth_at_most(attempts in 1i16..=9, chance in any::<f64>()) {
            let (shortest, middle, longest) = (wait(attempts, 0.0), wait(attempts, 0.5), wait(attempts, 1.0));
            let any = wait(attempts, chance);
            prop_assert!(shortest <= any && any <= longest || chance.is_nan());
            prop_assert_eq!(shortest.map(|wait| wait.as_millis()), middle.map(|wait| wait.as_millis() * 4 / 5));
            prop_assert_eq!(longest.map(|wait| wait.as_millis()), middle.map(|wait| wait.as_millis() * 6 / 5));
        }
    }
}
