//! Many users, each on a connection that is kept, each with a request now and then.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{task::JoinSet, time::Instant};

use crate::{
    Failure, Person,
    connection::Connection,
    latency::{Latencies, Spread},
    people::Ask,
};

#[derive(Deserialize)]
pub(crate) struct Order {
    users: usize,
    /// Over which they arrive, evenly.
    ramp_seconds: f64,
    /// After the last one has arrived.
    seconds: f64,
    /// From one request of a user to the next.
    pace_seconds: f64,
}

#[derive(Serialize)]
pub(crate) struct Outcome {
    users: usize,
    requests: u64,
    failed: u64,
    /// Of the first failure.
    failure: Option<String>,
    seconds: f64,
    #[serde(flatten)]
    spread: Spread,
}

/// Of ten requests: five tasks, two lists, one search, one new task, one change.
const MIX: [Ask; 10] = [
    Ask::One,
    Ask::List,
    Ask::One,
    Ask::Create,
    Ask::One,
    Ask::Search,
    Ask::One,
    Ask::List,
    Ask::One,
    Ask::Update,
];

/// What all of them saw.
struct Seen {
    latencies: Latencies,
    failed: u64,
    failure: Option<String>,
}

pub(crate) async fn run(address: SocketAddr, people: Arc<[Person]>, order: Order) -> Result<Outcome, Failure> {
    let started = Instant::now();
    let ramp = Duration::from_secs_f64(order.ramp_seconds);
    let pace = Duration::from_secs_f64(order.pace_seconds);
    let until = started + ramp + Duration::from_secs_f64(order.seconds);
    let seen = Arc::new(Mutex::new(Seen {
        latencies: Latencies::new()?,
        failed: 0,
        failure: None,
    }));
    let mut users = JoinSet::new();
    for number in 0..order.users {
        let arrives = started + ramp.mul_f64(share(number, order.users));
        let user = User {
            address,
            people: Arc::clone(&people),
            number,
            seen: Arc::clone(&seen),
        };
        users.spawn(user.stay(arrives, pace, until));
    }
    while let Some(ended) = users.join_next().await {
        ended?;
    }
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Outcome {
        users: order.users,
        requests: seen.latencies.count(),
        failed: seen.failed,
        failure: seen.failure.clone(),
        seconds: started.elapsed().as_secs_f64(),
        spread: seen.latencies.spread(),
    })
}

#[expect(clippy::cast_precision_loss, reason = "thousands of users")]
fn share(number: usize, of: usize) -> f64 {
    number as f64 / of.max(1) as f64
}

struct User {
    address: SocketAddr,
    people: Arc<[Person]>,
    number: usize,
    seen: Arc<Mutex<Seen>>,
}

impl User {
    /// A latency counts from when the request was due, the opening of the connection included. Whoever loses the
    /// connection has failed, and opens another.
    async fn stay(self, arrives: Instant, pace: Duration, until: Instant) {
        let person = &self.people[self.number % self.people.len()];
        let mut connection = None;
        let mut due = arrives;
        let mut turn = self.number;
        while due < until {
            tokio::time::sleep_until(due).await;
            let ask = match MIX[turn % MIX.len()] {
                ask if ask.writes() && !person.may_write => Ask::One,
                ask => ask,
            };
            let failure = match exchange(self.address, &mut connection, &ask.request(person, turn)).await {
                Ok(status) if (200..300).contains(&status) => None,
                Ok(status) => Some(format!("{ask:?} was answered with {status}")),
                Err(cause) => {
                    connection = None;
                    Some(format!("{ask:?}: {cause}"))
                }
            };
            self.saw(due.elapsed(), failure);
            turn += 1;
            due += pace;
        }
    }

    fn saw(&self, took: Duration, failure: Option<String>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.latencies.record(took);
        if let Some(failure) = failure {
            seen.failed += 1;
            seen.failure.get_or_insert(failure);
        }
    }
}

async fn exchange(address: SocketAddr, connection: &mut Option<Connection>, request: &[u8]) -> io::Result<u16> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(Connection::open(address).await?),
    };
    connection.ask(request).await
}
