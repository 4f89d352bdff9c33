//! Which exports have had their time. Pure.

use std::time::Duration;

use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tt_aws::{ExportState, ListedExport};

/// Nobody writes one export for longer; a run that still did would lose its parts and say so.
const UNFINISHED: Duration = Duration::from_hours(12);

/// How long exports are kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Policy {
    pub(super) retention: Duration,
}

/// An export is a backup with everybody's data in it, so it is kept as long as backups are. One whose age nobody knows stays: it may be
/// somebody's who has just begun.
pub(super) fn due(listed: Vec<ListedExport>, policy: Policy, now: OffsetDateTime) -> Vec<ListedExport> {
    let is_due = |export: &ListedExport| {
        let begun = export.begun.as_ref().map(|begun| begun.at);
        let (at, keep) = match &export.state {
            ExportState::Complete(manifest) => (taken(&manifest.taken).or(begun), policy.retention),
            ExportState::Unfinished => (begun, UNFINISHED),
            ExportState::Damaged { .. } => (begun, policy.retention),
        };
        at.is_some_and(|at| now - at > keep)
    };
    listed.into_iter().filter(is_due).collect()
}

fn taken(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use tt_aws::{Begun, ExportId};

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn export(id: &str, state: ExportState, begun: Option<Duration>) -> ListedExport {
        ListedExport {
            id: ExportId::parse(id).unwrap(),
            begun: begun.map(|ago| Begun {
                at: now() - ago,
                by: "ada".to_owned(),
            }),
            state,
        }
    }

    fn now() -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(1_772_334_000).unwrap()
    }

    #[test]
    fn what_is_kept_as_long_as_backups_and_what_nobody_finished_goes() {
        let damaged = || ExportState::Damaged {
            why: "cut short".to_owned(),
        };
        let listed = vec![
            export("young", ExportState::Unfinished, Some(HOUR)),
            export("left-behind", ExportState::Unfinished, Some(HOUR * 13)),
            export("of-nobody", ExportState::Unfinished, None),
            export("damaged", damaged(), Some(HOUR * 24 * 6)),
            export("old-and-damaged", damaged(), Some(HOUR * 24 * 8)),
        ];
        let policy = Policy {
            retention: HOUR * 24 * 7,
        };
        let going: Vec<String> = due(listed, policy, now())
            .iter()
            .map(|export| export.id.to_string())
            .collect();
        assert_eq!(going, ["left-behind", "old-and-damaged"]);
    }
}
