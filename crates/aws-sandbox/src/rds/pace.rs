//! How fast work on backups seems to go: never faster than AWS's minutes, as long as they last here.
//!
//! A rehearsal has to see the states that an account shows for minutes, and a small database is copied in none of them.

use std::time::{Duration, Instant};

use crate::clock::Clock;

/// What a snapshot, a copy and a restore take at least, in minutes of the AWS API.
pub(super) const BACKUP_MINUTES: f64 = 0.5;
/// What a change of settings takes at least.
pub(super) const CHANGE_MINUTES: f64 = 0.1;
/// How long a snapshot that is deleted can still be seen going.
pub(super) const DELETION_MINUTES: f64 = 1.0;
/// How often the log of changes is backed up (Amazon RDS User Guide, "Restoring a DB instance to a specified time": every five minutes).
pub(super) const LOG_MINUTES: f64 = 5.0;
/// How often an automated snapshot is taken (Amazon RDS User Guide, "Introduction to backups": daily).
pub(super) const DAY_MINUTES: f64 = 24.0 * 60.0;

/// Waits until what began then has taken so many minutes.
pub(super) async fn at_least(clock: Clock, minutes: f64, began: Instant) {
    tokio::time::sleep(clock.minutes(minutes).saturating_sub(began.elapsed())).await;
}

/// The percentage to show: of the real work or of the least time, whichever is less far; 100 is for what is over.
pub(super) fn shown(real: u8, passed: Duration, at_least: Duration) -> u8 {
    let paced = if at_least.is_zero() {
        100.0
    } else {
        (passed.as_secs_f64() / at_least.as_secs_f64() * 100.0).min(100.0)
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 100"
    )]
    let paced = paced as u8;
    real.min(paced).min(99)
}

/// The percentage in a line of `pg_basebackup --progress`, e.g. `12345/45678 kB (27%), 0/1 tablespace`.
pub(super) fn percent_of(line: &str) -> Option<u8> {
    let (_, rest) = line.split_once('(')?;
    let (number, _) = rest.split_once("%)")?;
    number.trim().parse::<u8>().ok().map(|percent| percent.min(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slower_of_work_and_time_is_shown() {
        let minute = Duration::from_mins(1);
        for (real, passed, at_least, percent) in [
            (0, Duration::ZERO, minute, 0),
            (100, Duration::from_secs(15), minute, 25),
            (10, minute, minute, 10),
            (100, minute, minute, 99),
            (100, Duration::ZERO, Duration::ZERO, 99),
        ] {
            assert_eq!(shown(real, passed, at_least), percent, "{real} {passed:?}");
        }
    }

    #[test]
    fn progress_is_read_from_the_lines_of_the_backup() {
        for (line, percent) in [
            ("      0/31337 kB (0%), 0/1 tablespace", Some(0)),
            ("31337/31337 kB (100%), 1/1 tablespace", Some(100)),
            ("40000/31337 kB (127%), 1/1 tablespace", Some(100)),
            ("waiting for checkpoint", None),
        ] {
            assert_eq!(percent_of(line), percent, "{line}");
        }
    }
}
