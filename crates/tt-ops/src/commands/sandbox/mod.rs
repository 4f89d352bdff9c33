//! `sandbox`: a local AWS for an environment whose `endpoint_url` points at this machine.

mod down;
mod load;
mod place;
mod serve;
mod status;
mod up;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::{cli::Global, exit::Exit, failure::Failure, report::Reporter};

#[derive(Debug, Args)]
pub(crate) struct Sandbox {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start it in the background, with everything the environment names
    #[command(after_help = "\
Examples:
  tt-ops sandbox up
  tt-ops sandbox up local
  tt-ops sandbox up local --runtime container")]
    Up(Up),
    /// Say whether it runs, and where
    Status(Where),
    /// Send a steady mixed load, then read back every write that was acknowledged
    #[command(after_help = "\
Examples:
  tt-ops sandbox load --rate 350 --duration 60
  tt-ops sandbox load --rate 350 --report load.json")]
    Load(Load),
    /// Stop it and every process it started
    #[command(after_help = "\
Examples:
  tt-ops sandbox down
  tt-ops sandbox down --wipe")]
    Down(Down),
    /// Run it in the foreground; `up` does this in the background
    #[command(hide = true)]
    Serve(Up),
}

#[derive(Debug, Args)]
struct Where {
    /// Environment, the name of its file without `.yaml`
    #[arg(value_name = "ENV", default_value = "local")]
    environment: String,
}

#[derive(Debug, Args)]
struct Up {
    #[command(flatten)]
    place: Where,
    /// What a task is on this machine
    #[arg(long, value_enum, env = "TT_SANDBOX_RUNTIME", default_value = "process")]
    runtime: Runtime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Runtime {
    /// A process, from the unpacked image
    Process,
    /// A container of the engine that `DOCKER_HOST` names, from the sandbox's registry
    Container,
}

impl Runtime {
    fn as_str(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Container => "container",
        }
    }
}

#[derive(Debug, Args)]
struct Load {
    #[command(flatten)]
    place: Where,
    /// Requests per second
    #[arg(long, value_name = "N", default_value_t = 350)]
    rate: u32,
    /// Requests in flight at most
    #[arg(long, value_name = "N", default_value_t = 64)]
    connections: usize,
    /// Seconds; without it until Ctrl-C or SIGTERM
    #[arg(long, value_name = "SECONDS")]
    duration: Option<u64>,
    /// Write the whole report as JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Down {
    #[command(flatten)]
    place: Where,
    /// Also remove what it stored
    #[arg(long)]
    wipe: bool,
}

pub(crate) async fn run(global: &Global, args: &Sandbox, reporter: &Reporter) -> Result<Exit, Failure> {
    match &args.command {
        Command::Up(up) => up::run(global, &up.place.environment, up.runtime, reporter).await,
        Command::Status(place) => status::run(global, &place.environment).await,
        Command::Load(load) => load::run(global, load, reporter).await,
        Command::Down(down) => down::run(global, &down.place.environment, down.wipe.into(), reporter).await,
        Command::Serve(serve) => serve::run(global, &serve.place.environment, serve.runtime).await,
    }
}
