//! `sandbox load`: users, for rehearsals.

use std::{fs, time::Duration};

use tt_execute::Cloud;
use tt_load::{Config, Report};

use super::Load;
use crate::{
    cli::Global,
    commands::deploy::interrupted,
    context::Context,
    exit::Exit,
    failure::{Failure, chain},
    report::Reporter,
};

pub(super) async fn run(global: &Global, args: &Load, reporter: &Reporter) -> Result<Exit, Failure> {
    let context = Context::open(global, &args.place.environment).await?;
    let observed = context
        .cloud()
        .observe()
        .await
        .map_err(|error| context.failure(error))?;
    let route = observed.service.traffic.production.ok_or_else(|| {
        Failure::new(
            Exit::Refused,
            "the service has no production listener to send a load to",
        )
    })?;
    let mut config = Config::new(&route.base_url, args.rate);
    config.connections = args.connections;
    config.duration = args.duration.map(Duration::from_secs);
    reporter.say(&format!("{} requests/s to {}", args.rate, route.base_url));
    let report = tt_load::run(config, interrupted(), |second| {
        reporter.say(&format!(
            "{:>5} s  {:>5} requests  {:>4} failed  p95 {:.0} ms",
            second.second, second.requests, second.failed, second.p95_ms
        ));
    })
    .await
    .map_err(|error| Failure::new(Exit::Failed, chain(&error)))?;
    if let Some(file) = &args.report {
        write(file, &report)?;
    }
    Reporter::text(&format!(
        "{} requests, {} failed, {} acknowledged writes, {} lost, p99 {:.0} ms",
        report.requests, report.failed, report.acknowledged_writes, report.lost_writes, report.latency.p99_ms
    ));
    Ok(if report.failed == 0 && report.lost_writes == 0 {
        Exit::Done
    } else {
        Exit::Failed
    })
}

fn write(file: &std::path::Path, report: &Report) -> Result<(), Failure> {
    let failed = |reason: String| {
        Failure::new(
            Exit::Failed,
            format!("could not write the report to {}: {reason}", file.display()),
        )
    };
    let json = serde_json::to_vec_pretty(report).map_err(|error| failed(error.to_string()))?;
    fs::write(file, json).map_err(|error| failed(error.to_string()))
}
