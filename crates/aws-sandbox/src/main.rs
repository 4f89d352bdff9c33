//! The binary: `serve` runs a sandbox, `image push` packs a program into an image and pushes it.

use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use aws_sandbox::image::{self, Credentials, Destination, Program};
use aws_sandbox::{Config, Sandbox, Stack, TaskRuntime, unprivileged};
use clap::{Parser, Subcommand, ValueEnum};
use tracing_subscriber::EnvFilter;

/// A local AWS with a real data plane.
#[derive(Debug, Parser)]
#[command(version, about, long_about = None, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  aws-sandbox serve --stack infrastructure/sandbox/stack.yaml --minute 1s
  aws-sandbox image push target/release/task-tracker 127.0.0.1:4566/task-tracker:1.0.0
  AWS_ENDPOINT_URL=http://127.0.0.1:4566 aws ecs list-services --cluster task-tracker";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a sandbox until SIGTERM, SIGINT or a POST to /_sandbox/stop
    Serve(Serve),
    /// Work with container images
    #[command(subcommand)]
    Image(ImageCommand),
}

#[derive(Debug, clap::Args)]
struct Serve {
    /// Folder for everything the sandbox remembers
    #[arg(long, env = "AWS_SANDBOX_STATE", default_value = ".sandbox")]
    state: PathBuf,
    /// Address and port of the API; load balancers listen on the same address
    #[arg(long, env = "AWS_SANDBOX_LISTEN", default_value = "127.0.0.1:4566")]
    listen: SocketAddrV4,
    /// Tasks live in 127.N.0.0/16
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u8).range(1..=254))]
    task_network: u8,
    /// How long one minute of the AWS API lasts: 60s, 1s, 200ms
    #[arg(long, default_value = "60s", value_parser = duration)]
    minute: Duration,
    /// The account to play
    #[arg(long, default_value = "000000000000", value_parser = account)]
    account: String,
    /// Resources to create at the start, unless they exist
    #[arg(long)]
    stack: Option<PathBuf>,
    /// User and group that tasks run as, e.g. 65534:65534; root gives its rights up by itself where it can
    #[arg(long, value_name = "UID:GID", value_parser = user)]
    user: Option<(u32, u32)>,
    /// What a task is on this machine; containers are those of the engine that `DOCKER_HOST` names
    #[arg(long, value_enum, default_value = "process")]
    runtime: Runtime,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Runtime {
    /// A process from the unpacked image
    Process,
    /// A container of a Docker engine on this machine
    Container,
}

#[derive(Debug, Subcommand)]
enum ImageCommand {
    /// Pack one program into a one-layer image, push it to any registry and print its digest
    ///
    /// The same program, variables and labels always give the same digest. The variables `REGISTRY_USER` and `REGISTRY_PASSWORD` log in to
    /// a registry that asks for it.
    Push(Push),
}

#[derive(Debug, clap::Args)]
struct Push {
    /// The program file
    program: PathBuf,
    /// Where to push it, e.g. 127.0.0.1:4566/task-tracker:1.0.0
    reference: String,
    /// A variable of the image; may be given several times
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = pair)]
    environment: Vec<(String, String)>,
    /// A TCP port the program listens on; may be given several times
    #[arg(long = "port", value_name = "PORT")]
    ports: Vec<u16>,
    /// A label of the image; may be given several times
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = pair)]
    labels: Vec<(String, String)>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let done = match arguments.command {
        Command::Serve(serve) => run(serve).await,
        Command::Image(ImageCommand::Push(push)) => push_image(push).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            tracing::error!("{message}");
            ExitCode::FAILURE
        }
    }
}

async fn run(serve: Serve) -> Result<(), String> {
    let stack = serve
        .stack
        .as_deref()
        .map(Stack::read)
        .transpose()
        .map_err(|error| chain(&error))?;
    let as_user = serve.user.or_else(|| unprivileged(&serve.state));
    let config = Config {
        state_dir: serve.state,
        listen: serve.listen,
        task_network: serve.task_network,
        minute: serve.minute,
        account: serve.account,
        as_user,
        runtime: match serve.runtime {
            Runtime::Process => TaskRuntime::Process,
            Runtime::Container => TaskRuntime::container(std::env::var("DOCKER_HOST").ok().as_deref())
                .map_err(|error| error.to_string())?,
        },
    };
    let sandbox = Sandbox::start(config).await.map_err(|error| chain(&error))?;
    if let Some(stack) = &stack
        && let Err(error) = sandbox.apply_stack(stack).await
    {
        sandbox.shutdown().await;
        return Err(chain(&error));
    }
    say(&format!("aws-sandbox listens on http://{}", sandbox.address()))?;
    let asked = sandbox.asked_to_stop().await.map_err(|error| chain(&error));
    sandbox.shutdown().await;
    asked
}

async fn push_image(push: Push) -> Result<(), String> {
    let destination: Destination = push.reference.parse().map_err(|error| chain(&error))?;
    let program = Program {
        file: push.program,
        arguments: Vec::new(),
        environment: push.environment.into_iter().collect(),
        labels: push.labels.into_iter().collect(),
        ports: push.ports,
    };
    // A large program takes a moment to hash; nothing else runs here that it could hold up.
    let image = image::pack(&program).map_err(|error| chain(&error))?;
    let digest = image::push(&image, &destination, credentials()?.as_ref())
        .await
        .map_err(|error| chain(&error))?;
    say(&digest.to_string())
}

/// From the environment: what is given as an argument is in everybody's process list.
fn credentials() -> Result<Option<Credentials>, String> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    match (variable("REGISTRY_USER"), variable("REGISTRY_PASSWORD")) {
        (Some(user), Some(password)) => Ok(Some(Credentials { user, password })),
        (None, None) => Ok(None),
        (Some(_), None) => Err("REGISTRY_USER is set but REGISTRY_PASSWORD is not".to_owned()),
        (None, Some(_)) => Err("REGISTRY_PASSWORD is set but REGISTRY_USER is not".to_owned()),
    }
}

/// The one line on standard output that scripts read.
fn say(line: &str) -> Result<(), String> {
    writeln!(std::io::stdout(), "{line}").map_err(|error| format!("could not write to standard output: {error}"))
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(
        text.find(|character: char| character.is_ascii_alphabetic())
            .unwrap_or(text.len()),
    );
    let seconds = match unit {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" => 60.0,
        _ => return Err("write a duration like 60s, 1s, 200ms or 1m".to_owned()),
    };
    let number: f64 = number
        .parse()
        .map_err(|_| "write a duration like 60s, 1s, 200ms or 1m".to_owned())?;
    Duration::try_from_secs_f64(number * seconds)
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "a minute must last longer than nothing".to_owned())
}

fn account(text: &str) -> Result<String, String> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err("an account has twelve digits".to_owned())
    }
}

fn user(text: &str) -> Result<(u32, u32), String> {
    let parsed = text
        .split_once(':')
        .and_then(|(uid, gid)| Some((uid.parse().ok()?, gid.parse().ok()?)));
    parsed.ok_or_else(|| "write user and group as numbers, e.g. 65534:65534".to_owned())
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
