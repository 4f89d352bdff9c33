//! The ways to a database: one-off tasks of a release, or straight from here with the URL that Secrets Manager holds.
//!
//! Both say the same lines and end with the same exit codes, so whoever calls need not know which it is. The URL is in memory only: no
//! argument, no log line and no error carries it.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Mutex,
};

use secrecy::ExposeSecret;
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tt_aws::AwsCloud;
use tt_environment::{Reach, SecretName};
use tt_examine::Fact;
use tt_execute::{
    Event, PortError, PortErrorKind,
    database::{Database, Depth, MigrationsEnded, On, TaskDatabase, examination},
};
use tt_migrate::{Down, Exit as Code, Job, Limits, Migrations, PgConnectOptions, Resume, Up, Version};
use tt_plan::{
    Contract, MigrationOrder, Phase,
    database::{Endpoint, Examination},
};

use crate::{
    context::{Context, SystemClock},
    exit::Exit,
    failure::Failure,
};

/// The way to a database.
#[derive(Debug)]
pub(crate) enum Way<'a> {
    /// By one-off tasks.
    Task(TaskDatabase<'a, AwsCloud<'a>, SystemClock>),
    /// Straight from here.
    Direct(&'a Direct),
}

impl<'a> Way<'a> {
    /// Straight where that is open, or else by task.
    pub(crate) fn of(direct: Option<&'a Direct>, context: &'a Context, cloud: &'a AwsCloud<'a>) -> Self {
        direct.map_or_else(|| Self::by_task(context, cloud), Self::Direct)
    }

    pub(crate) fn by_task(context: &'a Context, cloud: &'a AwsCloud<'a>) -> Self {
        Self::Task(TaskDatabase {
            environment: &context.environment,
            cloud,
            clock: &SystemClock,
        })
    }
}

impl Database for Way<'_> {
    async fn migrate(
        &self,
        order: &MigrationOrder,
        on: &On,
        emit: &(dyn Fn(Event) + Sync),
    ) -> Result<MigrationsEnded, PortError> {
        match self {
            Self::Task(task) => Box::pin(task.migrate(order, on, emit)).await,
            Self::Direct(direct) => Ok(Box::pin(direct.migrate(order, on.copy.as_ref(), emit)).await),
        }
    }

    async fn examine(&self, depth: Depth, on: &On, emit: &(dyn Fn(Event) + Sync)) -> Result<Examination, PortError> {
        match self {
            Self::Task(task) => Box::pin(task.examine(depth, on, emit)).await,
            Self::Direct(direct) => Box::pin(direct.examine(depth, on.copy.as_ref())).await,
        }
    }
}

/// A database that is reached from here, and the files that change it.
pub(crate) struct Direct {
    target: PgConnectOptions,
    migrations: Migrations,
    folder: PathBuf,
    secret: SecretName,
}

impl fmt::Debug for Direct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The target holds the password.
        f.debug_struct("Direct")
            .field("folder", &self.folder)
            .field("secret", &self.secret)
            .finish_non_exhaustive()
    }
}

impl Direct {
    /// Reads the URL and the files; nothing where the environment goes by tasks. Makes no connection yet.
    pub(crate) async fn open(context: &Context) -> Result<Option<Self>, Failure> {
        let reach = context.environment.database.as_ref().map(|database| &database.reach);
        let Some(Reach::Direct { url, migrations }) = reach else {
            return Ok(None);
        };
        let folder = short(migrations);
        let files = tt_migrate::folder(migrations).map_err(|error| {
            Failure::new(
                Exit::Usage,
                format!("could not read the migrations in {}: {error}", folder.display()),
            )
            .hint("correct `database.direct.migrations` in the environment file; it is relative to that file")
        })?;
        let migrations =
            tt_migrate::load(files).map_err(|unloadable| Failure::from(tt_migrate::Failure::Files(unloadable)))?;
        let text = context
            .clients
            .database_url(url)
            .await
            .map_err(|error| context.failure(error))?;
        let target = tt_migrate::target(text.expose_secret()).map_err(|failure| {
            Failure::new(Exit::Failed, format!("secret `{url}`: {failure}"))
                .hint("correct the secret's value, or `database.direct.url` in the environment file")
        })?;
        Ok(Some(Self {
            target,
            migrations,
            folder,
            secret: url.clone(),
        }))
    }

    /// Where the files are, for people.
    pub(crate) fn folder(&self) -> String {
        self.folder.display().to_string()
    }

    /// The contract migrations that the database lacks, in order.
    pub(crate) async fn pending_contracts(&self) -> Result<Vec<Contract>, Failure> {
        let status = tt_migrate::status(self.job(&self.target, &Limits::default())).await?;
        let contracts = status.pending.into_iter().filter_map(|pending| {
            Some(Contract {
                version: pending.version.number(),
                name: pending.name,
                breaks_below: pending.breaks_below?.number(),
            })
        });
        Ok(contracts.collect())
    }

    async fn migrate(
        &self,
        order: &MigrationOrder,
        copy: Option<&Endpoint>,
        emit: &(dyn Fn(Event) + Sync),
    ) -> MigrationsEnded {
        let lines = Mutex::new(Vec::new());
        let mut say = |event: tt_migrate::Event| {
            let line = line(&event);
            emit(Event::TaskOutput {
                lines: vec![line.clone()],
            });
            lines
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .push(line);
        };
        let target = self.at(copy);
        let (code, reason) = match carry_out(order, self.job(&target, &Limits::default()), &mut say).await {
            Ok(code) => (code, said(code)),
            Err(failure) => {
                say(failure.event());
                (failure.exit(), failure.to_string())
            }
        };
        MigrationsEnded {
            exit_code: code.code(),
            reason,
            lines: lines.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner),
        }
    }

    async fn examine(&self, depth: Depth, copy: Option<&Endpoint>) -> Result<Examination, PortError> {
        let mut lines: Vec<String> = self.known().iter().map(text).collect();
        let depth = match depth {
            Depth::Glance => tt_examine::Depth::Glance,
            Depth::Full => tt_examine::Depth::Full,
        };
        let target = self.at(copy);
        let looked = tt_examine::examine(&target, depth, &mut |fact| lines.push(text(&fact))).await;
        let failed = |source: Box<dyn std::error::Error + Send + Sync>, kind| PortError {
            action: format!(
                "look into {} from here",
                copy.map_or_else(|| "the database".to_owned(), ToString::to_string)
            ),
            kind,
            hint: Some(
                "check that this machine is let in there, or leave `reach: direct` out of the environment file"
                    .to_owned(),
            ),
            source: Some(source),
        };
        looked.map_err(|error| failed(error.into(), PortErrorKind::Conflict))?;
        examination(&lines).ok_or_else(|| failed("the look came to no end".into(), PortErrorKind::Unexpected))
    }

    /// The files' own migrations, by every checksum under which they may have been recorded.
    fn known(&self) -> Vec<Fact> {
        let of = |migration: &tt_migrate::Migration| {
            let (version, name) = (migration.version.number(), migration.name.clone());
            let fact = move |checksum| Fact::KnownMigration {
                version,
                name: name.clone(),
                checksum,
            };
            migration.up.checksums().into_iter().map(fact).collect::<Vec<_>>()
        };
        self.migrations.iter().flat_map(of).collect()
    }

    /// The database's own address, or a copy's with the same login.
    fn at(&self, copy: Option<&Endpoint>) -> PgConnectOptions {
        match copy {
            Some(endpoint) => self.target.clone().host(&endpoint.host).port(endpoint.port),
            None => self.target.clone(),
        }
    }

    fn job<'j>(&'j self, target: &'j PgConnectOptions, limits: &'j Limits) -> Job<'j> {
        Job {
            target,
            migrations: &self.migrations,
            limits,
        }
    }
}

/// What the service's `migrate` does with the flags of an order, without the service.
async fn carry_out(
    order: &MigrationOrder,
    job: Job<'_>,
    emit: &mut (dyn FnMut(tt_migrate::Event) + Send),
) -> Result<Code, tt_migrate::Failure> {
    match order {
        MigrationOrder::Status => {
            let status = tt_migrate::status(job).await?;
            let code = status.exit();
            emit(tt_migrate::Event::Status(status));
            return Ok(code);
        }
        MigrationOrder::Plan { phase } => {
            let plan = tt_migrate::plan(job, &phases(*phase)).await?;
            emit(tt_migrate::Event::Plan(plan));
            return Ok(Code::Done);
        }
        MigrationOrder::Check => {
            let plan = tt_migrate::plan(job, &phases(None)).await?;
            let code = if plan.steps.is_empty() {
                Code::Done
            } else {
                Code::Pending
            };
            emit(tt_migrate::Event::Plan(plan));
            return Ok(code);
        }
        MigrationOrder::PlanDown { to } => {
            let undoing = tt_migrate::plan_down(job, Version::new(*to)).await?;
            emit(tt_migrate::Event::Undoing(undoing));
            return Ok(Code::Done);
        }
        MigrationOrder::Up { phase } => tt_migrate::up(job, &up(*phase, Resume::No), emit).await?,
        MigrationOrder::Resume => tt_migrate::up(job, &up(None, Resume::Yes), emit).await?,
        MigrationOrder::Down { to, accept } => {
            // Both types take the same texts but for a table without a column, which no count ever names.
            let accept = accept.iter().filter_map(|loss| loss.as_str().parse().ok()).collect();
            let down = Down {
                to: Version::new(*to),
                accept,
                resume: Resume::No,
            };
            tt_migrate::down(job, &down, emit).await?;
        }
    }
    if let Ok(status) = tt_migrate::status(job).await {
        emit(tt_migrate::Event::Status(status));
    }
    Ok(Code::Done)
}

fn up(phase: Option<Phase>, resume: Resume) -> Up {
    Up {
        phases: phases(phase),
        resume,
    }
}

fn phases(phase: Option<Phase>) -> Vec<tt_migrate::Phase> {
    match phase {
        None => tt_migrate::Phase::BEFORE_A_RELEASE.to_vec(),
        Some(Phase::Expand) => vec![tt_migrate::Phase::Expand],
        Some(Phase::Backfill) => vec![tt_migrate::Phase::Backfill],
        Some(Phase::Contract) => vec![tt_migrate::Phase::Contract],
    }
}

/// Why a run that found nothing to fail at still does not end with 0.
fn said(code: Code) -> String {
    let reason = match code {
        Code::Drift => "what is applied is not what the files say",
        Code::Partial => "a step was cut off",
        Code::Pending => "migrations are pending",
        Code::Done
        | Code::Failed
        | Code::Usage
        | Code::Refused
        | Code::Lock
        | Code::RolledBack
        | Code::Busy
        | Code::Internal => "",
    };
    reason.to_owned()
}

/// The path as one would type it here: without detours, and from where one stands.
fn short(path: &Path) -> PathBuf {
    let Ok(whole) = path.canonicalize() else {
        return path.to_owned();
    };
    let here = std::env::current_dir().and_then(|here| here.canonicalize());
    match here
        .ok()
        .and_then(|here| whole.strip_prefix(here).ok().map(Path::to_owned))
    {
        Some(rest) if !rest.as_os_str().is_empty() => rest,
        Some(_) | None => whole,
    }
}

#[derive(Serialize)]
struct Line<'e> {
    v: u32,
    at: String,
    #[serde(flatten)]
    event: &'e tt_migrate::Event,
}

/// A line as the service prints it.
fn line(event: &tt_migrate::Event) -> String {
    text(&Line {
        v: tt_migrate::CONTRACT,
        at: OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default(),
        event,
    })
}

fn text(fact: &impl Serialize) -> String {
    serde_json::to_string(fact).unwrap_or_default()
}
