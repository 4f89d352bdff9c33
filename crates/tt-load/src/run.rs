//! A run from start to end: prepare, send by the clock, wait for the last answers, read back, report.

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, MissedTickBehavior},
};
use uuid::Uuid;

use crate::{
    client::{Client, Exchange, User, unix_ms},
    failure,
    ledger::Ledger,
    operation::{self, Operation},
    prepare::{self, LoadError, Stage},
    read_back,
    report::{Report, Second},
    schedule::{Departure, Schedule},
    tally::Tally,
};

const SECOND: Duration = Duration::from_secs(1);

/// What to send, and where.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the service is, such as `http://127.0.0.1:8080`.
    pub base_url: String,
    /// Requests per second.
    pub rate_per_second: u32,
    /// Requests in flight at most, each on a connection of its own that is kept alive.
    pub connections: usize,
    /// How long to send; without one, until told to stop.
    pub duration: Option<Duration>,
    /// How long to wait for each answer.
    pub timeout: Duration,
}

impl Config {
    /// A load that goes on until it is told to stop, on up to 64 connections.
    pub fn new(base_url: impl Into<String>, rate_per_second: u32) -> Self {
        Self {
            base_url: base_url.into(),
            rate_per_second,
            connections: 64,
            duration: None,
            timeout: Duration::from_secs(10),
        }
    }
}

/// Sends the load until `stop` resolves or the duration is over, then reads every acknowledged write back.
///
/// Ends within one timeout after the stop, and the reading back. `on_second` hears the figures of each second.
pub async fn run(
    config: Config,
    stop: impl Future<Output = ()>,
    mut on_second: impl FnMut(Second),
) -> Result<Report, LoadError> {
    let client = Client::new(&config.base_url, config.connections, config.timeout).map_err(LoadError::Url)?;
    let tally = Tally::new().map_err(LoadError::Counting)?;
    let mut stop = pin!(stop);
    let Stage { project, users, ledger } = tokio::select! {
        biased;
        () = &mut stop => return Err(LoadError::Stopped),
        prepared = prepare::stage(&client, config.rate_per_second) => prepared?,
    };

    let load = Arc::new(Load {
        client,
        project,
        users,
        books: Mutex::new(Books { tally, ledger }),
    });
    let started = Instant::now();
    let started_unix_ms = unix_ms();
    let missed = send(&config, &load, started, stop, &mut on_second).await;
    let lasted = started.elapsed();
    let ended_unix_ms = unix_ms();

    let (tally, ledger) = load.close()?;
    let acknowledged_writes = ledger.acknowledged();
    let balance = read_back::compare(&load.client, &load.users[0], load.project, ledger).await;
    Ok(Report {
        version: 1,
        started_unix_ms,
        ended_unix_ms,
        requests: tally.requests,
        failed: tally.failed,
        missed,
        achieved_rate: rate(tally.requests, lasted),
        latency: tally.latency(),
        failures: tally.failures,
        by_release: tally.by_release,
        acknowledged_writes,
        verified_writes: balance.verified,
        lost_writes: balance.lost,
        unverified_writes: balance.unverified,
    })
}

/// Sends until the end and waits for the last answers. Gives back how many departures were given up.
async fn send(
    config: &Config,
    load: &Arc<Load>,
    started: Instant,
    stop: impl Future<Output = ()>,
    on_second: &mut impl FnMut(Second),
) -> u64 {
    let most = u32::try_from(config.connections.clamp(1, Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
    let places = Arc::new(Semaphore::new(most as usize));
    let mut schedule = Schedule::new(started, config.rate_per_second);
    let mut seconds = tokio::time::interval_at(started + SECOND, SECOND);
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stop = pin!(stop);
    let mut over = pin!(sleep_for(config.duration));

    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            () = &mut over => break,
            _ = seconds.tick() => on_second(load.books().tally.second()),
            place = departure(&schedule, &places) => {
                tokio::spawn(Arc::clone(load).one(schedule.depart(Instant::now()), place));
            }
        }
    }
    // Every request ends by its own timeout, and then all places are free.
    let mut all_answered = pin!(places.acquire_many(most));
    loop {
        tokio::select! {
            biased;
            _ = &mut all_answered => break,
            _ = seconds.tick() => on_second(load.books().tally.second()),
        }
    }
    let last = load.books().tally.second();
    if last.requests > 0 {
        on_second(last);
    }
    schedule.missed()
}

async fn departure(schedule: &Schedule, places: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    tokio::time::sleep_until(schedule.next()).await;
    Arc::clone(places).acquire_owned().await.ok()
}

async fn sleep_for(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 requests")]
fn rate(requests: u64, lasted: Duration) -> f64 {
    requests as f64 / lasted.as_secs_f64().max(f64::EPSILON)
}

struct Load {
    client: Client,
    project: Uuid,
    users: Vec<User>,
    books: Mutex<Books>,
}

struct Books {
    tally: Tally,
    ledger: Ledger,
}

impl Load {
    /// One request; its place is free again when it has been counted.
    async fn one(self: Arc<Self>, departure: Departure, place: Option<OwnedSemaphorePermit>) {
        let operation = operation::next(departure.number, self.project, &mut self.books().ledger);
        let exchange = self
            .client
            .ask(operation.question().by(self.user(departure.number)))
            .await;
        self.books().enter(&operation, departure.due, &exchange);
        drop(place);
    }

    /// They take turns.
    fn user(&self, number: u64) -> &User {
        let users = u64::try_from(self.users.len()).unwrap_or(1);
        let turn = usize::try_from(number % users).unwrap_or_default();
        &self.users[turn]
    }

    /// Takes the books away; nothing is in flight any more.
    fn close(&self) -> Result<(Tally, Ledger), LoadError> {
        let fresh = Books {
            tally: Tally::new().map_err(LoadError::Counting)?,
            ledger: Ledger::default(),
        };
        let Books { tally, ledger } = std::mem::replace(&mut *self.books(), fresh);
        Ok((tally, ledger))
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    fn enter(&mut self, operation: &Operation, due: Instant, exchange: &Exchange) {
        let failure = failure::of(operation, exchange);
        match operation {
            Operation::Get { .. } | Operation::List { .. } => {}
            Operation::Create { task, change, .. } => {
                if acknowledged(exchange) {
                    self.ledger.created(*task, *change);
                }
            }
            Operation::Update(attempt) => {
                if acknowledged(exchange) {
                    self.ledger.updated(attempt);
                } else {
                    self.ledger.unacknowledged(attempt);
                }
            }
        }
        self.tally.count(due, exchange, failure);
    }
}

fn acknowledged(exchange: &Exchange) -> bool {
    exchange.outcome.as_ref().is_ok_and(|answer| answer.status.is_success())
}
