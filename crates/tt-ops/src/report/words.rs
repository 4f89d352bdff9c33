//! Facts as sentences. Nothing here depends on a terminal.

use std::{fmt::Write, time::Duration};

use console::style;
use time::OffsetDateTime;
use tt_environment::{Environment, Strategy};
use tt_execute::{Evidence, Halt, Halted, Holdup, LockError, PortErrorKind, Progress, Whereabouts};
use tt_plan::{
    AlarmState, Command, Deployment, DeploymentStatus, Gap, LiveRollout, LiveStrategy, Mode, Observed, Outcome, Plan,
    RollbackPlan, Sample, Step, Verdict,
};

use crate::failure::chain;

/// A step as an instruction.
pub(super) fn step(step: &Step) -> String {
    match step {
        Step::Register { base, release, .. } => format!(
            "register a task definition: {} with {}",
            base.short(),
            release.image.digest.short()
        ),
        Step::Migrate { command, timeout } => format!(
            "run `{}` as a one-off task of the new image (at most {})",
            command.join(" "),
            span(*timeout)
        ),
        Step::Start { strategy, bake, .. } => {
            format!("start the deployment: {}, bake {bake}", self::strategy(*strategy))
        }
        Step::Attach { deployment } => format!("attach to deployment {}", tail(deployment.as_str())),
        Step::SmokeTest => "smoke-test the new tasks through the test listener".to_owned(),
        Step::Shift { to } => format!("shift production traffic to {to}"),
        Step::Analyse { at } => format!("analyse the new tasks at {at}"),
        Step::Bake { minutes } => format!("bake for {minutes}: both releases run, users are on the new one"),
        Step::Complete => "complete: ECS ends the old tasks".to_owned(),
        Step::Revert { .. } => "stop the deployment with ROLLBACK: weights first, tasks later".to_owned(),
        Step::Relaunch { release, .. } => format!("start the tasks of {release} again and give them all traffic"),
        Step::AwaitReturn => "wait until no user reaches the release that is taken back".to_owned(),
    }
}

pub(super) fn strategy(strategy: Strategy) -> String {
    match strategy {
        Strategy::AllAtOnce => "all at once".to_owned(),
        Strategy::Linear { percent, bake } => format!("linear, {percent} every {bake}"),
        Strategy::Canary { percent, bake } => format!("canary, {percent} for {bake}"),
    }
}

pub(super) fn plan(environment: &Environment, plan: &Plan) -> String {
    if plan.steps.is_empty() {
        return format!(
            "{} already serves all users of {}; nothing to do.",
            style(&plan.brings).bold(),
            environment.name
        );
    }
    let verb = if plan.resumes.is_some() { "Resume" } else { "Deploy" };
    let mut text = format!(
        "{verb} {} to {} (users are on {})\n",
        style(&plan.brings).bold(),
        style(&environment.name).bold(),
        plan.replaces
    );
    if let Some(image) = &plan.image {
        let _infallible = writeln!(text, "  image {image}");
    }
    text.push_str(&numbered(plan));
    text
}

fn numbered(plan: &Plan) -> String {
    let lines: Vec<String> = plan
        .steps
        .iter()
        .enumerate()
        .map(|(index, planned)| format!("  {}. {}", index + 1, step(planned)))
        .collect();
    lines.join("\n")
}

/// What a rollback trades, in the order in which one wants to know it.
pub(super) fn trade(environment: &Environment, rollback: &RollbackPlan, observed: &Observed) -> String {
    let plan = &rollback.plan;
    let mut text = format!(
        "Roll {} back: users of {} get {} again\n",
        style(&plan.replaces).bold(),
        style(&environment.name).bold(),
        style(&plan.brings).bold()
    );
    let mode = match rollback.mode {
        Mode::Instant => "instant: the old tasks still run, it is one change of weights",
        Mode::Relaunch => {
            "relaunch: the old tasks are gone and start again first; users stay where they are until they are healthy"
        }
        Mode::Underway => "underway: ECS is taking it back already",
    };
    let _infallible = writeln!(text, "  mode   {mode}");
    let since = rollback
        .serving_since
        .map_or_else(String::new, |since| format!(" (for {})", age(since, observed.at)));
    let _infallible = writeln!(
        text,
        "  trade  what {} has written{since} stays in the database; its schema stays too",
        plan.replaces
    );
    text.push_str(&numbered(plan));
    text
}

pub(super) fn outcome(environment: &Environment, plan: &Plan, outcome: &Outcome) -> String {
    let (release, name) = (style(&plan.brings).bold(), &environment.name);
    match outcome {
        Outcome::Done => match plan.command {
            Command::Deploy => format!(
                "{} {release} serves all users of {name}.",
                style("done:").green().bold()
            ),
            Command::DbMigrate | Command::DbRollback | Command::Rehearse => {
                format!(
                    "{} the schema of {name} is where it should be.",
                    style("done:").green().bold()
                )
            }
            Command::Rollback => format!(
                "{} users of {name} are on {release}; none reaches {}.",
                style("done:").green().bold(),
                plan.replaces
            ),
        },
        Outcome::Shifted => format!(
            "{} {release} serves all users of {name}; ECS bakes on. `status {name}` tells how it goes.",
            style("shifted:").green().bold()
        ),
        Outcome::Running => format!("{release} is still on its way."),
        Outcome::RolledBack { reason }
        | Outcome::Failed { reason }
        | Outcome::Interrupted { reason }
        | Outcome::Paused { reason } => reason.clone(),
    }
}

/// The three things that an operator asks when a run has halted.
pub(super) struct Said {
    pub(super) what: Vec<String>,
    pub(super) users: String,
    pub(super) next: String,
}

pub(super) fn halted(environment: &Environment, plan: &Plan, halted: &Halted) -> Said {
    let name = &environment.name;
    let users = match halted.users {
        Whereabouts::Untouched => format!("on {}; nothing was changed for them", plan.replaces),
        Whereabouts::Returned => format!("back on {}", plan.replaces),
        Whereabouts::InFlight => format!(
            "partly on {}: ECS holds the deployment and rolls back by itself when a pause is left unanswered",
            plan.brings
        ),
        Whereabouts::Unknown if matches!(halted.why, Halt::RollbackFailed { .. }) => {
            "unknown: the way back failed".to_owned()
        }
        Whereabouts::Unknown => format!("on {}; whether ECS has begun to change that is unknown", plan.replaces),
    };
    Said {
        what: vec![what(&halted.why)],
        users,
        next: next(&halted.why, halted.users, name.as_str()),
    }
}

fn what(halt: &Halt) -> String {
    match halt {
        Halt::Paused { gap } => format!(
            "the analysis cannot tell ({}) and the environment leaves the decision to a person",
            self::gap(gap)
        ),
        Halt::Lock(_)
        | Halt::Overruled { .. }
        | Halt::WorldMoved
        | Halt::RolledBack { .. }
        | Halt::RollbackFailed { .. }
        | Halt::TimedOut { .. }
        | Halt::Migration { .. }
        | Halt::Interrupted
        | Halt::Port(_) => chain(halt),
    }
}

fn next(halt: &Halt, users: Whereabouts, name: &str) -> String {
    match halt {
        Halt::Lock(LockError::Held { lease }) => {
            format!(
                "wait for {}, or see `tt-ops status {name}`; a rollback never waits",
                lease.holder.name
            )
        }
        Halt::Lock(LockError::Contended) => "run it again".to_owned(),
        Halt::Lock(LockError::Storage(error)) | Halt::Port(error) if error.hint.is_some() => {
            error.hint.clone().unwrap_or_default()
        }
        Halt::Port(error) if error.kind == PortErrorKind::Unexpected => {
            format!("look at `tt-ops status {name}`, and report this as a defect")
        }
        Halt::Overruled { .. } | Halt::WorldMoved => {
            format!("look at `tt-ops status {name}`, then run it again if it is still wanted")
        }
        Halt::RolledBack { .. } => {
            format!("read the evidence above, mend the release, deploy again; `tt-ops history {name}` keeps the record")
        }
        Halt::RollbackFailed { .. } => format!(
            "look at `tt-ops status {name}` now, then `tt-ops rollback {name}` or deploy a release that is known to be good"
        ),
        Halt::Paused { .. } => {
            format!("look at the metrics, then run the same deploy again to go on, or `tt-ops rollback {name}`")
        }
        Halt::Migration { .. } => "read the task's output above; the deployment was not started".to_owned(),
        Halt::TimedOut { .. } | Halt::Interrupted | Halt::Lock(LockError::Storage(_)) | Halt::Port(_) => match users {
            Whereabouts::Untouched => "run it again".to_owned(),
            Whereabouts::InFlight | Whereabouts::Returned | Whereabouts::Unknown => {
                format!(
                    "`tt-ops status {name}` explains; the same deploy again resumes, `tt-ops rollback {name}` takes it back"
                )
            }
        },
    }
}

pub(super) fn status(environment: &Environment, observed: &Observed, progress: Option<&Progress>) -> String {
    let service = &observed.service;
    let mut text = format!(
        "{}  {}/{}\n",
        style(&environment.name).bold(),
        environment.service.cluster,
        environment.service.name
    );
    let _infallible = writeln!(
        text,
        "  live     {}  {}",
        style(service.live.label()).bold(),
        service.live.task_definition.short()
    );
    let _infallible = writeln!(
        text,
        "  tasks    {} running, {} wanted",
        service.running, service.desired
    );
    if let Some(route) = &service.traffic.production {
        let _infallible = writeln!(text, "  traffic  {}", weights(observed, route));
    }
    match (&service.deployment, progress) {
        (Some(deployment), progress) => text.push_str(&in_flight(deployment, progress, observed.at, environment)),
        (None, _) => text.push_str("  in flight: nothing\n"),
    }
    for alarm in &observed.alarms {
        match &alarm.state {
            AlarmState::Firing { reason } => {
                let _infallible = writeln!(text, "  {}    {} fires: {reason}", style("alarm").red(), alarm.name);
            }
            AlarmState::Missing => {
                let _infallible = writeln!(text, "  {}    {} does not exist", style("alarm").red(), alarm.name);
            }
            AlarmState::Ok | AlarmState::InsufficientData => {}
        }
    }
    if let Some(lease) = &observed.lease {
        if lease.is_held(observed.at) {
            let _infallible = writeln!(text, "  lock     held by {} (token {})", lease.holder.name, lease.token);
        } else if lease.is_abandoned(observed.at) {
            let _infallible = writeln!(
                text,
                "  lock     left behind by {}; the next run takes it over",
                lease.holder.name
            );
        }
    }
    if let Some(last) = observed.history.first() {
        let _infallible = writeln!(
            text,
            "  last     {} {}: {}",
            super::tables::command(last.command),
            last.release,
            super::tables::outcome(&last.outcome)
        );
    }
    text.trim_end().to_owned()
}

fn weights(observed: &Observed, route: &tt_plan::Route) -> String {
    let total: u64 = route.weights.iter().map(|(_, weight)| u64::from(*weight)).sum();
    let part = |(arn, weight): &(tt_plan::Arn, u32)| {
        let health = observed.service.traffic.groups.iter().find(|group| group.arn == *arn);
        let health = health.map_or_else(String::new, |group| {
            format!(" ({} of {} healthy)", group.healthy, group.total)
        });
        format!(
            "{} {}{health}",
            group_name(arn.as_str()),
            tt_plan::Share::of(u64::from(*weight), total)
        )
    };
    route.weights.iter().map(part).collect::<Vec<_>>().join(", ")
}

fn in_flight(
    deployment: &Deployment,
    progress: Option<&Progress>,
    now: OffsetDateTime,
    environment: &Environment,
) -> String {
    let name = &environment.name;
    let from = deployment
        .from
        .as_ref()
        .map_or_else(|| "nothing".to_owned(), tt_plan::Revision::label);
    let mut text = format!(
        "  in flight: {} → {}, for {}\n",
        from,
        style(deployment.to.label()).bold(),
        age(deployment.created_at, now)
    );
    let stage = deployment
        .stage
        .map_or("before the first stage", tt_plan::LifecycleStage::ecs_name);
    let share = progress.map(|progress| progress.live_share);
    let share = share.map_or_else(String::new, |share| format!(", {share} of production traffic"));
    let _infallible = writeln!(text, "    stage  {stage}{share}");
    match &deployment.status {
        DeploymentStatus::RollingBack { reason } => {
            let _infallible = writeln!(text, "    being taken back: {reason}");
        }
        DeploymentStatus::Pending
        | DeploymentStatus::InProgress
        | DeploymentStatus::Successful
        | DeploymentStatus::Stopped { .. }
        | DeploymentStatus::RolledBack { .. }
        | DeploymentStatus::RollbackFailed { .. } => {
            if let Some(pause) = &deployment.pause {
                let until = pause.expires_at.map_or_else(String::new, |at| {
                    format!(" and rolls back by itself in {}", age(now, at))
                });
                let _infallible = writeln!(text, "    waits for an answer{until}");
            }
            let _infallible = writeln!(
                text,
                "    next   the same `tt-ops deploy {name}` resumes it, `tt-ops rollback {name}` takes it back"
            );
        }
    }
    text
}

pub(super) fn holdup(holdup: &Holdup) -> String {
    match holdup {
        Holdup::Stage { now: Some(stage) } => format!("ECS is at {}", stage.ecs_name()),
        Holdup::Stage { now: None } => "ECS has not begun".to_owned(),
        Holdup::Task { status } => format!("the task is {status}"),
        Holdup::Evidence => "measuring".to_owned(),
        Holdup::Bake { .. } => "baking".to_owned(),
        Holdup::Return => "users are on their way back".to_owned(),
    }
}

pub(super) fn measured(sample: &Sample, verdict: &Verdict) -> String {
    let p95 = sample
        .p95
        .map_or_else(|| "no p95".to_owned(), |p95| format!("p95 {} ms", p95.as_millis()));
    let verdict = match verdict {
        Verdict::Passed => "within limits".to_owned(),
        Verdict::Failed { .. } => "over a limit".to_owned(),
        Verdict::Inconclusive { gap } => format!("inconclusive: {}", self::gap(gap)),
    };
    format!(
        "{} requests, {} errors, {p95}: {verdict}",
        sample.requests, sample.errors
    )
}

fn gap(gap: &Gap) -> String {
    match gap {
        Gap::NoData => "no data".to_owned(),
        Gap::TooFewRequests { requests, needed } => format!("{requests} requests, {needed} needed"),
    }
}

/// One line a finding, most telling first.
pub(super) fn evidence(evidence: &Evidence) -> Vec<String> {
    let mut lines = Vec::new();
    for task in &evidence.stopped {
        let code = task
            .exit_code
            .map_or_else(String::new, |code| format!(", exit code {code}"));
        lines.push(format!(
            "task {} stopped: {}{code}",
            tail(task.task.as_str()),
            task.reason
        ));
        lines.extend(task.last_lines.iter().map(|line| format!("  | {line}")));
    }
    lines.extend(evidence.unhealthy.iter().map(|target| format!("target {target}")));
    lines.extend(evidence.events.iter().take(4).map(|event| format!("ECS: {event}")));
    lines.extend(
        evidence
            .missing
            .iter()
            .map(|missing| format!("not to be had: {missing}")),
    );
    lines
}

pub(super) fn live_rollout(rollout: &LiveRollout) -> String {
    match rollout.strategy {
        LiveStrategy::Rolling => "rolling".to_owned(),
        LiveStrategy::Shifting(strategy) => self::strategy(strategy),
    }
}

/// `2 m 5 s`, `10 m`: never more than two units, and no unit of which there is nothing.
pub(super) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3600 => two(seconds / 60, "m", seconds % 60, "s"),
        3600..86400 => two(seconds / 3600, "h", seconds % 3600 / 60, "m"),
        _ => two(seconds / 86400, "d", seconds % 86400 / 3600, "h"),
    }
}

fn two(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 {
        format!("{large} {large_unit}")
    } else {
        format!("{large} {large_unit} {small} {small_unit}")
    }
}

pub(super) fn age(from: OffsetDateTime, to: OffsetDateTime) -> String {
    span(Duration::try_from(to - from).unwrap_or_default())
}

/// A target group's name: the middle of `…:targetgroup/name/id`.
fn group_name(arn: &str) -> &str {
    arn.rsplit('/').nth(1).unwrap_or(arn)
}

fn tail(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
