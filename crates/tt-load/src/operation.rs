//! What a user does next: half reads of a task, a fifth lists, a fifth new tasks, a tenth changes.
//!
//! The sequence is fixed, so that any ten requests in a row have the mix, whatever the rate.

use hyper::{Method, StatusCode};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    client::Question,
    ledger::{Attempt, Ledger, title},
};

/// Largest page that the mix asks for.
const LISTED: u32 = 20;

/// One request and what its answer will mean for the ledger.
#[derive(Debug)]
pub(crate) enum Operation {
    Get { task: Uuid },
    List { project: Uuid },
    Create { project: Uuid, task: Uuid, change: u64 },
    Update(Attempt),
}

#[derive(Serialize)]
struct NewTask {
    id: Uuid,
    title: String,
}

#[derive(Serialize)]
struct Change {
    title: String,
}

/// Chooses the request with this number.
pub(crate) fn next(number: u64, project: Uuid, ledger: &mut Ledger) -> Operation {
    let choice = scatter(number);
    let new = || Operation::Create {
        project,
        task: Uuid::now_v7(),
        change: number,
    };
    let get = |ledger: &Ledger| ledger.any(choice).map(|task| Operation::Get { task });
    match number % 10 {
        0 | 2 | 5 | 7 | 9 => get(ledger).unwrap_or_else(new),
        1 | 6 => Operation::List { project },
        3 | 8 if ledger.has_room() => new(),
        _ => match ledger.attempt(choice, number) {
            Some(attempt) => Operation::Update(attempt),
            None => get(ledger).unwrap_or(Operation::List { project }),
        },
    }
}

impl Operation {
    pub(crate) fn method(&self) -> Method {
        match self {
            Self::Get { .. } | Self::List { .. } => Method::GET,
            Self::Create { .. } => Method::POST,
            Self::Update(_) => Method::PATCH,
        }
    }

    /// The path with its ids left out.
    pub(crate) fn route(&self) -> &'static str {
        match self {
            Self::Get { .. } | Self::Update(_) => "/api/v1/tasks/{id}",
            Self::List { .. } | Self::Create { .. } => "/api/v1/projects/{id}/tasks",
        }
    }

    pub(crate) fn expects(&self, status: StatusCode) -> bool {
        match self {
            Self::Get { .. } | Self::List { .. } | Self::Update(_) => status == StatusCode::OK,
            Self::Create { .. } => status == StatusCode::CREATED,
        }
    }

    pub(crate) fn question(&self) -> Question {
        let json = |body: Result<Vec<u8>, serde_json::Error>| Some(body.unwrap_or_default());
        match self {
            Self::Get { task } => Question::get(format!("/api/v1/tasks/{task}")),
            Self::List { project } => Question::get(format!("/api/v1/projects/{project}/tasks?limit={LISTED}")),
            Self::Create { project, task, change } => Question {
                method: self.method(),
                path: format!("/api/v1/projects/{project}/tasks"),
                if_match: None,
                user: None,
                key: None,
                body: json(serde_json::to_vec(&NewTask {
                    id: *task,
                    title: title(*task, *change),
                })),
            },
            Self::Update(attempt) => Question {
                method: self.method(),
                path: format!("/api/v1/tasks/{}", attempt.task),
                if_match: Some(format!("\"{}\"", attempt.version)),
                user: None,
                key: None,
                body: json(serde_json::to_vec(&Change {
                    title: title(attempt.task, attempt.change),
                })),
            },
        }
    }
}

/// Spreads consecutive numbers over the ledger (the finaliser of `SplitMix64`).
fn scatter(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_requests_in_a_row_have_the_mix() {
        let mut ledger = Ledger::default();
        for change in 0..20 {
            ledger.created(Uuid::now_v7(), change);
        }
        for start in [0, 7, 1_000_003] {
            let mut seen = [0; 4];
            for number in start..start + 10 {
                seen[match next(number, Uuid::nil(), &mut ledger) {
                    Operation::Get { .. } => 0,
                    Operation::List { .. } => 1,
                    Operation::Create { .. } => 2,
                    Operation::Update(attempt) => {
                        ledger.updated(&attempt);
                        3
                    }
                }] += 1;
            }
            assert_eq!(seen, [5, 2, 2, 1], "from {start}");
        }
    }

    #[test]
    fn without_any_task_the_first_reads_become_writes() {
        assert!(matches!(
            next(0, Uuid::nil(), &mut Ledger::default()),
            Operation::Create { .. }
        ));
    }
}
