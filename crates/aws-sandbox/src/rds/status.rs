//! The states a database instance passes through (Amazon RDS User Guide, "Viewing Amazon RDS DB instance status").

use serde::{Deserialize, Serialize};

/// What RDS says of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Status {
    /// Being made, or filled from a backup.
    Creating,
    Available,
    /// It serves as ever while a snapshot is taken.
    BackingUp,
    /// It serves as ever while a change takes effect.
    Modifying,
    Rebooting,
    Starting,
    Stopping,
    Stopped,
    Deleting,
    /// The disk has no room for what is written.
    StorageFull,
    Failed {
        reason: String,
    },
}

/// What a sandbox that starts again does with an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Revival {
    Serve,
    StayStopped,
    /// Its files are wiped and filled from the backup again.
    RestoreAgain,
    /// Nothing was promised yet, or its end was.
    Forget,
}

/// What an instance that was being made is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Birth {
    Empty,
    FromBackup,
}

/// Whether the end of an instance waits for its final snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LastWish {
    None,
    FinalSnapshot,
}

impl Status {
    /// As the API writes it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Available => "available",
            Self::BackingUp => "backing-up",
            Self::Modifying => "modifying",
            Self::Rebooting => "rebooting",
            Self::Starting => "starting",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Deleting => "deleting",
            Self::StorageFull => "storage-full",
            Self::Failed { .. } => "failed",
        }
    }

    /// Whether clients can connect and stay connected.
    pub(super) fn serves(&self) -> bool {
        match self {
            Self::Available | Self::BackingUp | Self::Modifying => true,
            Self::Creating
            | Self::Rebooting
            | Self::Starting
            | Self::Stopping
            | Self::Stopped
            | Self::Deleting
            | Self::StorageFull
            | Self::Failed { .. } => false,
        }
    }

    /// Whether `DeleteDBInstance` is accepted.
    pub(super) fn may_be_deleted(&self) -> bool {
        match self {
            Self::Available
            | Self::Starting
            | Self::Stopping
            | Self::Stopped
            | Self::StorageFull
            | Self::Failed { .. } => true,
            Self::Creating | Self::BackingUp | Self::Modifying | Self::Rebooting | Self::Deleting => false,
        }
    }

    /// What becomes of an instance that an earlier run of the sandbox left in this state.
    pub(super) fn revival(&self, birth: Birth, wish: LastWish) -> Revival {
        match (self, birth, wish) {
            (
                Self::Available
                | Self::BackingUp
                | Self::Modifying
                | Self::Rebooting
                | Self::Starting
                | Self::StorageFull,
                _,
                _,
            )
            // Its final snapshot was cut short, so it must not go.
            | (Self::Deleting, _, LastWish::FinalSnapshot) => Revival::Serve,
            (Self::Stopping | Self::Stopped, _, _) => Revival::StayStopped,
            (Self::Creating, Birth::FromBackup, _) => Revival::RestoreAgain,
            // Nobody has the password of one that was being made.
            (Self::Creating, Birth::Empty, _) | (Self::Deleting, _, LastWish::None) | (Self::Failed { .. }, _, _) => {
                Revival::Forget
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_keeps_what_was_promised() {
        let failed = || Status::Failed { reason: "x".into() };
        let (empty, restored) = (Birth::Empty, Birth::FromBackup);
        let (none, last) = (LastWish::None, LastWish::FinalSnapshot);
        for (status, birth, wish, revival) in [
            (Status::Available, empty, none, Revival::Serve),
            (Status::BackingUp, empty, none, Revival::Serve),
            (Status::Rebooting, restored, none, Revival::Serve),
            (Status::StorageFull, empty, none, Revival::Serve),
            (Status::Stopping, empty, none, Revival::StayStopped),
            (Status::Creating, empty, none, Revival::Forget),
            (Status::Creating, restored, none, Revival::RestoreAgain),
            (Status::Deleting, restored, none, Revival::Forget),
            (Status::Deleting, empty, last, Revival::Serve),
            (failed(), restored, none, Revival::Forget),
        ] {
            assert_eq!(status.revival(birth, wish), revival, "{status:?} {birth:?} {wish:?}");
        }
    }
}
