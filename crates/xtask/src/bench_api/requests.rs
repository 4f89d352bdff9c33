//! The five endpoints: the servers in turns, round after round, each request as soon as the last was answered.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    Options,
    peers::Peer,
    pgbench, proc,
    server::Server,
    stage::Stage,
    users::{Spread, Users},
};
use crate::{failure::Failure, interrupt::Interrupt, place::Place, say};

/// Before the first turn: what compiles while it runs has compiled.
const WARM_UP_SECONDS: f64 = 3.0;

/// An endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Ask {
    One,
    List,
    Search,
    Create,
    Update,
}

impl Ask {
    const ALL: [Self; 5] = [Self::One, Self::List, Self::Search, Self::Create, Self::Update];

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::One => "one task",
            Self::List => "list of 20",
            Self::Search => "search",
            Self::Create => "create",
            Self::Update => "update",
        }
    }
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Requests {
    pub(super) rounds: usize,
    pub(super) seconds_a_turn: f64,
    pub(super) connections: usize,
    pub(super) results: Vec<Measured>,
    /// pgbench on the statements of the single read, prepared.
    pub(super) pgbench_per_second: f64,
}

/// One server at one endpoint: the median of its turns in each figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Measured {
    pub(super) ask: Ask,
    pub(super) server: String,
    pub(super) server_cpu_us: f64,
    pub(super) database_cpu_us: f64,
    pub(super) per_second: f64,
    #[serde(flatten)]
    pub(super) spread: Spread,
}

#[derive(Serialize)]
#[serde(tag = "job", rename = "rounds")]
struct Job {
    ask: Ask,
    connections: usize,
    seconds: f64,
}

#[derive(Deserialize)]
struct Outcome {
    requests: f64,
    seconds: f64,
    #[serde(flatten)]
    spread: Spread,
}

struct Turn {
    server_cpu_us: f64,
    database_cpu_us: f64,
    per_second: f64,
    spread: Spread,
}

pub(super) fn measure(
    place: &Place,
    options: &Options,
    ours: &Server,
    peers: &[Peer],
    stage: &Stage,
    users: &Users,
    interrupt: &Interrupt,
) -> Result<Requests, Failure> {
    say::act(
        "Requests",
        "Every server in turn at every endpoint; less of its CPU time for a request is better.",
    );
    let others: Vec<Server> = peers
        .iter()
        .map(|peer| peer.start(stage, interrupt))
        .collect::<Result<_, _>>()?;
    let servers: Vec<&Server> = std::iter::once(ours).chain(&others).collect();
    let run = Run {
        connections: options.connections,
        database: stage.process()?,
        users,
        interrupt,
    };
    let script: PathBuf = place.results("bench").join("pgbench.sql");
    pgbench::write_script(place, stage, &script, interrupt)?;

    let (mut results, mut rates) = (Vec::new(), Vec::new());
    for ask in Ask::ALL {
        let mut turns: Vec<Vec<Turn>> = servers.iter().map(|_| Vec::new()).collect();
        for server in &servers {
            run.turn(server, ask, WARM_UP_SECONDS)?;
        }
        for _ in 0..options.rounds.max(1) {
            for (server, turns) in servers.iter().zip(&mut turns) {
                turns.push(run.turn(server, ask, options.seconds)?);
            }
            if ask == Ask::One {
                rates.push(pgbench::turn(stage, &script, options.seconds, interrupt)?);
            }
        }
        for (server, turns) in servers.iter().zip(&turns) {
            let measured = Measured::of(ask, server.name(), turns);
            say::line(format!(
                "  {:<12} {:<14} {:6.0} µs of the server, {:5.0} µs of PostgreSQL, {:6.0}/s",
                ask.words(),
                measured.server,
                measured.server_cpu_us,
                measured.database_cpu_us,
                measured.per_second
            ));
            results.push(measured);
        }
    }
    Ok(Requests {
        rounds: options.rounds,
        seconds_a_turn: options.seconds,
        connections: options.connections,
        results,
        pgbench_per_second: median(rates.into_iter()),
    })
}

struct Run<'r> {
    connections: usize,
    database: u32,
    users: &'r Users,
    interrupt: &'r Interrupt,
}

impl Run<'_> {
    fn turn(&self, server: &Server, ask: Ask, seconds: f64) -> Result<Turn, Failure> {
        let job = Job {
            ask,
            connections: self.connections,
            seconds,
        };
        let before = (server.cpu(), proc::cpu(self.database));
        let outcome: Outcome = self.users.ask(server, job, self.interrupt, || {})?;
        let after = (server.cpu(), proc::cpu(self.database));
        let each = |after: Duration, before: Duration| {
            after.saturating_sub(before).as_secs_f64() * 1e6 / outcome.requests.max(1.0)
        };
        Ok(Turn {
            server_cpu_us: each(after.0, before.0),
            database_cpu_us: each(after.1, before.1),
            per_second: outcome.requests / outcome.seconds,
            spread: outcome.spread,
        })
    }
}

impl Measured {
    fn of(ask: Ask, server: &str, turns: &[Turn]) -> Self {
        let of = |figure: fn(&Turn) -> f64| median(turns.iter().map(figure));
        Self {
            ask,
            server: server.to_owned(),
            server_cpu_us: of(|turn| turn.server_cpu_us),
            database_cpu_us: of(|turn| turn.database_cpu_us),
            per_second: of(|turn| turn.per_second),
            spread: Spread {
                p50_ms: of(|turn| turn.spread.p50_ms),
                p95_ms: of(|turn| turn.spread.p95_ms),
                p99_ms: of(|turn| turn.spread.p99_ms),
                max_ms: of(|turn| turn.spread.max_ms),
            },
        }
    }
}

/// The one in the middle.
fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}
