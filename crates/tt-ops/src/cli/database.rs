//! The command line of whoever looks after the database.

use clap::{Args, Subcommand, ValueEnum};
use tt_environment::{InstanceName, SnapshotName};
use tt_plan::{AcceptedLoss, database::RestoreTarget};

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// Environment, the name of its file without `.yaml`
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,
    #[command(subcommand)]
    pub(crate) command: BackupCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BackupCommand {
    /// Take a snapshot, and copy it to the second Region
    #[command(after_help = "\
Examples:
  tt-ops backup production create
  tt-ops backup production create --name before-the-move
  tt-ops backup production create --plan

Also starts the replication of the automated backups to the second Region, where
the environment names one and it is missing.")]
    Create {
        /// What to call the snapshot [default: the instance's name and the time]
        #[arg(long, value_name = "NAME")]
        name: Option<SnapshotName>,
        /// Show the steps and change nothing
        #[arg(long)]
        plan: bool,
    },
    /// List what can be restored: snapshots, moments, the second Region
    #[command(after_help = "\
Examples:
  tt-ops backup production list
  tt-ops backup production list --output json")]
    List,
    /// Check that the backups are what the environment promises
    #[command(after_help = "\
Example:
  tt-ops backup production verify

Where there is nothing to judge by, that is a failure (exit code 9).")]
    Verify,
    /// Delete our own snapshots that are older than the retention
    #[command(after_help = "\
Examples:
  tt-ops backup production prune --plan
  tt-ops backup production prune --yes

Never touches what tt-ops did not make. The newest snapshot and the last ones
that passed a drill stay however old. What a killed drill left behind goes after
12 h.")]
    Prune {
        /// Show the steps and change nothing
        #[arg(long)]
        plan: bool,
        /// Do not ask, even on a terminal
        #[arg(long, short)]
        yes: bool,
    },
    /// Measure what a disaster would cost now: lost time and time to recover
    #[command(after_help = "\
Example:
  tt-ops backup production report

The time to recover is what the newest passed drill took. A promise without a
measurement counts as broken (exit code 9).")]
    Report,
}

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// Environment, the name of its file without `.yaml`
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,
    /// What to restore: a moment (2026-03-01T02:55:00Z), `latest`, or a snapshot's name
    #[arg(long, value_name = "TIME|latest|SNAPSHOT")]
    pub(crate) to: RestoreTarget,
    /// Name of the new instance; it must not exist
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) copy: InstanceName,
    /// Look into the copy, report how long it all took, and delete the copy
    #[arg(long)]
    pub(crate) drill: bool,
    /// Show the steps and change nothing
    #[arg(long)]
    pub(crate) plan: bool,
    /// Do not ask, even on a terminal
    #[arg(long, short)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DbStatus {
    /// Environment, the name of its file without `.yaml`
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,
    /// Image whose migrations are meant, as for `deploy` [default: the live release's, or the environment's folder with
    /// `reach: direct`]
    #[arg(long, value_name = "REF")]
    pub(crate) image: Option<String>,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct DbMigrate {
    /// Environment, the name of its file without `.yaml`
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,
    /// Image whose migrations are run, as for `deploy` [default: the live release's, or the environment's folder with
    /// `reach: direct`]
    #[arg(long, value_name = "REF")]
    pub(crate) image: Option<String>,
    /// Run only this phase: expand, backfill or contract [default: expand and backfill]
    #[arg(long, value_enum, hide_possible_values = true)]
    pub(crate) phase: Option<Phase>,
    /// Show what each statement would lock, or with --rehearse the steps, and change nothing
    #[arg(long, conflicts_with_all = ["check", "resume"])]
    pub(crate) plan: bool,
    /// Exit with 3 when something is pending, and change nothing
    #[arg(long, conflicts_with_all = ["resume", "rehearse", "phase"])]
    pub(crate) check: bool,
    /// Go on after a run that was killed
    #[arg(long, conflicts_with_all = ["rehearse", "phase"])]
    pub(crate) resume: bool,
    /// Run on a restored copy of this backup (`latest`, a moment, a snapshot), and delete the copy
    #[arg(long, value_name = "BACKUP", conflicts_with = "phase")]
    pub(crate) rehearse: Option<RestoreTarget>,
    /// Do not ask, even on a terminal
    #[arg(long, short)]
    pub(crate) yes: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Phase {
    /// Adds what the new release needs.
    Expand,
    /// Moves data in batches.
    Backfill,
    /// Removes what no release needs any more.
    Contract,
}

#[derive(Debug, Args)]
pub(crate) struct DbRollback {
    /// Environment, the name of its file without `.yaml`
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,
    /// Newest migration that stays; everything above it is taken back
    #[arg(long, value_name = "VERSION")]
    pub(crate) to: i64,
    /// Image whose migrations are taken back, as for `deploy` [default: the live release's, or the environment's folder with
    /// `reach: direct`]
    #[arg(long, value_name = "REF")]
    pub(crate) image: Option<String>,
    /// Rows that may be lost, exactly as a run without this counts and refuses them; repeat it for each
    #[arg(long, value_name = "TABLE.COLUMN:COUNT")]
    pub(crate) accept_data_loss: Vec<AcceptedLoss>,
    /// Show what would be undone and which rows that would lose, and change nothing
    #[arg(long, conflicts_with = "accept_data_loss")]
    pub(crate) plan: bool,
    /// Do not ask, even on a terminal
    #[arg(long, short)]
    pub(crate) yes: bool,
}
