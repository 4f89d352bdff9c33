//! A run from start to end: one session, one turn, look what is there, then step after step.
//!
//! Recovery is looking again: when the database goes away, the run connects anew and starts over with what it finds.

use std::time::Duration;

use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use tokio::time::Instant;

use crate::{
    event::{Event, Way},
    failure::Failure,
    history::{History, Unfit},
    index, journal,
    limits::Limits,
    load::{Migration, Migrations},
    loss::{self, Accepted},
    phase::{Phase, Version},
    plan::{self, Plan, Step},
    script::{self, Alone},
    session,
    status::Status,
    step::{self, Hands},
    turn,
};

const FAREWELL: Duration = Duration::from_secs(1);
const RECONNECT: Duration = Duration::from_millis(250);
const MOST_OUTAGES: u32 = 3;

/// On which database, with which files, within which limits.
#[derive(Debug, Clone, Copy)]
pub struct Job<'j> {
    /// Where the database is.
    pub target: &'j PgConnectOptions,
    /// The release's files.
    pub migrations: &'j Migrations,
    /// How long anything may take.
    pub limits: &'j Limits,
}

/// Whether a step that was cut off may be taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Resume {
    /// No: a person has to know about it first.
    #[default]
    No,
    /// Yes.
    Yes,
}

/// What to apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Up {
    /// Migrations of these phases.
    pub phases: Vec<Phase>,
    /// Whether a step that was cut off may be taken up.
    pub resume: Resume,
}

/// What to undo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Down {
    /// The version to go back to; it stays.
    pub to: Version,
    /// Losses that somebody has looked at.
    pub accept: Vec<Accepted>,
    /// Whether a step that was cut off may be taken up.
    pub resume: Resume,
}

type Emit<'e> = &'e mut (dyn FnMut(Event) + Send);

/// What stands and what is missing. Changes nothing.
pub async fn status(job: Job<'_>) -> Result<Status, Failure> {
    looking(job, async |connection| {
        let history = journal::read(connection).await?;
        let invalid = index::invalid(connection)
            .await
            .map_err(Failure::query("look for INVALID indexes"))?;
        Ok(Status::new(&history, job.migrations, invalid))
    })
    .await
}

/// What [`up`] would do. Changes nothing, takes no lock, and refuses what a run would refuse.
pub async fn plan(job: Job<'_>, phases: &[Phase]) -> Result<Plan, Failure> {
    looking(job, async |connection| {
        let history = journal::read(connection).await?;
        refuse_drift(&history, job.migrations)?;
        let wanted = plan::wanted(job.migrations, &history, phases);
        plan::make(connection, job.migrations, wanted.into_iter(), job.limits.old).await
    })
    .await
}

/// Whether a release with these files can serve on the database. For the service: on a connection of its own.
pub async fn fits(connection: &mut PgConnection, migrations: &Migrations) -> Result<Result<(), Unfit>, Failure> {
    let history = journal::read(connection).await?;
    Ok(history.fits(migrations))
}

/// Applies what is pending in the given phases.
pub async fn up(job: Job<'_>, request: &Up, emit: Emit<'_>) -> Result<(), Failure> {
    let mut steps = 0;
    let version = through_outages(job, request.resume, emit, async |hands, resume| {
        apply(hands, job.migrations, &request.phases, resume, &mut steps).await
    })
    .await?;
    emit(Event::Done { steps, version });
    Ok(())
}

/// Undoes what is above a version.
pub async fn down(job: Job<'_>, request: &Down, emit: Emit<'_>) -> Result<(), Failure> {
    let mut steps = 0;
    let version = through_outages(job, request.resume, emit, async |hands, resume| {
        undo(hands, job.migrations, request, resume, &mut steps).await
    })
    .await?;
    emit(Event::Done { steps, version });
    Ok(())
}

async fn looking<T>(
    job: Job<'_>,
    look: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut connection = session::connect(job.target, job.limits).await?;
    let found = plan::reading(&mut connection, look).await;
    farewell(connection).await;
    found
}

async fn farewell(connection: PgConnection) {
    // The server clears up after one that cannot say goodbye.
    drop(tokio::time::timeout(FAREWELL, connection.close()).await);
}

/// Starts over when the database goes away in the middle; what this run itself left open, it may take up.
async fn through_outages(
    job: Job<'_>,
    resume: Resume,
    emit: Emit<'_>,
    mut work: impl AsyncFnMut(&mut Hands<'_>, Resume) -> Result<Version, Failure>,
) -> Result<Version, Failure> {
    let mut resume = resume;
    let mut gone_since: Option<Instant> = None;
    let mut outages = 0;
    loop {
        let outcome = match session::connect(job.target, job.limits).await {
            Ok(mut connection) => {
                let mut hands = Hands {
                    connection: &mut connection,
                    limits: job.limits,
                    emit: &mut *emit,
                };
                let outcome = work(&mut hands, resume).await;
                farewell(connection).await;
                match outcome {
                    Err(failure) if failure.outage().is_some() => {
                        resume = Resume::Yes;
                        gone_since = Some(Instant::now());
                        outages += 1;
                        Err(failure)
                    }
                    other => return other,
                }
            }
            Err(failure) => Err(failure),
        };
        let failure = match outcome {
            Ok(version) => return Ok(version),
            Err(failure) => failure,
        };
        // A database that was never there is not waited for: the address is more likely wrong.
        // One that goes away again and again may well do so because of the step.
        let within = outages <= MOST_OUTAGES && gone_since.is_some_and(|since| since.elapsed() < job.limits.outage);
        match failure.outage() {
            Some(cause) if within => emit(Event::Reconnecting {
                reason: cause.to_string(),
            }),
            Some(_) | None => return Err(failure),
        }
        tokio::time::sleep(RECONNECT).await;
    }
}

async fn apply(
    hands: &mut Hands<'_>,
    migrations: &Migrations,
    phases: &[Phase],
    resume: Resume,
    steps: &mut usize,
) -> Result<Version, Failure> {
    let mut history = open(hands, migrations).await?;
    if let Some(version) = take_up(hands, migrations, &history, resume).await? {
        *steps += 1;
        history = journal::read(hands.connection).await?;
        debug_assert!(history.entry(version).is_none_or(|entry| entry.finished));
    }
    refuse_invalid_indexes(hands, migrations, &history).await?;
    let wanted = plan::wanted(migrations, &history, phases);
    refuse_early_contraction(&wanted, &history, migrations)?;
    for migration in wanted {
        let journalled = history.entry(migration.version).is_some();
        if journalled && matches!(migration.up.way, script::Way::Transaction) {
            // Somebody took it off the list by hand, so that it runs again.
            journal::forget(hands.connection, migration.version)
                .await
                .map_err(Failure::query("forget an earlier run of a migration"))?;
        }
        step(hands, migrations, migration, Way::Up, &[]).await?;
        *steps += 1;
    }
    Ok(journal::read(hands.connection).await?.last())
}

/// Takes the turn and reads what is there; refuses when it is not what the files say.
async fn open(hands: &mut Hands<'_>, migrations: &Migrations) -> Result<History, Failure> {
    turn::take(hands.connection, hands.limits.turn, hands.emit).await?;
    let history = journal::read(hands.connection).await?;
    refuse_drift(&history, migrations)?;
    journal::ensure(hands.connection, history.tables).await?;
    journal::adopt(hands.connection, migrations, &history).await?;
    journal::read(hands.connection).await
}

fn refuse_drift(history: &History, migrations: &Migrations) -> Result<(), Failure> {
    let drift = history.drift(migrations);
    if drift.is_empty() {
        Ok(())
    } else {
        Err(Failure::Drift(drift))
    }
}

/// A step that was cut off is brought to an end before anything else.
async fn take_up(
    hands: &mut Hands<'_>,
    migrations: &Migrations,
    history: &History,
    resume: Resume,
) -> Result<Option<Version>, Failure> {
    let Some(entry) = history.interrupted(migrations) else {
        return Ok(None);
    };
    let version = entry.version;
    if resume == Resume::No {
        return Err(Failure::Partial { version });
    }
    let migration = migrations.get(version).ok_or(Failure::NotOurs(version))?;
    let begun = Instant::now();
    let (direction, script) = if entry.undoing {
        (Way::Down, &migration.down)
    } else {
        (Way::Up, &migration.up)
    };
    let script::Way::Alone(alone) = &script.way else {
        return Err(Failure::Partial { version });
    };
    let done = match direction {
        Way::Up => step::resume_up(hands, migration, alone).await?,
        Way::Down => step::resume_down(hands, migration, alone).await?,
    };
    finished(hands, migration, direction, begun, &done);
    Ok(Some(version))
}

async fn refuse_invalid_indexes(
    hands: &mut Hands<'_>,
    migrations: &Migrations,
    history: &History,
) -> Result<(), Failure> {
    let mut invalid = index::invalid(hands.connection)
        .await
        .map_err(Failure::query("look for INVALID indexes"))?;
    if invalid.is_empty() {
        return Ok(());
    }
    // One that a pending step builds is rebuilt by it.
    let ours: Vec<String> = history
        .pending(migrations)
        .filter_map(|migration| {
            let script::Way::Alone(Alone::BuildIndex { index, .. }) = &migration.up.way else {
                return None;
            };
            Some(index.to_string())
        })
        .collect();
    invalid.retain(|name| !ours.contains(name));
    if invalid.is_empty() {
        Ok(())
    } else {
        Err(Failure::InvalidIndexes(invalid))
    }
}

/// What a contraction takes away may still be needed by an expansion or a backfill before it.
fn refuse_early_contraction(wanted: &[&Migration], history: &History, migrations: &Migrations) -> Result<(), Failure> {
    for migration in wanted.iter().filter(|migration| migration.phase == Phase::Contract) {
        let before = history.pending(migrations).find(|other| {
            other.version < migration.version
                && other.phase != Phase::Contract
                && !wanted.iter().any(|wanted| wanted.version == other.version)
        });
        if let Some(before) = before {
            return Err(Failure::TooEarly {
                version: migration.version,
                pending: before.version,
            });
        }
    }
    Ok(())
}

async fn step(
    hands: &mut Hands<'_>,
    migrations: &Migrations,
    migration: &Migration,
    direction: Way,
    accepted: &[Accepted],
) -> Result<(), Failure> {
    (hands.emit)(Event::Started {
        step: Step::of(migrations, migration),
    });
    let begun = Instant::now();
    let done = match direction {
        Way::Up => step::up(hands, migration).await?,
        Way::Down => step::down(hands, migration, accepted).await?,
    };
    finished(hands, migration, direction, begun, &done);
    Ok(())
}

fn finished(hands: &mut Hands<'_>, migration: &Migration, direction: Way, begun: Instant, done: &step::Done) {
    (hands.emit)(Event::Finished {
        version: migration.version,
        name: migration.name.clone(),
        phase: migration.phase,
        direction,
        took: begun.elapsed(),
        stall: done.stall,
        tries: done.tries,
    });
}

async fn undo(
    hands: &mut Hands<'_>,
    migrations: &Migrations,
    request: &Down,
    resume: Resume,
    steps: &mut usize,
) -> Result<Version, Failure> {
    // What is open now is told by the history before it is adopted: a way back nobody recorded is not trusted.
    turn::take(hands.connection, hands.limits.turn, hands.emit).await?;
    let mut history = journal::read(hands.connection).await?;
    refuse_drift(&history, migrations)?;
    if take_up(hands, migrations, &history, resume).await?.is_some() {
        *steps += 1;
        history = journal::read(hands.connection).await?;
    }
    let undoing = ways_back(&history, migrations, request.to)?;
    let mut doomed = Vec::new();
    for migration in &undoing {
        doomed.extend(loss::doomed(&migration.down)?);
    }
    let limits = hands.limits;
    session::bound(hands.connection, limits.lock, limits.alone)
        .await
        .map_err(Failure::query("prepare to count what would be lost"))?;
    let losses = loss::count(hands.connection, &doomed)
        .await
        .map_err(Failure::query("count what would be lost"))?;
    if !losses.is_empty() {
        (hands.emit)(Event::Losses { losses: losses.clone() });
    }
    loss::judge(&losses, &request.accept)?;
    for migration in undoing {
        step(hands, migrations, migration, Way::Down, &request.accept).await?;
        *steps += 1;
    }
    Ok(journal::read(hands.connection).await?.last())
}

/// The steps above a version, newest first, each with a way back that is the recorded one.
fn ways_back<'m>(history: &History, migrations: &'m Migrations, to: Version) -> Result<Vec<&'m Migration>, Failure> {
    if to != Version::NONE && !history.is_applied(to) {
        return Err(Failure::NoSuchVersion(to));
    }
    let above = history.records.iter().rev().filter(|record| record.version > to);
    above
        .map(|record| {
            let version = record.version;
            let migration = migrations.get(version).ok_or(Failure::NotOurs(version))?;
            let entry = history.entry(version).ok_or(Failure::Unrecorded(version))?;
            if migration.down.digest() == entry.down_sha256 {
                Ok(migration)
            } else {
                Err(Failure::DownEdited {
                    version,
                    file: migration.down.file.clone(),
                })
            }
        })
        .collect()
}
