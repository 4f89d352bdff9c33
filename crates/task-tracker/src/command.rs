//! The command line: `serve`, `migrate`, `doctor`, `export`, `erase`, `reset-password`, `seed` and `health`, the tracing they print, and the exit code they end with.

use std::{
    error::Error,
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use axum::Router;
use clap::{Parser, Subcommand, ValueEnum};
use secrecy::ExposeSecret;
use tokio::{
    runtime::Runtime,
    signal::unix::{Signal, SignalKind, signal},
};
use tracing::{Level, Metadata};
use tracing_subscriber::{EnvFilter, filter::filter_fn, layer::SubscriberExt, util::SubscriberInitExt};
use uuid::Uuid;

use crate::{
    account::recover::{self, Whose},
    coalescing,
    config::{DatabaseUrl, Settings},
    descriptors, doctor, examine, health,
    lifecycle::Lifecycle,
    migrate, personal, schema,
    secrets::Secrets,
    seed::{self, Amounts},
    service::Service,
    telemetry::Line,
};

/// The hosted task service: projects and tasks over HTTP, kept in PostgreSQL
#[derive(Parser)]
#[command(
    version,
    after_help = "The database (postgres://user:password@host:5432/database) comes from the secret in AWS Secrets Manager whose ARN is \
DATABASE_SECRET_ARN, or from the file that DATABASE_URL_FILE names, both of which are read again while it serves, or from DATABASE_URL: \
a command line is visible to every user of the machine.\n\nExit codes: 0 done, 1 failed (the reason is on standard error), 2 wrong usage; `migrate --help` has those of migrations."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    /// What to log, as tracing's `EnvFilter` reads it
    #[arg(long, env = "LOG", default_value = "info,sqlx=warn", global = true)]
    log: String,

    /// How to log
    #[arg(long, env = "LOG_FORMAT", default_value = "text", global = true)]
    log_format: LogFormat,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    /// One line a fact, for people
    Text,
    /// One JSON object a fact, for CloudWatch Logs Insights and the like
    Json,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API until SIGTERM, then drain and end; refuses a schema older than this release needs
    Serve(Box<Settings>),
    /// Bring the schema to this release and end; safe to run twice, and while an older release serves
    Migrate(migrate::Options),
    /// Look whether `serve` would have what it needs: settings, database, schema, rights, clock, room for its connections
    Doctor(Box<doctor::Options>),
    /// Print everything that is kept about one user, as JSON (GDPR, articles 15 and 20)
    Export {
        /// The user's id, as the account and the audit trail have it
        user: Uuid,
    },
    /// Erase the users who asked for it thirty days ago or longer (GDPR, article 17), now; `serve` does it every hour
    Erase,
    /// Print a secret for which one user can take a new password, once and within an hour (`POST /api/v1/password-reset`); hand
    /// it over to nobody whom you do not know
    ResetPassword {
        /// The user's id, as the audit trail has it; without it, the user's e-mail address is read from standard input, since a
        /// command line is visible to every user of the machine
        user: Option<Uuid>,
    },
    /// Make users, projects and tasks to try things on, the same for the same seed; never where others can log in
    Seed(Amounts),
    /// Look into the database and print what is there as JSON lines, for `tt-ops restore --drill`; changes no data
    Examine(examine::Options),
    /// Ask the service of this container whether it lives, for health checks where there is no shell; needs no database
    Health(health::Question),
}

type Failure = Box<dyn Error + Send + Sync>;

/// Runs the program named by this process's arguments. `dress` may wrap the routes of `serve`; the service itself
/// passes them through as they are.
pub fn program(dress: impl FnOnce(Router) -> Router) -> ExitCode {
    let cli = Cli::parse();
    match start(cli, dress) {
        Ok(exit) => exit,
        Err(failure) => {
            complain(failure.as_ref());
            ExitCode::FAILURE
        }
    }
}

/// The program of a release whose schema goes further: these migrations, each a file's name and its text, come after those
/// of the service.
pub fn program_with_migrations(files: &'static [(&'static str, &'static str)]) -> ExitCode {
    schema::add(files);
    program(|routes| routes)
}

fn start(cli: Cli, dress: impl FnOnce(Router) -> Router) -> Result<ExitCode, Failure> {
    log(&cli)?;
    runtime()?.block_on(carry_out(cli.command, dress))
}

async fn carry_out(command: Command, dress: impl FnOnce(Router) -> Router) -> Result<ExitCode, Failure> {
    match command {
        Command::Serve(mut settings) => {
            settings.secrets = Secrets::from_environment().await?;
            serve(*settings, &DatabaseUrl::from_environment().await?, dress).await?;
        }
        Command::Migrate(options) => {
            let exit = migrate::run(&options, &DatabaseUrl::from_environment().await?).await;
            return Ok(exit.into());
        }
        Command::Doctor(options) => return Ok(doctor::run(&options).await),
        Command::Export { user } => export(&DatabaseUrl::from_environment().await?, user).await?,
        Command::Erase => erase(&DatabaseUrl::from_environment().await?).await?,
        Command::ResetPassword { user } => reset(&DatabaseUrl::from_environment().await?, user).await?,
        Command::Seed(amounts) => fill(&DatabaseUrl::from_environment().await?, &amounts).await?,
        Command::Examine(options) => examine::run(&options, &DatabaseUrl::from_environment().await?).await?,
        Command::Health(question) => health::ask(&question)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .on_thread_park(coalescing::rest)
        .build()
}

async fn serve(settings: Settings, url: &DatabaseUrl, dress: impl FnOnce(Router) -> Router) -> Result<(), Failure> {
    // Before anything slow: a signal during the start must not kill the process half-way.
    let signals = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    descriptors::raise();
    let service = Service::start(settings, url, dress).await?;
    let listening = tokio::spawn(obey(signals, service.lifecycle()));
    let outcome = service.run().await;
    listening.abort();
    Ok(outcome?)
}

async fn obey((mut terminate, mut interrupt): (Signal, Signal), lifecycle: Lifecycle) {
    loop {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        lifecycle.interrupt();
    }
}

async fn export(url: &DatabaseUrl, user: Uuid) -> Result<(), Failure> {
    personal::export_user(url, user, &mut io::stdout()).await?;
    Ok(())
}

async fn erase(url: &DatabaseUrl) -> Result<(), Failure> {
    let erased = personal::erase_due(url).await?;
    writeln!(io::stdout().lock(), "erased {erased} users")?;
    Ok(())
}

async fn reset(url: &DatabaseUrl, user: Option<Uuid>) -> Result<(), Failure> {
    let whose = match user {
        Some(id) => Whose::Id(id),
        None => Whose::Email(io::read_to_string(io::stdin().lock())?.trim().to_owned()),
    };
    let secret = recover::offer(url, whose).await?;
    writeln!(io::stdout().lock(), "{}", secret.expose_secret())?;
    Ok(())
}

async fn fill(url: &DatabaseUrl, amounts: &Amounts) -> Result<(), Failure> {
    let made = seed::seed(url, amounts).await?;
    writeln!(
        io::stdout().lock(),
        "made {made} rows; log in as user0.{}@example.com with the password `{}`",
        amounts.seed,
        seed::PASSWORD
    )?;
    Ok(())
}

fn log(cli: &Cli) -> Result<(), Failure> {
    let lines = tracing_subscriber::fmt().with_env_filter(EnvFilter::try_new(&cli.log)?);
    match cli.log_format {
        LogFormat::Text => {
            let is_terminal = io::stdout().is_terminal();
            let lines = lines.compact();
            let lines = lines.map_event_format(|lines| Line::Text(lines.with_ansi(is_terminal)));
            lines.finish().with(filter_fn(is_fit)).init();
        }
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true).map_event_format(Line::Json);
            lines.finish().with(filter_fn(is_fit)).init();
        }
    }
    Ok(())
}

/// Whatever is asked for: the details of this crate are parameters of statements, which are fingerprints of credentials and what
/// users wrote.
fn is_fit(line: &Metadata<'_>) -> bool {
    !line.target().starts_with("tokio_postgres") || *line.level() <= Level::WARN
}

fn complain(failure: &(dyn Error + 'static)) {
    let mut line = format!("task-tracker: {failure}");
    let mut cause = failure.source();
    while let Some(next) = cause {
        line.push_str(": ");
        line.push_str(&next.to_string());
        cause = next.source();
    }
    // Nothing is left to tell it to when standard error is gone too.
    drop(writeln!(io::stderr(), "{line}"));
}
