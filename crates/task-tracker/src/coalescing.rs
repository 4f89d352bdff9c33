//! The answers to changes are taken in together.
//!
//! PostgreSQL answers one change at a time, and a thread that is woken for each finds its caches cold, works for some tens of
//! microseconds and goes back to sleep. What network cards do with interrupts is done here: while many changes are under way, a
//! thread that has nothing left to do rests for a moment before it waits for events, and then meets several of them.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

/// Up to here each answer is taken in as it comes.
const FEW: usize = 8;
/// The rest, for each change that is under way: a small part of what they take all together.
const FOR_EACH: Duration = Duration::from_micros(32);
/// What is added at most to anything that waits for a thread: to the two or three statements of a request, and to a timer.
const LONGEST: Duration = Duration::from_millis(1);

/// Of the whole process, as its threads are.
static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);

/// One change that is under way, until it is dropped.
pub(crate) struct Change(());

impl Change {
    pub(crate) fn begin() -> Self {
        UNDER_WAY.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        UNDER_WAY.fetch_sub(1, Ordering::Relaxed);
    }
}

/// For a thread of the runtime that is about to wait for events.
pub(crate) fn rest() {
    if let Some(time) = time_for(UNDER_WAY.load(Ordering::Relaxed)) {
        thread::sleep(time);
    }
}

fn time_for(changes: usize) -> Option<Duration> {
    let all = FOR_EACH.saturating_mul(u32::try_from(changes).unwrap_or(u32::MAX));
    (changes > FEW).then(|| all.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::{
        config::{DatabaseUrl, Settings},
        database::{Database, Sending},
        telemetry::Metrics,
    };

    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        settings: Settings,
    }

    #[test]
    fn nobody_waits_for_a_few_changes() {
        for changes in 0..=FEW {
            assert_eq!(time_for(changes), None, "{changes}");
        }
    }

    #[test]
    fn a_crowd_is_waited_for_in_proportion_and_never_longer_than_a_millisecond() {
        let times: Vec<Duration> = [FEW + 1, 20, 31, 32, 1_000, usize::MAX]
            .into_iter()
            .filter_map(time_for)
            .collect();
        let expected = [288, 640, 992, 1_000, 1_000, 1_000].map(Duration::from_micros);
        assert_eq!(times, expected);
    }

    /// Other tests of this process make changes too, but not so many at once.
    #[tokio::test]
    async fn what_is_asked_of_the_database_counts_until_it_is_dropped_if_it_changes_something() {
        const MANY: usize = 100;
        // Nobody is there, and nobody has to be: it counts from the beginning.
        let url = DatabaseUrl::parse("postgres://nobody@192.0.2.1/nothing").unwrap();
        let settings = Arguments::parse_from(["serve"]).settings;
        let database = Database::open(&url, &settings, Metrics::new().unwrap()).unwrap();
        for (sending, counts) in [(Sending::Once, true), (Sending::Repeatable, false)] {
            let mut asked: Vec<_> = (0..MANY)
                .map(|_| Box::pin(database.ask(sending, "select 1", &[])))
                .collect();
            for statement in &mut asked {
                assert!(futures_util::poll!(statement).is_pending());
            }
            assert_eq!(UNDER_WAY.load(Ordering::Relaxed) >= MANY, counts, "{sending:?}");
            drop(asked);
            assert!(UNDER_WAY.load(Ordering::Relaxed) < MANY);
        }
    }
}
