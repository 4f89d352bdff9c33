//! Migrations apart from a deploy, and what they do to the way back.

use expect_test::{Expect, expect};
use tt_environment::Rehearsal;

use super::world::{environment, in_flight, quiet, record, release, revision, task_definition};
use crate::{
    Command, Consent, LifecycleStage, MigrationImage, MigrationOrder, Observed, Outcome, Phase, RunningTasks,
    SchemaChange, SchemaRange, Share, Target, deploy, migrate, rollback,
};

const CONTRACT: MigrationOrder = MigrationOrder::Up {
    phase: Some(Phase::Contract),
};

fn tasks(n: u8, count: u32) -> RunningTasks {
    RunningTasks {
        task_definition: task_definition(n),
        label: release(n).name.to_string(),
        count,
    }
}

fn check(observed: &Observed, running: &[RunningTasks], order: MigrationOrder, expected: &Expect) {
    expected.assert_eq(&match migrate(&environment(), observed, running, order, None) {
        Ok(plan) => match plan.image {
            MigrationImage::Live { task_definition } => format!("{} by {}", plan.release, task_definition.short()),
            MigrationImage::Given { base, release } => format!("{} on {}", release.name, base.short()),
        },
        Err(refusals) => format!("refused: {refusals}"),
    });
}

/// 1.1.0 knew schema 1, 1.2.0 brought schema 2, 1.3.0 schema 3; contract migration 4 then removed what 1.1.0 needs.
fn contracted() -> Observed {
    let mut observed = quiet();
    observed.service.live = revision(3);
    let at = |hours, n: u8| {
        let mut record = record(hours, Command::Deploy, n, Outcome::Done);
        record.schema = Some(SchemaRange {
            needs: i64::from(n),
            knows: i64::from(n),
        });
        record
    };
    let mut contract = record(1, Command::DbMigrate, 3, Outcome::Done);
    contract.schema_changes = vec![SchemaChange::Removed {
        version: 4,
        name: "drop_note".to_owned(),
        breaks_below: 2,
    }];
    observed.history = vec![contract, at(2, 3), at(3, 2), at(4, 1)];
    observed
}

fn back_to(observed: &Observed, to: &str, expected: &Expect) {
    expected.assert_eq(
        &match rollback(&environment(), observed, &Target::Release(to.to_owned())) {
            Ok(rollback) => format!("back to {}", rollback.plan.brings),
            Err(refusals) => format!("refused: {refusals}"),
        },
    );
}

#[test]
fn contract_waits_for_every_older_task() {
    check(&quiet(), &[tasks(1, 2)], CONTRACT, &expect!["1.1.0 by web:1"]);
    check(
        &quiet(),
        &[tasks(1, 2), tasks(0, 1), tasks(4, 0)],
        CONTRACT,
        &expect![
            "refused: releases that may need what a contract migration removes are still in service: 1.0.0 (1 running)"
        ],
    );
}

#[test]
fn contract_waits_for_the_bake() {
    check(
        &in_flight(2, LifecycleStage::BakeTime, Share::ALL),
        &[tasks(1, 2), tasks(2, 2)],
        CONTRACT,
        &expect![
            "refused: releases that may need what a contract migration removes are still in service: 1.1.0, which the deployment of 1.2.0 can still return to (BAKE_TIME)"
        ],
    );
}

#[test]
fn everything_else_runs_beside_older_tasks() {
    for order in [
        MigrationOrder::Status,
        MigrationOrder::Check,
        MigrationOrder::Plan {
            phase: Some(Phase::Contract),
        },
        MigrationOrder::Up { phase: None },
        MigrationOrder::Up {
            phase: Some(Phase::Expand),
        },
        MigrationOrder::Resume,
    ] {
        check(&quiet(), &[tasks(0, 1)], order, &expect!["1.1.0 by web:1"]);
    }
}

#[test]
fn another_image_is_registered_on_what_is_live() {
    let plan = migrate(&environment(), &quiet(), &[], MigrationOrder::Status, Some(release(5))).unwrap();
    assert_eq!(plan.release, "1.5.0");
    assert!(matches!(plan.image, MigrationImage::Given { base, .. } if base == task_definition(1)));
}

#[test]
fn the_schema_does_not_go_below_what_the_live_release_needs() {
    let down = |to| MigrationOrder::Down { to, accept: Vec::new() };
    check(&contracted(), &[], down(3), &expect!["1.3.0 by web:3"]);
    check(
        &contracted(),
        &[],
        down(2),
        &expect!["refused: release 1.3.0 needs schema 3, so the schema cannot go back to 2"],
    );
}

#[test]
fn a_release_that_a_contract_migration_broke_is_no_place_to_return_to() {
    back_to(&contracted(), "1.2.0", &expect!["back to 1.2.0"]);
    back_to(
        &contracted(),
        "1.1.0",
        &expect!["refused: the schema has moved on since release 1.1.0: 0004 drop_note removed what it needs"],
    );
}

#[test]
fn a_contract_that_was_taken_back_is_in_nobodys_way() {
    let mut observed = contracted();
    let mut back = record(0, Command::DbRollback, 3, Outcome::Done);
    back.schema_changes = vec![SchemaChange::TakenBackTo { version: 3 }];
    observed.history.insert(0, back.clone());
    back_to(&observed, "1.1.0", &expect!["back to 1.1.0"]);
    observed.history[0].outcome = Outcome::Failed {
        reason: "a lock".to_owned(),
    };
    back_to(
        &observed,
        "1.1.0",
        &expect!["refused: the schema has moved on since release 1.1.0: 0004 drop_note removed what it needs"],
    );
}

#[test]
fn a_run_of_migrations_is_neither_drift_nor_a_release() {
    let mut observed = quiet();
    observed.history = vec![
        record(1, Command::DbMigrate, 9, Outcome::Done),
        record(2, Command::Deploy, 1, Outcome::Done),
        record(3, Command::Rehearse, 8, Outcome::Done),
        record(4, Command::Deploy, 0, Outcome::Done),
    ];
    assert!(deploy(&environment(), &release(2), &observed, Consent::None).is_ok());
    back_to(&observed, "1.0.0", &expect!["back to 1.0.0"]);
    back_to(
        &observed,
        "1.9.0",
        &expect!["refused: release 1.9.0 was never deployed here with success"],
    );
}

#[test]
fn where_a_rehearsal_is_required_a_deploy_waits_for_it() {
    let mut environment = environment();
    environment.migrations.as_mut().unwrap().rehearsal = Rehearsal::Required;
    let mut observed = quiet();
    let refused = deploy(&environment, &release(2), &observed, Consent::None).unwrap_err();
    assert!(
        refused.to_string().contains("have not run on a restored copy"),
        "{refused}"
    );

    observed.history = vec![record(1, Command::Rehearse, 3, Outcome::Done)];
    assert!(deploy(&environment, &release(2), &observed, Consent::None).is_err());
    let failed = Outcome::Failed {
        reason: "slow".to_owned(),
    };
    observed.history = vec![record(1, Command::Rehearse, 2, failed)];
    assert!(deploy(&environment, &release(2), &observed, Consent::None).is_err());
    observed.history = vec![record(1, Command::Rehearse, 2, Outcome::Done)];
    assert!(deploy(&environment, &release(2), &observed, Consent::None).is_ok());

    observed.history = Vec::new();
    observed.service.running = 0;
    assert!(deploy(&environment, &release(2), &observed, Consent::None).is_ok());
}
