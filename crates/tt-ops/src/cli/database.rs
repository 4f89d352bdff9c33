//! The command line of whoever looks after the database.

use clap::{Args, Subcommand, ValueEnum};
use tt_aws::ExportId;
use tt_environment::{InstanceName, SecretName, SnapshotName};
use tt_export::DatabaseName;
use tt_plan::{AcceptedLoss, database::RestoreTarget};

use crate::{exit::Exit, failure::Failure};

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// Environment, the name of its file without `.yaml`
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,
    #[command(subcommand)]
    pub(crate) command: BackupKind,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BackupKind {
    #[command(flatten)]
    Snapshots(BackupCommand),
    #[command(flatten)]
    Exports(ExportCommand),
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

#[derive(Debug, Subcommand)]
pub(crate) enum ExportCommand {
    /// Write the database's definitions and rows to S3, for moving them out of RDS
    #[command(after_help = "\
Examples:
  tt-ops backup production export --plan
  tt-ops backup production export --id before-the-move --connections 8

Reads one snapshot of the database, whatever users write meanwhile, and never
locks them out. It must run where the database can be reached, and needs
pg_dump. One that fails or is interrupted leaves nothing behind; what one that
was killed leaves is listed by `exports` and can never be restored.")]
    #[command(name = "export")]
    Take(Export),
    /// List the exports: what is in them, and which were never finished
    #[command(after_help = "\
Examples:
  tt-ops backup production exports
  tt-ops backup production exports --output json")]
    #[command(name = "exports")]
    List,
    /// Delete exports that are older than the retention, or that were never finished
    #[command(after_help = "\
Examples:
  tt-ops backup production prune-exports --plan
  tt-ops backup production prune-exports --yes
  tt-ops backup production prune-exports --id before-the-move

Without --id: exports older than `database.backup.retention`, and those that
nobody finished within 12 h.")]
    #[command(name = "prune-exports")]
    Prune {
        /// Only this one, however old
        #[arg(long, value_name = "ID")]
        id: Option<ExportId>,
        /// Show what would be deleted and change nothing
        #[arg(long)]
        plan: bool,
        /// Do not ask, even on a terminal
        #[arg(long, short)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// What to call it [default: the time]
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<ExportId>,
    /// Secret with the database's URL [default: the environment's with `reach: direct`, or the service's own]
    #[arg(long, value_name = "SECRET")]
    pub(crate) url_secret: Option<SecretName>,
    /// Connections that read at once; users share the database with them
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=32))]
    pub(crate) connections: u8,
    /// Show what would be exported and change nothing
    #[arg(long)]
    pub(crate) plan: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// Environment, the name of its file without `.yaml`
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,
    /// What to restore: a moment (2026-03-01T02:55:00Z), `latest`, or a snapshot's name
    #[arg(
        long,
        value_name = "TIME|latest|SNAPSHOT",
        required_unless_present = "from_export",
        conflicts_with = "from_export"
    )]
    pub(crate) to: Option<RestoreTarget>,
    /// What to restore instead: an export's name
    #[arg(long, value_name = "ID")]
    pub(crate) from_export: Option<ExportId>,
    /// Name of the new instance, or of the new database with --from-export; it must not exist
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) copy: CopyName,
    /// Look into the copy, report how long it all took, and delete the copy
    #[arg(long, conflicts_with = "from_export")]
    pub(crate) drill: bool,
    /// With --from-export, secret with the URL of the server for the new database [default: as for an export]
    #[arg(long, value_name = "SECRET", conflicts_with = "to")]
    pub(crate) on: Option<SecretName>,
    /// With --from-export, connections that write at once
    #[arg(long, value_name = "N", default_value_t = 4, conflicts_with = "to", value_parser = clap::value_parser!(u8).range(1..=32))]
    pub(crate) connections: u8,
    /// Show the steps and change nothing
    #[arg(long)]
    pub(crate) plan: bool,
    /// Do not ask, even on a terminal
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// What a restore makes: an instance beside the old one, or a database on a server.
#[derive(Debug, Clone)]
pub(crate) struct CopyName(String);

impl std::str::FromStr for CopyName {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl CopyName {
    pub(crate) fn instance(&self) -> Result<InstanceName, Failure> {
        InstanceName::parse(&self.0).map_err(|error| Failure::new(Exit::Usage, format!("--as: {error}")))
    }

    pub(crate) fn database(&self) -> Result<DatabaseName, Failure> {
        DatabaseName::parse(&self.0).map_err(|error| Failure::new(Exit::Usage, format!("--as: {error}")))
    }
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
