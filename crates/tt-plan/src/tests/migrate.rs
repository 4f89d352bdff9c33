//! Migrations apart from a deploy, and what they do to the way back.

use expect_test::{Expect, expect};
use tt_environment::Rehearsal;

use super::world::{environment, in_flight, quiet, record, release, revision, task_definition};
use crate::{
    Command, Consent, Contract, Files, LifecycleStage, MigrationOrder, MigrationSource, Observed, Outcome, Phase,
    RunningTasks, SchemaChange, SchemaRange, Share, Target, deploy, migrate, rollback,
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
    from(MigrationSource::Live, observed, running, order, expected);
}

fn from(
    source: MigrationSource,
    observed: &Observed,
    running: &[RunningTasks],
    order: MigrationOrder,
    expected: &Expect,
) {
    expected.assert_eq(&match migrate(&environment(), observed, running, order, source) {
        Ok(plan) => match plan.source {
            MigrationSource::Live => format!("{} by {}", plan.release, plan.live.short()),
            MigrationSource::Image(release) => format!("{} on {}", release.name, plan.live.short()),
            MigrationSource::Files(files) => format!("the files in {}", files.folder),
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
    from(
        MigrationSource::Image(release(5)),
        &quiet(),
        &[],
        MigrationOrder::Status,
        &expect!["1.5.0 on web:1"],
    );
}

#[test]
fn an_image_that_users_do_not_have_contracts_nothing() {
    let image = |n| MigrationSource::Image(release(n));
    from(image(1), &quiet(), &[tasks(1, 2)], CONTRACT, &expect!["1.1.0 on web:1"]);
    from(
        image(2),
        &quiet(),
        &[tasks(1, 2)],
        CONTRACT,
        &expect![
            "refused: releases that may need what a contract migration removes are still in service: 1.1.0, which users have"
        ],
    );
    let mut unserved = quiet();
    unserved.service.running = 0;
    from(image(2), &unserved, &[], CONTRACT, &expect!["1.2.0 on web:1"]);
}

#[test]
fn files_contract_only_what_the_live_release_is_known_to_do_without() {
    let files = |contracts: &[i64]| {
        let contract = |below: &i64| Contract {
            version: below + 1,
            name: format!("drop_{below}"),
            breaks_below: *below,
        };
        MigrationSource::Files(Files {
            folder: "migrations".to_owned(),
            pending_contracts: contracts.iter().map(contract).collect(),
        })
    };
    let known = contracted();
    from(
        files(&[3]),
        &known,
        &[tasks(3, 2)],
        CONTRACT,
        &expect!["the files in migrations"],
    );
    from(
        files(&[3, 4]),
        &known,
        &[tasks(3, 2)],
        CONTRACT,
        &expect!["refused: release 1.3.0, which users have, needs what 0005 drop_4 would remove"],
    );
    from(
        files(&[3]),
        &quiet(),
        &[tasks(1, 2)],
        CONTRACT,
        &expect![
            "refused: no record says which schemas release 1.1.0 works with, so nothing may be removed beneath it"
        ],
    );
    from(
        files(&[]),
        &quiet(),
        &[tasks(1, 2)],
        CONTRACT,
        &expect!["the files in migrations"],
    );
    from(
        files(&[3]),
        &known,
        &[tasks(3, 2), tasks(2, 1)],
        CONTRACT,
        &expect![
            "refused: releases that may need what a contract migration removes are still in service: 1.2.0 (1 running)"
        ],
    );
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
    check(
        &contracted(),
        &[],
        MigrationOrder::PlanDown { to: 2 },
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
