//! Exports and restores that are killed in the middle: what is left says so, is never taken for the whole, and goes by the next command.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    exports::{id, psql, within},
    harness::{Rehearsal, Running, eventually},
};

const DIRECT: (&str, &str) = (
    "database: {instance: task-tracker}",
    "database:\n  instance: task-tracker\n  reach: direct\n  direct: {url: {secret: task-tracker/by-hand}, migrations: .}",
);

#[test]
fn what_a_killed_export_or_restore_leaves_says_so_and_goes() {
    let rehearsal = Rehearsal::serving("1.0.0");
    an_export_is_planned(&rehearsal);
    an_export_is_killed(&rehearsal);
    a_restore_is_killed(&rehearsal);
    a_restore_is_interrupted(&rehearsal);
}

fn an_export_is_planned(rehearsal: &Rehearsal) {
    rehearsal
        .tt("backup local export --id whole --plan")
        .exits(0)
        .prints("export task_tracker as whole")
        .prints("s3://tt-ops-local/task-tracker/exports/whole/")
        .never_prints("postgres://");
    rehearsal.tt("backup local exports").exits(0).prints("no export");
    // The way to the database is the environment's own, where it has one.
    rehearsal.environment("straight", &[DIRECT]);
    rehearsal
        .tt("backup straight export --plan")
        .exits(1)
        .complains("task-tracker/by-hand");
    rehearsal
        .tt("backup straight export --plan --url-secret task-tracker/database-url")
        .exits(0);
}

fn an_export_is_killed(rehearsal: &Rehearsal) {
    // The first object takes the name; the next ones are under way when it dies.
    rehearsal.fault(&json!({"on": "s3:PutObject", "times": 1, "effect": {"delay_ms": 1}}));
    rehearsal.fault(&json!({"on": "s3:PutObject", "effect": {"delay_ms": 5000}}));
    let mut export = rehearsal.start("backup local export --id killed --output json");
    export.wait_for("the export is begun", |line| line["event"] == "moving");
    export.signal(Signal::KILL);
    assert_eq!(export.finish().code(), None);
    rehearsal.no_faults();

    rehearsal
        .tt("backup local exports")
        .exits(0)
        .prints("killed")
        .prints("never finished, or still being written");
    rehearsal
        .tt("restore local --from-export killed --as killed --yes")
        .exits(9)
        .complains("export killed was never finished");
    let again = rehearsal.tt("backup local export --id killed").exits(4);
    again
        .complains("there is an export `killed` already, begun by ada@")
        .complains("`tt-ops backup local prune-exports --id killed`");
    rehearsal
        .tt("backup local export --id whole")
        .exits(0)
        .prints("note: export killed was begun")
        .prints("is exported as whole");
    // Not before its twelve hours: somebody might still write it.
    rehearsal
        .tt("backup local prune-exports --id killed --plan")
        .exits(0)
        .prints("killed");
    rehearsal
        .tt("backup local prune-exports --id killed --yes")
        .exits(0)
        .prints("deleted export killed");
    let left = within(rehearsal, async |exports| exports.list().await.unwrap());
    assert_eq!(left.iter().map(|export| &export.id).collect::<Vec<_>>(), [&id("whole")]);
}

/// A restore whose database is there, and that has several seconds before it.
fn in_the_middle(rehearsal: &Rehearsal) -> Running {
    rehearsal.fault(&json!({"on": "s3:GetObject", "effect": {"delay_ms": 1500}}));
    let mut restore =
        rehearsal.start("restore local --from-export whole --as copy --connections 32 --yes --output json");
    restore.wait_for("it is being filled", |line| {
        line["event"] == "moving" && line["what"] == "import"
    });
    restore
}

fn a_restore_is_killed(rehearsal: &Rehearsal) {
    let restore = in_the_middle(rehearsal);
    // It is not told how far it is there, so the server is asked.
    eventually("the database is there", || {
        (databases(rehearsal) == "copy_unfinished").then_some(())
    });
    let busy = rehearsal
        .tt("restore local --from-export whole --as copy --plan")
        .exits(10);
    busy.complains("unfinished restore of export whole, begun ");
    restore.signal(Signal::KILL);
    assert_eq!(restore.finish().code(), None);
    rehearsal.no_faults();
    assert_eq!(databases(rehearsal), "copy_unfinished");

    let plan = eventually("the server has noticed", || {
        let plan = rehearsal.tt("restore local --from-export whole --as copy --plan");
        (plan.code() != Some(10)).then_some(plan)
    });
    plan.exits(0)
        .prints("drop database copy_unfinished (unfinished restore of export whole, begun ");
    assert_eq!(databases(rehearsal), "copy_unfinished");
    rehearsal
        .tt("restore local --from-export whole --as copy --yes")
        .exits(0)
        .prints("done: database copy holds export whole");
    assert_eq!(databases(rehearsal), "copy");
    psql(rehearsal, "task_tracker", "ALTER DATABASE copy RENAME TO earlier");
}

fn a_restore_is_interrupted(rehearsal: &Rehearsal) {
    for signal in [Signal::INT, Signal::TERM] {
        let restore = in_the_middle(rehearsal);
        restore.signal(signal);
        let ended = restore.finish().exits(1);
        let failed: Vec<Value> = ended.json();
        let last = failed.last().unwrap().to_string();
        assert!(last.contains("the restore was interrupted"), "{last}");
        assert!(
            last.contains("database copy_unfinished, which was made for it, is removed"),
            "{last}"
        );
        rehearsal.no_faults();
        assert_eq!(databases(rehearsal), "", "{signal:?}");
    }
}

/// Those that a restore as `copy` can have made.
fn databases(rehearsal: &Rehearsal) -> String {
    let names = "SELECT datname FROM pg_database WHERE datname LIKE 'copy%' ORDER BY 1";
    psql(rehearsal, "task_tracker", names).trim().to_owned()
}
