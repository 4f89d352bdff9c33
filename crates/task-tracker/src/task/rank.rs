//! Where a task stands among the others: a fraction, written in base 62 so that texts compare as the numbers do.
//!
//! Between any two ranks there is another, so a move changes one row and none of its neighbours. Two moves into one gap
//! at the same moment would pick the same middle; the two random digits at the end keep them apart.

use rand::Rng;
use time::{Duration, OffsetDateTime};

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Of a row from before there were ranks: by its id, and before all that were given one.
macro_rules! of {
    ($task:literal) => {
        concat!(
            "coalesce(",
            $task,
            ".rank, 'a' || replace(",
            $task,
            ".id::text, '-', '') || 'V' collate \"C\")"
        )
    };
}
pub(super) use of;

/// Behind every task that there is: by the time.
pub(super) fn at_end(now: OffsetDateTime) -> String {
    let micros = now.unix_timestamp_nanos() / 1000;
    let mut rest = u64::try_from(micros).unwrap_or_default();
    // Nine digits hold the microseconds of 400 years.
    let mut digits = [b'0'; 9];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[usize::try_from(rest % 62).unwrap_or_default()];
        rest /= 62;
    }
    let mut rank = String::from("m");
    rank.extend(digits.map(char::from));
    jittered(rank)
}

/// Behind `lower` and before `upper`; None is the end on that side.
pub(super) fn between(lower: Option<&str>, upper: Option<&str>) -> String {
    let lower = lower.unwrap_or_default().as_bytes();
    jittered(middle(lower, upper.map(str::as_bytes)))
}

/// As `at_end`, for so many tasks, in this order.
pub(super) fn several_at_end(now: OffsetDateTime, count: usize) -> Vec<String> {
    let moments = (0..count).map(|place| now + Duration::microseconds(i64::try_from(place).unwrap_or_default()));
    moments.map(at_end).collect()
}

/// As `between`, for so many tasks, in this order. Each is put into the middle of its half, so that ranks grow with the
/// logarithm of the count.
pub(super) fn several_between(lower: Option<&str>, upper: Option<&str>, count: usize) -> Vec<String> {
    if count == 0 {
        return Vec::new();
    }
    let middle = between(lower, upper);
    let mut ranks = several_between(lower, Some(&middle), count / 2);
    let behind = several_between(Some(&middle), upper, count - count / 2 - 1);
    ranks.push(middle);
    ranks.extend(behind);
    ranks
}

/// A rank never ends in the lowest digit, or nothing would fit before it.
fn jittered(mut rank: String) -> String {
    let mut random = rand::rng();
    for _ in 0..2 {
        rank.push(char::from(DIGITS[random.random_range(1..DIGITS.len())]));
    }
    rank
}

fn middle(lower: &[u8], upper: Option<&[u8]>) -> String {
    let mut rank = String::new();
    let mut upper = upper;
    let mut place = 0;
    loop {
        let low = lower.get(place).map_or(0, |digit| value(*digit));
        let high = upper.map_or(DIGITS.len(), |upper| upper.get(place).map_or(0, |digit| value(*digit)));
        place += 1;
        if high > low + 1 {
            rank.push(char::from(DIGITS[low.midpoint(high)]));
            return rank;
        }
        rank.push(char::from(DIGITS[low]));
        if high > low {
            // From here on whatever follows is before `upper`; it only has to be behind `lower`.
            upper = None;
        }
    }
}

fn value(digit: u8) -> usize {
    DIGITS.iter().position(|known| *known == digit).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn later_tasks_stand_behind_earlier_ones() {
        let now = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        let ranks: Vec<String> = (0..100)
            .map(|seconds| at_end(now + Duration::microseconds(seconds)))
            .collect();
        assert!(ranks.is_sorted());
    }

    #[test]
    fn several_that_are_moved_at_once_stay_in_their_order() {
        for (lower, upper) in [
            (None, None),
            (Some("m"), None),
            (None, Some("m")),
            (Some("mV1V"), Some("mV1W")),
        ] {
            let ranks = several_between(lower, upper, 100);
            assert_eq!(ranks.len(), 100);
            let whole: Vec<&str> = lower
                .into_iter()
                .chain(ranks.iter().map(String::as_str))
                .chain(upper)
                .collect();
            assert!(whole.windows(2).all(|pair| pair[0] < pair[1]), "{whole:?}");
            assert!(ranks.iter().all(|rank| rank.len() < 40), "{ranks:?}");
        }
        let now = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        assert!(several_at_end(now, 100).is_sorted());
    }

    proptest! {
        /// Any sequence of insertions into any gaps leaves a strict order, and ranks that are short enough to keep.
        #[test]
        fn there_is_always_room_between(places in prop::collection::vec(any::<prop::sample::Index>(), 1..200)) {
            let mut ranks: Vec<String> = Vec::new();
            for place in places {
                let place = place.index(ranks.len() + 1);
                let lower = place.checked_sub(1).map(|below| ranks[below].as_str());
                let upper = ranks.get(place).map(String::as_str);
                let rank = between(lower, upper);
                prop_assert!(lower.is_none_or(|lower| lower < rank.as_str()), "{lower:?} {rank} {upper:?}");
                prop_assert!(upper.is_none_or(|upper| rank.as_str() < upper), "{lower:?} {rank} {upper:?}");
                prop_assert!(rank.len() < 700);
                ranks.insert(place, rank);
            }
        }
    }
}
