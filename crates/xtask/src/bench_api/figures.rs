//! The figures: `target/bench/api.json`, and the same as tables.

use std::fmt::Write;

use serde::Serialize;

use super::{
    crowd::Crowd,
    listeners::Followed,
    requests::{Ask, Measured, Requests},
    rest::Rest,
};
use crate::{failure::Failure, machine::Machine};

/// Everything that was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Figures {
    pub(super) machine: Machine,
    pub(super) command: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rest: Option<Rest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) requests: Option<Requests>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) crowd: Option<Crowd>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) listeners: Option<Followed>,
}

impl Figures {
    /// Only what users would have noticed makes a benchmark fail.
    pub(super) fn nothing_failed(&self) -> Result<(), Failure> {
        if let Some(crowd) = self
            .crowd
            .as_ref()
            .map(|crowd| &crowd.outcome)
            .filter(|crowd| crowd.failed > 0)
        {
            let first = crowd.failure.as_deref().unwrap_or("not known");
            return Err(Failure::Story(format!(
                "{} of {} requests of the crowd failed; the first: {first}",
                crowd.failed, crowd.requests
            )));
        }
        match &self.listeners {
            Some(listeners) if listeners.heard != listeners.expected => Err(Failure::Story(format!(
                "{} events were heard, and {} should have been",
                listeners.heard, listeners.expected
            ))),
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn tables(&self) -> String {
        let mut text = format!("\ncargo xtask {}\non {}\n", self.command, self.machine);
        if let Some(requests) = &self.requests {
            text.push_str(&requests.table());
        }
        let mut rows: Vec<(&str, String, &str)> = Vec::new();
        if let Some(requests) = &self.requests {
            rows.push((
                "one task, share of pgbench's rate",
                format!(
                    "{:.0} % of {:.0}/s",
                    requests.share_of_pgbench() * 100.0,
                    requests.pgbench_per_second
                ),
                "at least 35 %",
            ));
        }
        if let Some(rest) = &self.rest {
            rows.push(("start to ready, ms", format!("{:.0}", rest.ready_ms), "at most 1000"));
            rows.push(("memory at rest, MB", format!("{:.1}", rest.memory_mb), "at most 40"));
        }
        if let Some(crowd) = &self.crowd {
            let outcome = &crowd.outcome;
            rows.push((
                "users at once",
                format!(
                    "{}: {} requests, {} failed",
                    outcome.users, outcome.requests, outcome.failed
                ),
                "none failed",
            ));
            rows.push((
                "  95 % answered within, ms",
                format!("{:.1}", outcome.spread.p95_ms),
                "below 200",
            ));
            rows.push((
                "  99 % answered within, ms",
                format!("{:.1}", outcome.spread.p99_ms),
                "",
            ));
            rows.push((
                "  memory of the server, MB",
                format!("{:.0}", crowd.memory_mb),
                "at most 512",
            ));
        }
        if let Some(listeners) = &self.listeners {
            rows.push((
                "listeners",
                format!(
                    "{}: {} of {} heard",
                    listeners.listeners, listeners.heard, listeners.expected
                ),
                "all",
            ));
            rows.push((
                "  95 % heard within, ms",
                format!("{:.0}", listeners.spread.p95_ms),
                "below 500",
            ));
        }
        for (what, figure, wanted) in rows {
            let _infallible = writeln!(text, "{}", format!("  {what:<36}{figure:<40}{wanted}").trim_end());
        }
        text
    }
}

impl Requests {
    fn share_of_pgbench(&self) -> f64 {
        let ours = self.results.iter().find(|one| one.ask == Ask::One);
        ours.map_or(0.0, |ours| ours.per_second / self.pgbench_per_second.max(1.0))
    }

    /// The first server at an endpoint is ours; of the others is told how many times more they use.
    fn table(&self) -> String {
        let mut text = format!(
            "  medians of {} turns of {} s, {} connections\n  {:<12}{:<14}{:>10}{:>8}{:>8}{:>8}{:>9}{:>8}{:>8}\n",
            self.rounds,
            self.seconds_a_turn,
            self.connections,
            "",
            "",
            "server µs",
            "times",
            "PG µs",
            "rate/s",
            "p50 ms",
            "p95 ms",
            "p99 ms"
        );
        let mut ours: Option<&Measured> = None;
        for one in &self.results {
            let ours = match ours {
                Some(ours) if ours.ask == one.ask => ours,
                Some(_) | None => ours.insert(one),
            };
            let times = one.server_cpu_us / ours.server_cpu_us;
            let _infallible = writeln!(
                text,
                "  {:<12}{:<14}{:>10.0}{:>8.1}{:>8.0}{:>8.0}{:>9.1}{:>8.1}{:>8.1}",
                one.ask.words(),
                one.server,
                one.server_cpu_us,
                times,
                one.database_cpu_us,
                one.per_second,
                one.spread.p50_ms,
                one.spread.p95_ms,
                one.spread.p99_ms
            );
        }
        text
    }
}
