//! Listeners of projects, and a writer in each project: how long until everybody has heard.
//!
//! A new task's title holds the moment at which it was sent, on this process's own clock.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    str,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{sync::Semaphore, task::JoinSet, time::Instant};

use crate::{
    Failure, Person,
    connection::Connection,
    latency::{Latencies, Spread},
};

/// What listeners look for in an event.
const MARK: &[u8] = b"\"title\":\"sent at ";
/// How many connections are being opened at a time.
const DOORS: usize = 64;
/// How long after the last event somebody may still hear it.
const LATE: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
pub(crate) struct Order {
    listeners: usize,
    /// Over which the listeners are spread.
    projects: usize,
    seconds: f64,
    /// New tasks a second, in all.
    events_per_second: f64,
}

#[derive(Serialize)]
pub(crate) struct Outcome {
    listeners: usize,
    projects: usize,
    events: u64,
    /// Every event once for each listener of its project.
    expected: u64,
    heard: u64,
    #[serde(flatten)]
    spread: Spread,
}

struct Ears {
    begun: Instant,
    latencies: Mutex<Latencies>,
}

pub(crate) async fn run(address: SocketAddr, people: Arc<[Person]>, order: Order) -> Result<Outcome, Failure> {
    let mut members: BTreeMap<&str, Vec<&Person>> = BTreeMap::new();
    for person in people.iter().filter(|person| person.may_write) {
        members.entry(&person.project).or_default().push(person);
    }
    let projects: Vec<(&str, Vec<&Person>)> = members.into_iter().take(order.projects.max(1)).collect();
    let ears = Arc::new(Ears {
        begun: Instant::now(),
        latencies: Mutex::new(Latencies::new()?),
    });

    let doors = Arc::new(Semaphore::new(DOORS));
    let mut opening = JoinSet::new();
    for number in 0..order.listeners {
        let (project, members) = &projects[number % projects.len()];
        let path = format!("/api/v1/projects/{project}/events");
        let request = members[number % members.len()].request("GET", &path, None);
        opening.spawn(open(address, request, Arc::clone(&doors)));
    }
    let mut listening = JoinSet::new();
    while let Some(opened) = opening.join_next().await {
        listening.spawn(hear(opened??, Arc::clone(&ears)));
    }

    let mut writer = Connection::open(address).await?;
    let (mut events, mut expected) = (0, 0);
    let started = Instant::now();
    let pause = Duration::from_secs_f64(1.0 / order.events_per_second);
    let mut due = started;
    while due.duration_since(started).as_secs_f64() < order.seconds {
        tokio::time::sleep_until(due).await;
        let place = usize::try_from(events).unwrap_or_default() % projects.len();
        let (project, members) = &projects[place];
        let body = format!(r#"{{"title":"sent at {}"}}"#, ears.begun.elapsed().as_micros());
        let request = members[0].request("POST", &format!("/api/v1/projects/{project}/tasks"), Some(&body));
        let status = writer.ask(&request).await?;
        if status != 201 {
            return Err(format!("a new task was answered with {status}").into());
        }
        events += 1;
        expected += u64::try_from((place..order.listeners).step_by(projects.len()).len()).unwrap_or_default();
        due += pause;
    }
    let late = Instant::now() + LATE;
    while ears.lock().count() < expected && Instant::now() < late {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Whoever stopped listening before the end says why.
    while let Some(ended) = listening.try_join_next() {
        ended??;
    }
    let latencies = ears.lock();
    Ok(Outcome {
        listeners: order.listeners,
        projects: projects.len(),
        events,
        expected,
        heard: latencies.count(),
        spread: latencies.spread(),
    })
}

async fn open(address: SocketAddr, request: Vec<u8>, doors: Arc<Semaphore>) -> Result<Connection, Failure> {
    let door = doors.acquire().await?;
    let mut connection = Connection::open(address).await?;
    let status = connection.follow(&request).await?;
    drop(door);
    match status {
        200 => Ok(connection),
        status => Err(format!("a listener was answered with {status}").into()),
    }
}

async fn hear(mut connection: Connection, ears: Arc<Ears>) -> io::Result<()> {
    loop {
        let arrived = connection.more().await?;
        let now = ears.begun.elapsed();
        while let Some((sent, end)) = next_mark(arrived) {
            ears.lock().record(now.saturating_sub(sent));
            arrived.drain(..end);
        }
    }
}

/// When the next event in these bytes was sent, and where it ends.
fn next_mark(bytes: &[u8]) -> Option<(Duration, usize)> {
    let begin = bytes.windows(MARK.len()).position(|window| window == MARK)? + MARK.len();
    let length = bytes[begin..].iter().position(|byte| *byte == b'"')?;
    let micros = str::from_utf8(&bytes[begin..begin + length]).ok()?.parse().ok()?;
    Some((Duration::from_micros(micros), begin + length))
}

impl Ears {
    fn lock(&self) -> std::sync::MutexGuard<'_, Latencies> {
        self.latencies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
