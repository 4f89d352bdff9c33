//! `tt-ops`: parse, wire, speak. What to do is decided in `tt-plan`, done in `tt-execute` and `tt-aws`.

mod cli;
mod commands;
mod context;
mod exit;
mod failure;
mod reach;
mod report;

use std::process::ExitCode;

use clap::Parser;

use crate::{
    cli::{Cli, Command},
    exit::Exit,
    failure::Failure,
    report::Reporter,
};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let reporter = Reporter::new(&cli.global);
    let exit = match run(&cli, &reporter) {
        Ok(exit) => exit,
        Err(failure) => {
            reporter.failure(&failure);
            failure.exit
        }
    };
    exit.into()
}

/// Commands that make no call start no runtime.
fn run(cli: &Cli, reporter: &Reporter) -> Result<Exit, Failure> {
    let global = &cli.global;
    match &cli.command {
        Command::Deploy(args) => wait_for(commands::deploy::run(global, args, reporter)),
        Command::Rollback(args) => wait_for(commands::rollback::run(global, args, reporter)),
        Command::Status(args) => wait_for(commands::status::run(global, args, reporter)),
        Command::History(args) => wait_for(commands::history::run(global, args, reporter)),
        Command::Verify(args) => wait_for(commands::verify::run(global, args, reporter)),
        Command::Diff(args) => wait_for(commands::diff::run(global, args, reporter)),
        Command::DbStatus(args) => wait_for(commands::db::schema::status(global, args, reporter)),
        Command::DbMigrate(args) => wait_for(commands::db::schema::migrate(global, args, reporter)),
        Command::DbRollback(args) => wait_for(commands::db::schema::rollback(global, args, reporter)),
        Command::Backup(args) => wait_for(commands::backup::run(global, args, reporter)),
        Command::Restore(args) => wait_for(commands::restore::run(global, args, reporter)),
        Command::DbLint(args) => commands::db::lint::run(args, reporter),
        Command::Env(args) => commands::env::run(global, args, reporter),
        #[cfg(feature = "sandbox")]
        Command::Sandbox(args) => wait_for(commands::sandbox::run(global, args, reporter)),
        Command::Completions { shell } => Ok(commands::completions::run(*shell)),
    }
}

fn wait_for(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Internal, format!("could not start the async runtime: {error}")))?;
    runtime.block_on(Box::pin(command))
}
