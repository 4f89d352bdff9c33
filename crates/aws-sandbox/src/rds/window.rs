//! Which points in time can be restored, and what that takes: a base backup before it and the log from there on.
//!
//! Amazon RDS User Guide, "Restoring a DB instance to a specified time": any second of the retention period, up to the last
//! backup of the log. Pure.

use time::{Duration, OffsetDateTime};

/// What can be restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) earliest: OffsetDateTime,
    pub(super) latest: OffsetDateTime,
}

/// A time that cannot be restored, with the bound it breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OutOfWindow {
    Before(OffsetDateTime),
    After(OffsetDateTime),
}

impl Window {
    /// None before the first base backup is complete and the log after it is saved. `bases` are the times from which each
    /// base backup is consistent, in order.
    pub(super) fn of(
        bases: &[OffsetDateTime],
        latest: Option<OffsetDateTime>,
        now: OffsetDateTime,
        retention: Duration,
    ) -> Option<Self> {
        let (oldest, latest) = (up_to_millisecond(*bases.first()?), down_to_millisecond(latest?));
        let earliest = oldest.max(up_to_millisecond(now.checked_sub(retention).unwrap_or(oldest)));
        // A long stop leaves nothing inside the retention period but the last moment.
        let earliest = if earliest > latest { oldest } else { earliest };
        (earliest <= latest).then_some(Self { earliest, latest })
    }

    pub(super) fn check(&self, wanted: OffsetDateTime) -> Result<(), OutOfWindow> {
        if wanted < self.earliest {
            Err(OutOfWindow::Before(self.earliest))
        } else if wanted > self.latest {
            Err(OutOfWindow::After(self.latest))
        } else {
            Ok(())
        }
    }
}

/// Where in `bases` the backup is from which a time is reached with the least log.
pub(super) fn base_for(bases: &[OffsetDateTime], wanted: OffsetDateTime) -> Option<usize> {
    bases.iter().rposition(|base| *base <= wanted)
}

/// How many of the oldest base backups no restorable time needs any more: of those before the retention period all but the last.
pub(super) fn expired(bases: &[OffsetDateTime], now: OffsetDateTime, retention: Duration) -> usize {
    let before = now.checked_sub(retention);
    before.and_then(|before| base_for(bases, before)).unwrap_or(0)
}

/// Clients keep no more than milliseconds, and a bound that they send back must still be inside.
fn down_to_millisecond(at: OffsetDateTime) -> OffsetDateTime {
    at - Duration::nanoseconds(i64::from(at.nanosecond() % 1_000_000))
}

fn up_to_millisecond(at: OffsetDateTime) -> OffsetDateTime {
    let down = down_to_millisecond(at);
    if down == at { at } else { down + Duration::MILLISECOND }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + Duration::minutes(minute)
    }

    #[test]
    fn the_window_begins_with_a_base_or_the_retention_and_ends_with_the_log() {
        for (bases, latest, now, retention, window) in [
            (&[][..], Some(5), 10, 100, None),
            (&[1], None, 10, 100, None),
            (&[3], Some(2), 10, 100, None),
            (&[1, 5], Some(9), 10, 100, Some((1, 9))),
            (&[1, 5], Some(9), 10, 4, Some((6, 9))),
            (&[1, 5], Some(9), 1000, 4, Some((1, 9))),
        ] {
            let bases: Vec<_> = bases.iter().map(|minute| at(*minute)).collect();
            let found = Window::of(&bases, latest.map(at), at(now), Duration::minutes(retention));
            let expected = window.map(|(earliest, latest)| Window {
                earliest: at(earliest),
                latest: at(latest),
            });
            assert_eq!(found, expected, "{bases:?} {latest:?} {now} {retention}");
        }
    }

    #[test]
    fn bounds_survive_clients_that_keep_milliseconds() {
        let nanoseconds = |number| at(1) + Duration::nanoseconds(number);
        let window = Window::of(&[nanoseconds(1)], Some(nanoseconds(5_000_001)), at(2), Duration::DAY).unwrap();
        assert_eq!(window.earliest, nanoseconds(1_000_000));
        assert_eq!(window.latest, nanoseconds(5_000_000));
    }

    #[test]
    fn the_bounds_are_part_of_the_window() {
        let window = Window {
            earliest: at(2),
            latest: at(8),
        };
        assert_eq!(window.check(at(2)), Ok(()));
        assert_eq!(window.check(at(8)), Ok(()));
        assert_eq!(window.check(at(1)), Err(OutOfWindow::Before(at(2))));
        assert_eq!(window.check(at(9)), Err(OutOfWindow::After(at(8))));
    }

    #[test]
    fn the_nearest_base_before_a_time_is_taken_and_the_last_before_the_window_kept() {
        let bases = [at(1), at(5), at(9)];
        assert_eq!(base_for(&bases, at(0)), None);
        assert_eq!(base_for(&bases, at(5)), Some(1));
        assert_eq!(base_for(&bases, at(8)), Some(1));
        assert_eq!(expired(&bases, at(10), Duration::minutes(20)), 0);
        assert_eq!(expired(&bases, at(10), Duration::minutes(4)), 1);
        assert_eq!(expired(&bases, at(100), Duration::minutes(4)), 2);
        assert_eq!(expired(&[], at(100), Duration::minutes(4)), 0);
    }
}
