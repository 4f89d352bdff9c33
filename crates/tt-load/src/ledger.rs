//! Every write that the service acknowledged, and whether it still has it.
//!
//! A title is made from the task's id and the number of the request that wrote it, so the ledger needs to keep numbers
//! only: about 50 bytes a task.

use uuid::Uuid;

/// Keeps the ledger below about 100 MB; from there on, new tasks give way to changes of the old ones.
const MOST_TASKS: usize = 2_000_000;
/// Looks this often for a task that nobody is changing.
const LOOKS: u64 = 8;

/// The acknowledged writes.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    entries: Vec<Entry>,
    acknowledged: u64,
}

#[derive(Debug)]
struct Entry {
    task: Uuid,
    /// As acknowledged; the task had this many acknowledged writes.
    version: u64,
    /// The request that wrote this version.
    change: u64,
    doubt: Doubt,
}

/// What else than the acknowledged version the service may rightly have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubt {
    Nothing,
    /// This change is under way.
    UnderWay {
        change: u64,
    },
    /// This change was not acknowledged: it may have happened or not, so the task is left alone from here on.
    Unknown {
        change: u64,
    },
}

/// A change about to be sent.
#[derive(Debug)]
pub(crate) struct Attempt {
    entry: usize,
    pub(crate) task: Uuid,
    /// The version it changes.
    pub(crate) version: u64,
    pub(crate) change: u64,
}

/// A task as the service has it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub(crate) struct Row {
    pub(crate) id: Uuid,
    pub(crate) title: String,
    pub(crate) version: u64,
}

/// The title that this request writes into this task.
pub(crate) fn title(task: Uuid, change: u64) -> String {
    format!("task {} as of request {change}", task.simple())
}

impl Ledger {
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    pub(crate) fn has_room(&self) -> bool {
        self.entries.len() < MOST_TASKS
    }

    pub(crate) fn any(&self, choice: u64) -> Option<Uuid> {
        self.index(choice).map(|index| self.entries[index].task)
    }

    pub(crate) fn created(&mut self, task: Uuid, change: u64) {
        self.acknowledged += 1;
        self.entries.push(Entry {
            task,
            version: 1,
            change,
            doubt: Doubt::Nothing,
        });
    }

    /// Takes a task that nobody is changing; its outcome must be told with `updated` or `unacknowledged`.
    pub(crate) fn attempt(&mut self, choice: u64, change: u64) -> Option<Attempt> {
        let index = (0..LOOKS)
            .filter_map(|look| self.index(choice.wrapping_add(look)))
            .find(|index| self.entries[*index].doubt == Doubt::Nothing)?;
        let entry = &mut self.entries[index];
        entry.doubt = Doubt::UnderWay { change };
        Some(Attempt {
            entry: index,
            task: entry.task,
            version: entry.version,
            change,
        })
    }

    pub(crate) fn updated(&mut self, attempt: &Attempt) {
        self.acknowledged += 1;
        let entry = &mut self.entries[attempt.entry];
        entry.version += 1;
        entry.change = attempt.change;
        entry.doubt = Doubt::Nothing;
    }

    pub(crate) fn unacknowledged(&mut self, attempt: &Attempt) {
        self.entries[attempt.entry].doubt = Doubt::Unknown { change: attempt.change };
    }

    /// Closes the ledger for comparison.
    pub(crate) fn audit(mut self) -> Audit {
        self.entries.sort_unstable_by_key(|entry| entry.task);
        let seen = vec![false; self.entries.len()];
        Audit {
            entries: self.entries,
            seen,
            verified: 0,
            lost: 0,
        }
    }

    fn index(&self, choice: u64) -> Option<usize> {
        let tasks = u64::try_from(self.entries.len()).ok()?;
        usize::try_from(choice.checked_rem(tasks)?).ok()
    }
}

/// The comparison of the ledger with what the service still has.
#[derive(Debug)]
pub(crate) struct Audit {
    /// By task.
    entries: Vec<Entry>,
    seen: Vec<bool>,
    verified: u64,
    lost: u64,
}

/// How many acknowledged writes were found again, lost, or could not be looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Balance {
    pub(crate) verified: u64,
    pub(crate) lost: u64,
    pub(crate) unverified: u64,
}

impl Audit {
    /// Compares one task; rows of others, and rows seen before, change nothing.
    pub(crate) fn compare(&mut self, row: &Row) {
        let Ok(index) = self.entries.binary_search_by_key(&row.id, |entry| entry.task) else {
            return;
        };
        if std::mem::replace(&mut self.seen[index], true) {
            return;
        }
        let entry = &self.entries[index];
        let lost = entry.lost(row);
        self.lost += lost;
        self.verified += entry.version - lost;
    }

    /// The service says that this task does not exist.
    pub(crate) fn missing(&mut self, task: Uuid) {
        let Ok(index) = self.entries.binary_search_by_key(&task, |entry| entry.task) else {
            return;
        };
        if !std::mem::replace(&mut self.seen[index], true) {
            self.lost += self.entries[index].version;
        }
    }

    /// Tasks that no row was shown for.
    pub(crate) fn unseen(&self) -> Vec<Uuid> {
        let unseen = self.entries.iter().zip(&self.seen).filter(|(_, seen)| !**seen);
        unseen.map(|(entry, _)| entry.task).collect()
    }

    pub(crate) fn balance(&self) -> Balance {
        let all: u64 = self.entries.iter().map(|entry| entry.version).sum();
        Balance {
            verified: self.verified,
            lost: self.lost,
            unverified: all - self.verified - self.lost,
        }
    }
}

impl Entry {
    /// How many of this task's acknowledged writes the row does not show. A row newer than anything this load wrote
    /// belongs to somebody else and has lost nothing of ours.
    fn lost(&self, row: &Row) -> u64 {
        if row.version < self.version {
            return self.version - row.version;
        }
        let written_by = match self.doubt {
            _ if row.version == self.version => self.change,
            Doubt::UnderWay { change } | Doubt::Unknown { change } if row.version == self.version + 1 => change,
            Doubt::Nothing | Doubt::UnderWay { .. } | Doubt::Unknown { .. } => return 0,
        };
        u64::from(row.title != title(self.task, written_by))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: Uuid = Uuid::from_u128(7);

    fn row(version: u64, change: u64) -> Row {
        Row {
            id: TASK,
            title: title(TASK, change),
            version,
        }
    }

    /// A task created by request 1 and changed by request 2; request 3 went unanswered if asked for.
    fn ledger(third: Third) -> Ledger {
        let mut ledger = Ledger::default();
        ledger.created(TASK, 1);
        let second = ledger.attempt(0, 2).unwrap();
        ledger.updated(&second);
        match third {
            Third::NotSent => {}
            Third::Unanswered => {
                let attempt = ledger.attempt(0, 3).unwrap();
                ledger.unacknowledged(&attempt);
            }
        }
        ledger
    }

    #[derive(Clone, Copy)]
    enum Third {
        NotSent,
        Unanswered,
    }

    #[test]
    fn a_row_is_compared_with_what_was_acknowledged() {
        use Third::{NotSent, Unanswered};
        for (name, third, found, lost) in [
            ("as acknowledged", NotSent, row(2, 2), 0),
            ("the change is gone", NotSent, row(1, 1), 1),
            ("right version, wrong content", NotSent, row(2, 1), 1),
            ("changed by somebody else", NotSent, row(3, 9), 0),
            ("the unanswered change did not happen", Unanswered, row(2, 2), 0),
            ("the unanswered change happened", Unanswered, row(3, 3), 0),
            (
                "the unanswered change happened with other content",
                Unanswered,
                row(3, 9),
                1,
            ),
            ("older than acknowledged in spite of it", Unanswered, row(1, 1), 1),
        ] {
            let mut audit = ledger(third).audit();
            audit.compare(&found);
            audit.compare(&found);
            assert_eq!(
                audit.balance(),
                Balance {
                    verified: 2 - lost,
                    lost,
                    unverified: 0
                },
                "{name}"
            );
        }
    }

    #[test]
    fn a_missing_task_loses_all_its_writes_and_an_unseen_one_stays_open() {
        let mut audit = ledger(Third::NotSent).audit();
        assert_eq!(audit.unseen(), [TASK]);
        assert_eq!(
            audit.balance(),
            Balance {
                verified: 0,
                lost: 0,
                unverified: 2
            }
        );
        audit.missing(TASK);
        assert_eq!(
            audit.balance(),
            Balance {
                verified: 0,
                lost: 2,
                unverified: 0
            }
        );
    }

    #[test]
    fn a_task_under_change_or_in_doubt_is_not_changed_again() {
        let mut ledger = Ledger::default();
        ledger.created(TASK, 1);
        let attempt = ledger.attempt(0, 2).unwrap();
        assert!(ledger.attempt(0, 3).is_none());
        ledger.unacknowledged(&attempt);
        assert!(ledger.attempt(0, 3).is_none());
        assert_eq!(ledger.acknowledged(), 1);
    }
}
