//! The command line, and nothing that acts on it.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

pub(crate) use self::database::{
    Backup, BackupCommand, BackupKind, DbMigrate, DbRollback, DbStatus, Export, ExportCommand, Phase, Restore,
};
use crate::exit::TABLE;

mod database;
#[cfg(test)]
mod written;

/// Blue-green deploys and rollbacks on Amazon ECS that a cancelled CI job cannot strand.
#[derive(Debug, Parser)]
#[command(name = "tt-ops", version, max_term_width = 100, after_help = TABLE, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options that every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Global {
    /// Folder with one YAML file per environment
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = "environments",
        env = "TT_OPS_ENV_DIR"
    )]
    pub(crate) env_dir: PathBuf,
    /// How to report: `human`, or `json` lines (docs/events.md)
    #[arg(long, global = true, value_enum, hide_possible_values = true, default_value_t = Output::Human)]
    pub(crate) output: Output,
    /// Say only how it ended
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more: every measurement and every wait
    #[arg(short, long, global = true, action = ArgAction::SetTrue)]
    pub(crate) verbose: bool,
    /// No colour (`NO_COLOR` does the same)
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
}

/// The shape of what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// Words, a table, a progress bar where the terminal can show one.
    Human,
    /// One JSON object a line; see docs/events.md.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Bring a release to all users, step by step
    #[command(after_help = "\
Examples:
  tt-ops deploy staging --image 1.4.0
  tt-ops deploy production --image sha256:9f2c… --release 1.4.0
  tt-ops deploy production --image sha256:9f2c… --plan
  tt-ops deploy production --image sha256:9f2c… --until shifted

Run again after a cancelled job, it attaches to the deployment that ECS is
still carrying out.")]
    Deploy(Deploy),
    /// Give users back the release they had before
    #[command(after_help = "\
Examples:
  tt-ops rollback production
  tt-ops rollback production --to 1.3.2
  tt-ops rollback production --plan

It asks nothing and waits for no lock. While a deployment is in flight it is one
change of weights; afterwards the earlier tasks are started again first.")]
    Rollback(Rollback),
    /// Say where users are, and what is in flight
    #[command(after_help = "\
Examples:
  tt-ops status production
  tt-ops status production --watch
  tt-ops status production --output json")]
    Status(Status),
    /// List what was deployed, by whom, and how it ended
    #[command(after_help = "\
Examples:
  tt-ops history production
  tt-ops history production --limit 5 --output json")]
    History(History),
    /// Check everything that a deploy needs, and change nothing
    #[command(after_help = "\
Examples:
  tt-ops verify production
  tt-ops verify production --image 1.4.0")]
    Verify(Verify),
    /// Show what a deploy of an image would change
    #[command(after_help = "\
Examples:
  tt-ops diff production --image 1.4.0
  tt-ops diff production --image 1.4.0 --check")]
    Diff(Diff),
    /// Say which migrations are applied and which are pending
    #[command(after_help = "\
Examples:
  tt-ops db-status production
  tt-ops db-status production --image 1.4.0")]
    DbStatus(DbStatus),
    /// Run migrations apart from a deploy, without stopping users
    #[command(after_help = "\
Examples:
  tt-ops db-migrate production --plan --image 1.4.0
  tt-ops db-migrate production --rehearse latest --image 1.4.0
  tt-ops db-migrate production --phase contract
  tt-ops db-migrate production --check
  tt-ops db-migrate production --resume

A deploy runs expand and backfill by itself. Contract is refused while a task of
an older release runs or a deployment could still return to one.")]
    DbMigrate(DbMigrate),
    /// Take migrations back, and say beforehand what that would lose
    #[command(after_help = "\
Examples:
  tt-ops db-rollback production --to 6 --plan
  tt-ops db-rollback production --to 6
  tt-ops db-rollback production --to 6 --accept-data-loss tasks.note:12

What would be lost is counted first, and refused (exit code 4) until each count
is accepted; before accepted rows go, a snapshot is taken. Usually the expanded
schema may simply stay: roll back the release instead.")]
    DbRollback(DbRollback),
    /// Snapshots and what they promise: create, list, verify, prune, report; exports for moving data elsewhere
    Backup(Backup),
    /// Restore the database beside itself, to keep or as a drill; or an export into a new database
    #[command(after_help = "\
Examples:
  tt-ops restore production --to latest --as task-tracker-drill --drill
  tt-ops restore production --to 2026-03-01T02:55:00Z --as task-tracker-before
  tt-ops restore production --to before-the-move --as task-tracker-copy
  tt-ops restore production --from-export before-the-move --as task_tracker_copy

Never in place and never over an instance that exists. With --drill the copy is
looked into, the times are measured and kept, and the copy is deleted.

An export goes into a database that is made for it, on the server of --on: every
part is verified before anything is written (exit code 9), and a restore that
fails takes the new database away again.")]
    Restore(Restore),
    /// Check a folder of migrations without a database
    #[command(after_help = "\
Examples:
  tt-ops db-lint
  tt-ops db-lint crates/task-tracker/migrations --output json

Refuses (exit code 4) what would stop users or what nobody could take back;
docs/database.md has the rules. A file is let off a rule by a line
`-- tt-waive: RULE` with the reason.")]
    DbLint(DbLint),
    /// Check environment files, or print their JSON schema
    Env(Env),
    /// A local AWS with real tasks, a real proxy and a real PostgreSQL
    #[cfg(feature = "sandbox")]
    Sandbox(crate::commands::sandbox::Sandbox),
    /// Print a completion script for a shell
    #[command(after_help = "\
Example:
  tt-ops completions bash > /etc/bash_completion.d/tt-ops")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Deploy {
    /// Environment, the name of its file without `.yaml`
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,
    /// Image: REPOSITORY@sha256:…, REPOSITORY:TAG, or only the digest or tag
    #[arg(long, value_name = "REF")]
    pub(crate) image: String,
    /// What people call this release [default: the tag, or the digest's first twelve digits]
    #[arg(long, value_name = "NAME")]
    pub(crate) release: Option<String>,
    /// Commit it was built from
    #[arg(long, value_name = "SHA", env = "CI_COMMIT_SHA")]
    pub(crate) commit: Option<String>,
    /// Show the steps and change nothing
    #[arg(long)]
    pub(crate) plan: bool,
    /// How long to stay: until all traffic has `shifted`, or all is `done`
    #[arg(long, value_enum, hide_possible_values = true, default_value_t = Until::Done)]
    pub(crate) until: Until,
    /// Do not ask, even on a terminal
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// What runs was changed by somebody else and is right: go on from there
    #[arg(long)]
    pub(crate) adopt: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Until {
    /// All users have the release; ECS watches the bake.
    Shifted,
    /// ECS has ended the old tasks.
    Done,
}

#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// Environment, the name of its file without `.yaml`
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,
    /// An earlier release by name [default: the one users had before]
    #[arg(long, value_name = "RELEASE")]
    pub(crate) to: Option<String>,
    /// Show what it would trade and change nothing
    #[arg(long)]
    pub(crate) plan: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Environment, the name of its file without `.yaml`
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,
    /// Go on until nothing is in flight any more
    #[arg(long, short)]
    pub(crate) watch: bool,
}

#[derive(Debug, Args)]
pub(crate) struct History {
    /// Environment, the name of its file without `.yaml`
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,
    /// At most so many, newest first
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) limit: usize,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Environment, the name of its file without `.yaml`
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,
    /// Also look this image up in its registry
    #[arg(long, value_name = "REF")]
    pub(crate) image: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// Environment, the name of its file without `.yaml`
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,
    /// Image, as for `deploy`
    #[arg(long, value_name = "REF")]
    pub(crate) image: String,
    /// Exit with 3 when something differs
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DbLint {
    /// Folder with the migrations
    #[arg(value_name = "DIR", default_value = "crates/task-tracker/migrations")]
    pub(crate) folder: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Env {
    #[command(subcommand)]
    pub(crate) command: EnvCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EnvCommand {
    /// Read environment files and say everything that is wrong in them
    #[command(after_help = "\
Examples:
  tt-ops env check
  tt-ops env check production
  terraform output -json > outputs.json
  tt-ops env check production --terraform outputs.json")]
    Check {
        /// Environments [default: all in the folder]
        #[arg(value_name = "ENV")]
        environments: Vec<String>,
        /// What Terraform made for this one environment: `terraform output -json`, or `terraform show -json PLAN`
        #[arg(long, value_name = "FILE", requires = "environments")]
        terraform: Option<PathBuf>,
    },
    /// Print the JSON schema of environment files
    #[command(after_help = "\
Example:
  tt-ops env schema > environments/environment.schema.json")]
    Schema,
}
