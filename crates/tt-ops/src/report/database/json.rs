//! The JSON lines about backups and migrations: part of the same contract as all others (docs/events.md).

use serde_json::{Value, json};
use tt_environment::Environment;
use tt_execute::{
    Halt, Migrated,
    database::{DatabaseEvent, DatabaseHalted, DatabaseOutcome},
};
use tt_plan::{
    MigrationPlan,
    database::{
        BackupFinding, DatabaseObserved, DatabasePlan, DatabaseWarning, DrillRecord, Measured, RegionReport, Snapshot,
        SnapshotKind, Verdict, Window,
    },
};

use super::{
    super::json::{line, stamp},
    kept, tables, words,
};
use crate::{exit::Exit, failure::chain};

/// Matched without a wildcard: a new fact must find its place in the contract.
pub(super) fn event(event: &DatabaseEvent) {
    let (name, body) = match event {
        DatabaseEvent::StepStarted { number, of, step } => {
            ("step-started", json!({ "number": number, "of": of, "step": step }))
        }
        DatabaseEvent::StepFinished { number, of, step, took } => (
            "step-finished",
            json!({ "number": number, "of": of, "step": step.name(), "seconds": took.as_secs_f64() }),
        ),
        DatabaseEvent::Working {
            what,
            status,
            percent,
            waited,
            at_most,
        } => (
            "working",
            json!({
                "what": what, "status": status, "percent": percent, "seconds": waited.as_secs_f64(),
                "at_most_seconds": at_most.as_secs_f64(),
            }),
        ),
        DatabaseEvent::Task(event) => return super::super::json::event(event),
        DatabaseEvent::Found { finding } => {
            let verdict = match finding.verdict() {
                Verdict::Passed => "passed",
                Verdict::Failed => "failed",
                Verdict::NotDone => "not-done",
            };
            ("found", json!({ "finding": finding, "verdict": verdict }))
        }
        DatabaseEvent::Retrying { what } => ("retrying", json!({ "what": what })),
        DatabaseEvent::CleaningUp { copy } => ("cleaning-up", json!({ "instance": copy })),
        DatabaseEvent::RecordLost { reason } => ("record-lost", json!({ "reason": reason })),
    };
    line(name, body);
}

pub(super) fn plan(environment: &Environment, plan: &DatabasePlan) {
    let warnings: Vec<Value> = plan
        .warnings
        .iter()
        .map(|DatabaseWarning::NearQuota { snapshots, quota }| {
            json!({ "warning": "near-quota", "snapshots": snapshots, "quota": quota })
        })
        .collect();
    line(
        "plan",
        json!({
            "environment": environment.name, "command": plan.command, "instance": plan.instance, "steps": plan.steps,
            "warnings": warnings,
        }),
    );
}

pub(super) fn ended(
    environment: &Environment,
    plan: &DatabasePlan,
    ended: &Result<DatabaseOutcome, DatabaseHalted>,
    exit: Exit,
) {
    let mut body = json!({
        "environment": environment.name, "command": plan.command, "instance": plan.instance, "exit_code": exit as u8,
    });
    let more = match ended {
        Ok(DatabaseOutcome::Done) => json!({}),
        Ok(DatabaseOutcome::Restored { instance }) => {
            json!({ "restored": instance.name, "endpoint": instance.endpoint.as_ref().map(ToString::to_string) })
        }
        Ok(DatabaseOutcome::Drilled { drill }) => json!({ "drill": drill }),
        Ok(DatabaseOutcome::Rehearsed { migrations }) => {
            json!({ "migrations_exit_code": migrations.exit_code, "reason": migrations.reason })
        }
        Err(halted) => json!({ "error": chain(&halted.why), "left": halted.left, "hints": words::next(&halted.why) }),
    };
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    line("ended", body);
}

pub(super) fn backups(environment: &Environment, observed: &DatabaseObserved) {
    let home = &environment.aws.region;
    line(
        "window",
        json!({ "environment": environment.name, "region": home, "window": observed.window.map(window) }),
    );
    observed
        .snapshots
        .iter()
        .for_each(|found| line("snapshot", snapshot(environment, home.as_str(), found)));
    if let Some(abroad) = &observed.abroad {
        line(
            "window",
            json!({
                "environment": environment.name, "region": abroad.region, "replicating": abroad.replicating,
                "window": abroad.replicated.map(window),
            }),
        );
        let region = abroad.region.as_str();
        abroad
            .snapshots
            .iter()
            .for_each(|found| line("snapshot", snapshot(environment, region, found)));
    }
}

fn window(window: Window) -> Value {
    json!({ "earliest": stamp(window.earliest), "latest": stamp(window.latest) })
}

fn snapshot(environment: &Environment, region: &str, found: &Snapshot) -> Value {
    let kind = match &found.kind {
        SnapshotKind::Manual => "manual",
        SnapshotKind::Automated => "automated",
        SnapshotKind::Other(kind) => kind,
    };
    json!({
        "environment": environment.name, "region": region, "snapshot": found.name, "kind": kind,
        "status": found.status.to_string(), "percent": found.percent, "taken": found.taken.map(stamp),
        "gigabytes": found.storage_gigabytes, "ours": found.mark.is_some(),
        "tested": found.mark.as_ref().and_then(|mark| mark.tested).map(stamp),
    })
}

pub(super) fn verified(environment: &Environment, findings: &[BackupFinding]) {
    for finding in findings {
        let check = finding.check.name();
        let body = match &finding.found {
            Ok(fact) => {
                json!({ "environment": environment.name, "check": check, "ok": true, "found": tables::fact(fact) })
            }
            Err(wrong) => json!({
                "environment": environment.name, "check": check, "ok": false, "wrong": wrong.to_string(),
                "hint": wrong.hint(),
            }),
        };
        line("check", body);
    }
}

pub(super) fn report(environment: &Environment, regions: &[RegionReport], last: Option<&DrillRecord>) {
    for region in regions {
        line(
            "region",
            json!({
                "environment": environment.name, "region": region.region, "rpo": measured(region.rpo),
                "rto": measured(region.rto),
            }),
        );
    }
    line("drill", json!({ "environment": environment.name, "drill": last }));
}

fn measured(measured: Measured) -> Value {
    let (found, promised) = match measured {
        Measured::Value { found, promised } => (Some(found.as_secs_f64()), Some(promised.as_secs_f64())),
        Measured::NoData { promised } => (None, Some(promised.as_secs_f64())),
        Measured::NotPromised => (None, None),
    };
    json!({ "promise": kept(measured), "seconds": found, "promised_seconds": promised })
}

pub(super) fn migration(environment: &Environment, plan: &MigrationPlan) {
    line(
        "plan",
        json!({
            "environment": environment.name, "command": plan.order.command(), "release": plan.release, "order": plan.order,
            "fingerprint": plan.fingerprint,
        }),
    );
}

pub(super) fn migrated(environment: &Environment, plan: &MigrationPlan, ended: &Result<Migrated, Halt>, exit: Exit) {
    let error = match ended {
        Ok(_) if exit == Exit::Done => None,
        Ok(migrated) => Some(words::not_migrated(migrated, exit)),
        Err(halt) => Some(chain(halt)),
    };
    line(
        "ended",
        json!({
            "environment": environment.name, "command": plan.order.command(), "release": plan.release, "error": error,
            "exit_code": exit as u8,
        }),
    );
}
