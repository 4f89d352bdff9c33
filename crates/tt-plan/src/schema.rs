//! What the records say about the schema: which releases it has left behind.

use crate::{
    observed::Arn,
    record::{Outcome, Record, SchemaChange, SchemaRange},
};

/// The contract migrations that removed what the release behind `task_definition` needs, oldest first. None when no record
/// says which schemas it works with.
///
/// The newest records are enough: a migration that breaks a release came after that release was deployed, or it would never have
/// served.
pub(crate) fn in_the_way_of(history: &[Record], task_definition: Option<&Arn>) -> Vec<String> {
    let Some(range) = task_definition.and_then(|wanted| range(history, wanted)) else {
        return Vec::new();
    };
    removed(history)
        .into_iter()
        .filter(|(_, _, breaks_below)| range.knows < *breaks_below)
        .map(|(version, name, _)| format!("{version:04} {name}"))
        .collect()
}

/// The schemas that the release behind a task definition works with.
pub(crate) fn range(history: &[Record], task_definition: &Arn) -> Option<SchemaRange> {
    history
        .iter()
        .filter(|record| record.task_definition.as_ref() == Some(task_definition))
        .find_map(|record| record.schema)
}

/// Contract migrations that were run and not taken back, oldest first. A run that ended badly may have got that far.
fn removed(history: &[Record]) -> Vec<(i64, String, i64)> {
    let mut removed: Vec<(i64, String, i64)> = Vec::new();
    for record in history.iter().rev() {
        for change in &record.schema_changes {
            match change {
                SchemaChange::Removed {
                    version,
                    name,
                    breaks_below,
                } => removed.push((*version, name.clone(), *breaks_below)),
                SchemaChange::TakenBackTo { version } => {
                    if record.outcome == Outcome::Done {
                        removed.retain(|(known, _, _)| known <= version);
                    }
                }
            }
        }
    }
    removed
}
