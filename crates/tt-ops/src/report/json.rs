//! JSON lines for programs: a versioned contract, one object a line, in the order in which things became true.

use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tt_environment::Environment;
use tt_execute::{Event, Halted, Holdup, Progress, Whereabouts};
use tt_plan::{AlarmState, Mode, Observed, Outcome, Plan, Record, TargetGroup};

use super::{
    print_line,
    tables::{Change, Judgement, Line},
    words,
};
use crate::{exit::Exit, failure::Failure};

/// Grows when a field changes its meaning or goes; a new field does not count.
const VERSION: u32 = 1;

pub(super) fn event(event: &Event) {
    let (name, body) = body(event);
    line(name, body);
}

pub(super) fn plan(environment: &Environment, plan: &Plan, mode: Option<Mode>) {
    let mode = mode.map(|mode| match mode {
        Mode::Instant => "instant",
        Mode::Relaunch => "relaunch",
        Mode::Underway => "underway",
    });
    line(
        "plan",
        json!({
            "environment": environment.name, "command": plan.command, "brings": plan.brings, "replaces": plan.replaces,
            "image": plan.image.as_ref().map(ToString::to_string), "commit": plan.commit, "resumes": plan.resumes, "mode": mode,
            "fingerprint": plan.fingerprint, "steps": plan.steps,
        }),
    );
}

pub(super) fn ended(environment: &Environment, plan: &Plan, ended: &Result<Outcome, Halted>, exit: Exit) {
    let body = match ended {
        Ok(outcome) => {
            json!({ "environment": environment.name, "release": plan.brings, "result": outcome, "exit_code": exit as u8 })
        }
        Err(halted) => {
            let said = words::halted(environment, plan, halted);
            let users = match halted.users {
                Whereabouts::Untouched => "untouched",
                Whereabouts::InFlight => "in-flight",
                Whereabouts::Returned => "returned",
                Whereabouts::Unknown => "unknown",
            };
            json!({
                "environment": environment.name, "release": plan.brings, "error": said.what.join("; "), "users": users, "next": said.next,
                "exit_code": exit as u8,
            })
        }
    };
    line("ended", body);
}

pub(super) fn status(environment: &Environment, observed: &Observed, progress: Option<&Progress>) {
    let service = &observed.service;
    let alarms: Vec<Value> = observed
        .alarms
        .iter()
        .map(|alarm| json!({ "name": alarm.name, "state": alarm_state(&alarm.state) }))
        .collect();
    let in_flight = service.deployment.as_ref().map(|deployment| {
        json!({
            "deployment": deployment.arn, "from": deployment.from.as_ref().map(tt_plan::Revision::label), "to": deployment.to.label(),
            "stage": deployment.stage.map(tt_plan::LifecycleStage::ecs_name), "status": format!("{:?}", deployment.status),
            "share_percent": progress.map(|progress| progress.live_share), "waits_for_answer": deployment.pause.is_some(),
            "created_at": stamp(deployment.created_at),
        })
    });
    let groups: Vec<Value> = service.traffic.groups.iter().map(group).collect();
    line(
        "status",
        json!({
            "environment": environment.name, "live": service.live.label(), "task_definition": service.live.task_definition,
            "image": service.live.image, "running": service.running, "desired": service.desired, "target_groups": groups,
            "in_flight": in_flight, "alarms": alarms,
            "lock": observed.lease.as_ref().filter(|lease| lease.is_held(observed.at)).map(|lease| &lease.holder.name),
        }),
    );
}

pub(super) fn history(records: &[Record]) {
    for record in records {
        line("record", json!({ "record": record }));
    }
}

pub(super) fn verified(environment: &Environment, lines: &[Line]) {
    for checked in lines {
        let body = match &checked.judgement {
            Judgement::Good { found } => {
                json!({ "environment": environment.name, "check": checked.name, "ok": true, "found": found })
            }
            Judgement::Bad { wrong, hint } => {
                json!({ "environment": environment.name, "check": checked.name, "ok": false, "wrong": wrong, "hint": hint })
            }
        };
        line("check", body);
    }
}

pub(super) fn diff(environment: &Environment, changes: &[Change]) {
    for change in changes {
        line(
            "change",
            json!({ "environment": environment.name, "what": change.what, "now": change.now, "then": change.then }),
        );
    }
}

pub(super) fn checked(environment: &Environment) {
    line(
        "environment",
        json!({ "environment": environment.name, "file": environment.file, "ok": true }),
    );
}

pub(super) fn linted(folder: &std::path::Path, migrations: usize, findings: &[tt_migrate::Finding]) {
    line(
        "lint",
        json!({ "folder": folder, "migrations": migrations, "ok": findings.is_empty(), "findings": findings }),
    );
}

pub(super) fn failure(failure: &Failure) {
    line(
        "failed",
        json!({ "errors": failure.what, "hints": failure.hints, "exit_code": failure.exit as u8 }),
    );
}

/// Matched without a wildcard: a new fact must find its place in the contract.
fn body(event: &Event) -> (&'static str, Value) {
    match event {
        Event::Locked { token, taken_from } => ("locked", json!({ "token": token, "taken_from": taken_from })),
        Event::StepStarted { number, of, step } => {
            ("step-started", json!({ "number": number, "of": of, "step": step }))
        }
        Event::StepFinished { number, of, step, took } => (
            "step-finished",
            json!({ "number": number, "of": of, "step": step.name(), "seconds": took.as_secs_f64() }),
        ),
        Event::Waiting {
            holdup,
            waited,
            at_most,
        } => (
            "waiting",
            json!({ "for": holdup_name(holdup), "detail": words::holdup(holdup), "seconds": waited.as_secs_f64(), "at_most_seconds": at_most.as_secs_f64() }),
        ),
        Event::Traffic { share } => ("traffic", json!({ "share_percent": share })),
        Event::Targets { group: targets } => ("targets", group(targets)),
        Event::Stage { stage } => ("stage", json!({ "stage": stage.ecs_name() })),
        Event::Smoke {
            url,
            result,
            expected,
            attempt,
        } => (
            "smoke",
            json!({ "url": url, "status": result.as_ref().ok(), "error": result.as_ref().err(), "expected": expected, "attempt": attempt }),
        ),
        Event::Measured { sample, verdict } => (
            "measured",
            json!({
                "requests": sample.requests, "errors": sample.errors, "p95_seconds": sample.p95.map(|p95| p95.as_secs_f64()), "result": verdict,
            }),
        ),
        Event::TaskOutput { lines } => ("task-output", json!({ "lines": lines })),
        Event::Retrying { what } => ("retrying", json!({ "what": what })),
        Event::RollingBack { reason } => ("rolling-back", json!({ "reason": reason })),
        Event::Evidence { evidence } => {
            let stopped = |task: &tt_execute::StoppedTask| json!({ "task": task.task, "exit_code": task.exit_code, "reason": task.reason, "last_lines": task.last_lines });
            let stopped: Vec<Value> = evidence.stopped.iter().map(stopped).collect();
            (
                "evidence",
                json!({ "stopped": stopped, "unhealthy": evidence.unhealthy, "events": evidence.events, "missing": evidence.missing }),
            )
        }
        Event::RecordLost { reason } => ("record-lost", json!({ "reason": reason })),
    }
}

fn holdup_name(holdup: &Holdup) -> &'static str {
    match holdup {
        Holdup::Stage { .. } => "stage",
        Holdup::Task { .. } => "task",
        Holdup::Evidence => "evidence",
        Holdup::Bake { .. } => "bake",
        Holdup::Return => "return",
    }
}

fn alarm_state(state: &AlarmState) -> &'static str {
    match state {
        AlarmState::Ok => "ok",
        AlarmState::Firing { .. } => "firing",
        AlarmState::InsufficientData => "insufficient-data",
        AlarmState::Missing => "missing",
    }
}

fn group(group: &TargetGroup) -> Value {
    json!({ "target_group": group.arn, "healthy": group.healthy, "total": group.total })
}

pub(super) fn line(event: &str, body: Value) {
    let mut object = json!({ "v": VERSION, "at": stamp(OffsetDateTime::now_utc()), "event": event });
    if let (Value::Object(object), Value::Object(body)) = (&mut object, body) {
        object.extend(body);
    }
    print_line(&object.to_string());
}

pub(super) fn stamp(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}
