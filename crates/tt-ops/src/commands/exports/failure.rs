//! From an export's errors to exit codes and hints.

use tt_execute::{PortError, PortErrorKind};
use tt_export::{ExportError, StoreError, Trouble};

use crate::{
    exit::Exit,
    failure::{Failure, chain},
};

pub(super) fn failure(error: &ExportError) -> Failure {
    let failure = Failure::new(exit(error), chain(error));
    match (error, port(error)) {
        (ExportError::Unreachable, _) => failure.hint(
            "run it where the database can be reached: in the VPC, with tt-ops's own image (docs/disaster-recovery.md)",
        ),
        (ExportError::Busy { .. }, _) => failure.hint(
            "wait for it to end; the connections of one that was killed end within seconds, and then the same restore begins anew",
        ),
        (ExportError::Connect(_), _) => {
            failure.hint("check the address and the login in the secret, and that the server lets this machine in")
        }
        (_, Some(PortError { hint: Some(hint), .. })) => failure.hint(hint),
        _ => match error.trouble() {
            Some(trouble) => failure.hint(way_out(trouble)),
            None => failure,
        },
    }
}

/// Amazon RDS User Guide, "Viewing Amazon RDS DB instance status": `storage-full`.
fn way_out(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::DiskFull => {
            "the disk of the database's server is full: make room there (on RDS raise the allocated storage), and type the same again"
        }
        Trouble::Gone => {
            "the server ended the connection: its log says why; on RDS look at the instance's status and events, since one that \
             ran out of disk for its log says storage-full, and type the same again when it answers"
        }
    }
}

/// Matched without a wildcard: a new way to end must choose its code.
fn exit(error: &ExportError) -> Exit {
    match error {
        ExportError::Url => Exit::Usage,
        ExportError::NotEmpty { .. } | ExportError::Exists { .. } | ExportError::LargeObjects { .. } => Exit::Refused,
        ExportError::Busy { .. } => Exit::Busy,
        ExportError::Manifest { .. }
        | ExportError::Damaged { .. }
        | ExportError::Rows { .. }
        | ExportError::Decompress { .. }
        | ExportError::Store {
            cause: StoreError::Absent,
            ..
        } => Exit::Backup,
        ExportError::Store {
            cause: StoreError::Failed(_),
            ..
        } if port(error).is_some_and(|error| error.kind == PortErrorKind::Unexpected) => Exit::Internal,
        ExportError::Store {
            cause: StoreError::Failed(_),
            ..
        }
        | ExportError::Unreachable
        | ExportError::Connect(_)
        | ExportError::Database { .. }
        | ExportError::NoPgDump(_)
        | ExportError::PgDump { .. } => Exit::Failed,
        ExportError::Worker(_) => Exit::Internal,
    }
}

/// What AWS said, where it was AWS.
fn port(error: &ExportError) -> Option<&PortError> {
    let ExportError::Store {
        cause: StoreError::Failed(cause),
        ..
    } = error
    else {
        return None;
    };
    cause.downcast_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_damaged_is_nine_and_what_would_be_overwritten_is_four() {
        let damaged = ExportError::Damaged {
            name: "data/00000-00000.copy.gz".to_owned(),
            what: "was cut short",
        };
        assert_eq!(failure(&damaged).exit, Exit::Backup);
        let exists = ExportError::Exists { name: "app".to_owned() };
        assert_eq!(failure(&exists).exit, Exit::Refused);
        let unreachable = failure(&ExportError::Unreachable);
        assert_eq!(unreachable.exit, Exit::Failed);
        assert_eq!(unreachable.hints.len(), 1);
        let busy = ExportError::Busy {
            name: "app_unfinished".to_owned(),
            says: "unfinished restore of export x".to_owned(),
        };
        assert_eq!(failure(&busy).exit, Exit::Busy);
    }
}
