//! A closed loop: so many connections, each with the next request as soon as the last was answered.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
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
    ask: Ask,
    connections: usize,
    seconds: f64,
}

#[derive(Serialize)]
pub(crate) struct Outcome {
    requests: u64,
    seconds: f64,
    #[serde(flatten)]
    spread: Spread,
}

/// Fails with the first answer that is not 2xx: a server that refuses is quick, and its figures are worth nothing.
pub(crate) async fn run(address: SocketAddr, people: Arc<[Person]>, order: Order) -> Result<Outcome, Failure> {
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let until = started + Duration::from_secs_f64(order.seconds);
    let mut connections = JoinSet::new();
    for _ in 0..order.connections {
        connections.spawn(one(address, Arc::clone(&people), order.ask, Arc::clone(&next), until));
    }
    let mut all = Latencies::new()?;
    while let Some(ended) = connections.join_next().await {
        all.add(&ended??)?;
    }
    Ok(Outcome {
        requests: all.count(),
        seconds: started.elapsed().as_secs_f64(),
        spread: all.spread(),
    })
}

async fn one(
    address: SocketAddr,
    people: Arc<[Person]>,
    ask: Ask,
    next: Arc<AtomicUsize>,
    until: Instant,
) -> Result<Latencies, Failure> {
    let mut connection = Connection::open(address).await?;
    let mut latencies = Latencies::new()?;
    while Instant::now() < until {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let person = &people[number % people.len()];
        if ask.writes() && !person.may_write {
            continue;
        }
        let request = ask.request(person, number);
        let sent = Instant::now();
        let status = connection.ask(&request).await?;
        latencies.record(sent.elapsed());
        if !(200..300).contains(&status) {
            return Err(format!("{ask:?} was answered with {status}").into());
        }
    }
    Ok(latencies)
}
