//! A good and a bad release, brought once by `tt-ops` and once by the script, each under the same load.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::script::AwsCli;
use crate::{
    child::Child, failure::Failure, interrupt::Interrupt, load::Load, local::Tool, place::Place, release::Release, say,
};

/// Both, side by side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Comparison {
    pub(super) tt_ops: Side,
    pub(super) script: Side,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Side {
    pub(super) good_release: Run,
    pub(super) bad_release: Run,
}

/// What users and CI saw of one run, from its start until ten seconds after its end.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Run {
    pub(super) seconds: f64,
    /// Absent when a signal ended it.
    pub(super) exit_code: Option<i32>,
    pub(super) requests: u64,
    pub(super) failed: u64,
    pub(super) lost_writes: u64,
    /// What users had in the end.
    pub(super) left_on: String,
}

pub(super) fn compare(
    place: &Place,
    tool: &Tool,
    aws: &AwsCli,
    folder: &Path,
    rate: u32,
    interrupt: &Interrupt,
) -> Result<Comparison, Failure> {
    say::act(
        "Next to the script",
        "register-task-definition, update-service, wait services-stable: what most teams have. The same releases, the same load.",
    );
    let releases = [
        Release::good("tool-good"),
        Release::bad("tool-bad"),
        Release::good("script-good"),
        Release::bad("script-bad"),
    ];
    for release in &releases {
        release.push(place, interrupt)?;
    }
    let [tool_good, tool_bad, script_good, script_bad] = &releases;
    let by_tool = |release: &Release| {
        let arguments = ["deploy", "local", "--image", release.name(), "--yes"];
        let log = folder.join(format!("{}.log", release.name()));
        under_load(tool, rate, folder, release, interrupt, || tool.logged(&arguments, &log))
    };
    let by_script = |release: &Release| {
        let log = folder.join(format!("{}.log", release.name()));
        under_load(tool, rate, folder, release, interrupt, || {
            aws.deploy(release.name(), &log)
        })
    };
    let tt_ops = Side {
        good_release: by_tool(tool_good)?,
        bad_release: by_tool(tool_bad)?,
    };
    let script = Side {
        good_release: by_script(script_good)?,
        bad_release: by_script(script_bad)?,
    };
    Ok(Comparison { tt_ops, script })
}

fn under_load(
    tool: &Tool,
    rate: u32,
    folder: &Path,
    release: &Release,
    interrupt: &Interrupt,
    start: impl FnOnce() -> Result<Child, Failure>,
) -> Result<Run, Failure> {
    let load = Load::start(tool, rate, folder, &format!("{}-load", release.name()))?;
    interrupt.pause(Duration::from_secs(2))?;
    let started = Instant::now();
    let status = start()?.wait(interrupt)?;
    let seconds = started.elapsed().as_secs_f64();
    interrupt.pause(Duration::from_secs(10))?;
    let report = load.end(interrupt)?;
    let run = Run {
        seconds,
        exit_code: status.code(),
        requests: report.requests,
        failed: report.failed,
        lost_writes: report.lost_writes,
        left_on: report.last_release().unwrap_or("none").to_owned(),
    };
    say::line(format!(
        "  {:<11} {:5.1} s, {}, {} of {} requests failed, users left on {}",
        release.name(),
        run.seconds,
        crate::child::ending(status),
        run.failed,
        run.requests,
        run.left_on
    ));
    Ok(run)
}
