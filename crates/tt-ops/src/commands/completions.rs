//! `completions`: a script for a shell.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::{cli::Cli, exit::Exit};

pub(crate) fn run(shell: Shell) -> Exit {
    clap_complete::generate(shell, &mut Cli::command(), "tt-ops", &mut std::io::stdout());
    Exit::Done
}
