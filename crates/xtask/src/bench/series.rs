//! Deploys in a row, and rollbacks during the bake, all under one load.

use std::{
    collections::BTreeMap,
    path::Path,
    process::Stdio,
    sync::mpsc::RecvTimeoutError,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde::Serialize;

use super::{Options, timeline};
use crate::{
    child::Child, events, events::Fact, failure::Failure, http, interrupt::Interrupt, load::Load, local::Tool, machine,
    place::Place, release::Release, say,
};

/// What the whole series was like.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Series {
    pub(super) requests_per_second: u32,
    pub(super) requests: u64,
    pub(super) failed: u64,
    pub(super) not_sent: u64,
    pub(super) lost_writes: u64,
    pub(super) unverified_writes: u64,
    pub(super) p99_ms: f64,
    pub(super) deploys: Vec<Deploy>,
    /// From the start of each process until the last request left that reached the release.
    pub(super) rollback_seconds: Vec<f64>,
}

/// What one deploy was like.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Deploy {
    pub(super) wall_seconds: f64,
    /// What ECS itself needed, pauses left out.
    pub(super) platform_seconds: f64,
    pub(super) peak_memory_mb: f64,
    pub(super) api_calls: BTreeMap<String, u64>,
}

impl Deploy {
    /// 1 is a tool that nobody ever waits for.
    pub(super) fn overhead(&self) -> f64 {
        self.wall_seconds / self.platform_seconds
    }
}

pub(super) fn run(
    place: &Place,
    tool: &Tool,
    folder: &Path,
    options: &Options,
    interrupt: &Interrupt,
) -> Result<Series, Failure> {
    let good: Vec<Release> = (1..=options.deploys)
        .map(|number| Release::good(format!("bench-{number}")))
        .collect();
    let undone: Vec<Release> = (1..=options.rollbacks)
        .map(|number| Release::good(format!("undone-{number}")))
        .collect();
    say::act(
        "Deploys in a row",
        "Each release is an image of its own; the load goes on throughout.",
    );
    for release in good.iter().chain(&undone) {
        release.push(place, interrupt)?;
    }

    let mut load = Load::start(tool, options.rate, folder, "series")?;
    interrupt.pause(Duration::from_secs(3))?;
    let mut deploys = Vec::new();
    for release in &good {
        load.goes_on()?;
        let deploy = deploy(tool, folder, release, interrupt)?;
        say::line(format!(
            "  {:<9} {:5.1} s, of which the platform's own {:5.1} s; peak memory {:.0} MB",
            release.name(),
            deploy.wall_seconds,
            deploy.platform_seconds,
            deploy.peak_memory_mb
        ));
        deploys.push(deploy);
    }
    let mut typed = Vec::new();
    for release in &undone {
        load.goes_on()?;
        typed.push((release, rollback_during_the_bake(tool, folder, release, interrupt)?));
    }

    say::line("  reading every acknowledged write back");
    let report = load.end(interrupt)?;
    let rollback_seconds = typed
        .iter()
        .filter_map(|(release, at)| report.seconds_until_last_of(release.name(), *at))
        .collect();
    Ok(Series {
        requests_per_second: options.rate,
        requests: report.requests,
        failed: report.failed,
        not_sent: report.missed,
        lost_writes: report.lost_writes,
        unverified_writes: report.unverified_writes,
        p99_ms: report.latency.p99_ms,
        deploys,
        rollback_seconds,
    })
}

fn deploy(tool: &Tool, folder: &Path, release: &Release, interrupt: &Interrupt) -> Result<Deploy, Failure> {
    let before: BTreeMap<String, u64> = http::get("/_sandbox/calls")?;
    let started = Instant::now();
    let arguments = ["deploy", "local", "--image", release.name(), "--yes"];
    let mut child = tool.logged(&arguments, &folder.join(format!("{}.log", release.name())))?;
    let mut kilobytes = 0;
    // The kernel keeps the peak, so the last look before the end has it.
    let status = child.wait_and(interrupt, |process| {
        kilobytes = machine::peak_memory(process).unwrap_or(kilobytes);
    })?;
    let wall_seconds = started.elapsed().as_secs_f64();
    if !status.success() {
        return Err(child.failed(status));
    }
    let after: BTreeMap<String, u64> = http::get("/_sandbox/calls")?;
    Ok(Deploy {
        wall_seconds,
        platform_seconds: timeline::of_the_newest()?,
        peak_memory_mb: f64::from(u32::try_from(kilobytes).unwrap_or(u32::MAX)) / 1024.0,
        api_calls: difference(&before, after),
    })
}

/// Gives back when the rollback was typed.
fn rollback_during_the_bake(
    tool: &Tool,
    folder: &Path,
    release: &Release,
    interrupt: &Interrupt,
) -> Result<u64, Failure> {
    let mut command = tool.command(&[
        "deploy",
        "local",
        "--image",
        release.name(),
        "--yes",
        "--output",
        "json",
    ]);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut deploy = Child::start(&format!("tt-ops deploy {}", release.name()), command)?;
    let facts = deploy
        .take_output()
        .map(events::follow)
        .ok_or_else(|| Failure::Story("the deploy has no output".to_owned()))?;
    loop {
        interrupt.check()?;
        match facts.recv_timeout(Duration::from_millis(50)) {
            Ok(Fact::Started { step }) if step == "bake" => break,
            Ok(Fact::Started { .. } | Fact::Finished { .. }) | Err(RecvTimeoutError::Timeout) => {}
            Ok(Fact::Ended { words }) => {
                return Err(Failure::Story(format!(
                    "{} ended before its bake: {words}",
                    release.name()
                )));
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Failure::Story(format!("{} ended before its bake", release.name())));
            }
        }
    }
    interrupt.pause(Duration::from_secs(2))?;
    let typed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    tool.logged(
        &["rollback", "local"],
        &folder.join(format!("{}-rollback.log", release.name())),
    )?
    .succeed(interrupt)?;
    let status = deploy.wait(interrupt)?;
    say::line(format!(
        "  {} was taken back during its bake; its deploy ended with {}",
        release.name(),
        crate::child::ending(status)
    ));
    Ok(u64::try_from(typed.as_millis()).unwrap_or(u64::MAX))
}

/// What was called in between.
fn difference(before: &BTreeMap<String, u64>, after: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let calls = after.into_iter().map(|(operation, count)| {
        let earlier = before.get(&operation).copied().unwrap_or(0);
        (operation, count.saturating_sub(earlier))
    });
    calls.filter(|(_, count)| *count > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_between_two_looks() {
        let calls = |entries: &[(&str, u64)]| -> BTreeMap<String, u64> {
            entries
                .iter()
                .map(|(operation, count)| ((*operation).to_owned(), *count))
                .collect()
        };
        let before = calls(&[("ecs:DescribeServices", 3), ("sts:GetCallerIdentity", 1)]);
        let after = calls(&[
            ("ecs:DescribeServices", 10),
            ("sts:GetCallerIdentity", 1),
            ("s3:PutObject", 2),
        ]);
        assert_eq!(
            difference(&before, after),
            calls(&[("ecs:DescribeServices", 7), ("s3:PutObject", 2)])
        );
    }
}
