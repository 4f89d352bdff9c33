//! What the service's one-off tasks are told, and what they print: the contract between this tool and every release.
//!
//! They print JSON lines. A line that is none, or that says something unknown, is for people only.

use serde_json::Value;
use tt_plan::{
    MigrationOrder, SchemaChange, SchemaRange,
    database::{Amcheck, AppliedMigration, Examination, TableCount},
};

/// An environment's own command for migrations with the flags of an order. Most environments ask for JSON already, and no flag is taken twice.
pub(crate) fn migrate(command: &[String], order: &MigrationOrder) -> Vec<String> {
    let mut words = command.to_vec();
    if !words
        .iter()
        .any(|word| word == "--output" || word.starts_with("--output="))
    {
        words.extend(["--output", "json"].map(ToOwned::to_owned));
    }
    words.extend(flags(order));
    words
}

fn flags(order: &MigrationOrder) -> Vec<String> {
    let mut flags: Vec<String> = Vec::new();
    let mut add = |flag: &str| flags.push(flag.to_owned());
    match order {
        MigrationOrder::Status => add("--status"),
        MigrationOrder::Check => add("--check"),
        MigrationOrder::Resume => add("--resume"),
        MigrationOrder::Plan { phase } | MigrationOrder::Up { phase } => {
            if matches!(order, MigrationOrder::Plan { .. }) {
                add("--plan");
            }
            if let Some(phase) = phase {
                add("--phase");
                add(phase.name());
            }
        }
        MigrationOrder::PlanDown { to } => {
            add("--plan");
            add("--to");
            add(&to.to_string());
        }
        MigrationOrder::Down { to, accept } => {
            add("--to");
            add(&to.to_string());
            for loss in accept {
                add("--accept-data-loss");
                add(loss.as_str());
            }
        }
    }
    flags
}

/// The schemas that the release works with, if its migrations have said so.
pub(crate) fn range(lines: &[String]) -> Option<SchemaRange> {
    let said = events(lines, "status").last()?;
    Some(SchemaRange {
        needs: said["release"]["needs"].as_i64()?,
        knows: said["release"]["knows"].as_i64()?,
    })
}

/// The contract migrations that were begun, with what they break. One that was begun may have taken effect, whatever was heard of it
/// afterwards.
pub(crate) fn removed(lines: &[String]) -> Vec<SchemaChange> {
    events(lines, "started")
        .filter_map(|said| {
            let step = &said["step"];
            Some(SchemaChange::Removed {
                version: step["version"].as_i64()?,
                name: step["name"].as_str()?.to_owned(),
                breaks_below: step["breaks_below"].as_i64()?,
            })
        })
        .collect()
}

/// A look into a database, put together from the lines of `examine`; nothing unless its last line came.
pub fn examination(lines: &[String]) -> Option<Examination> {
    let head = events(lines, "examined").last()?;
    let texts = |event: &'static str| {
        events(lines, event)
            .filter_map(|said| said["name"].as_str().map(ToOwned::to_owned))
            .collect()
    };
    Some(Examination {
        server: head["server"].as_str()?.to_owned(),
        bytes: head["bytes"].as_u64()?,
        migrations: migrations(lines, "migration"),
        known: migrations(lines, "known-migration"),
        tables: events(lines, "table")
            .filter_map(|said| serde_json::from_value::<TableCount>(said).ok())
            .collect(),
        unvalidated: texts("unvalidated-constraint"),
        invalid_indexes: texts("invalid-index"),
        amcheck: serde_json::from_value::<Amcheck>(head["pages"].clone()).ok()?,
    })
}

fn migrations(lines: &[String], event: &'static str) -> Vec<AppliedMigration> {
    events(lines, event)
        .filter_map(|said| serde_json::from_value(said).ok())
        .collect()
}

fn events(lines: &[String], event: &'static str) -> impl Iterator<Item = Value> {
    lines
        .iter()
        .filter(|line| line.starts_with('{'))
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(move |said| said["event"] == event)
}

#[cfg(test)]
mod tests {
    use tt_plan::Phase;

    use super::*;

    #[test]
    fn each_order_has_its_flags() {
        let table = [
            (MigrationOrder::Status, "--status"),
            (MigrationOrder::Check, "--check"),
            (MigrationOrder::Resume, "--resume"),
            (MigrationOrder::Up { phase: None }, ""),
            (
                MigrationOrder::Up {
                    phase: Some(Phase::Contract),
                },
                "--phase contract",
            ),
            (MigrationOrder::Plan { phase: None }, "--plan"),
            (MigrationOrder::PlanDown { to: 3 }, "--plan --to 3"),
            (
                MigrationOrder::Down {
                    to: 3,
                    accept: vec!["tasks.note:12".parse().unwrap(), "tags.name:1".parse().unwrap()],
                },
                "--to 3 --accept-data-loss tasks.note:12 --accept-data-loss tags.name:1",
            ),
        ];
        for (order, expected) in table {
            assert_eq!(flags(&order).join(" "), expected, "{order:?}");
        }
    }

    #[test]
    fn json_is_asked_for_once() {
        for command in ["migrate", "migrate --output json", "migrate --output=json"] {
            let command: Vec<String> = command.split(' ').map(ToOwned::to_owned).collect();
            let words = migrate(&command, &MigrationOrder::Check).join(" ");
            assert_eq!(words.matches("--output").count(), 1, "{words}");
            assert!(words.ends_with(" --check"), "{words}");
        }
    }

    #[test]
    fn what_migrations_say_is_remembered() {
        let lines: Vec<String> = [
            r#"{"v":1,"event":"status","release":{"needs":2,"knows":4},"version":3,"floor":0}"#,
            r#"{"v":1,"event":"started","step":{"version":3,"name":"add","phase":"expand","breaks_below":null}}"#,
            r#"{"v":1,"event":"started","step":{"version":4,"name":"drop","phase":"contract","breaks_below":2}}"#,
            "{ not json",
        ]
        .map(ToOwned::to_owned)
        .into();
        assert_eq!(range(&lines), Some(SchemaRange { needs: 2, knows: 4 }));
        assert_eq!(
            removed(&lines),
            [SchemaChange::Removed {
                version: 4,
                name: "drop".to_owned(),
                breaks_below: 2
            }]
        );
        assert_eq!(range(&lines[1..]), None);
    }

    #[test]
    fn an_examination_counts_only_when_it_came_to_its_end() {
        let lines: Vec<String> = [
            "starting",
            r#"{"event":"migration","version":1,"name":"first","checksum":"aa"}"#,
            r#"{"event":"known-migration","version":1,"name":"first","checksum":"bb"}"#,
            r#"{"event":"table","table":"public.tasks","rows":3}"#,
            r#"{"event":"unvalidated-constraint","name":"public.tasks.c"}"#,
            r#"{"event":"examined","server":"16.4","bytes":10,"pages":{"amcheck":"sound","tables":1,"indexes":2}}"#,
        ]
        .map(ToOwned::to_owned)
        .into();
        let found = examination(&lines).unwrap();
        assert_eq!(found.migrations.len(), 1);
        assert_eq!(found.tables[0].rows, 3);
        assert_eq!(found.unvalidated, ["public.tasks.c"]);
        assert_eq!(found.known[0].checksum, "bb");
        assert_eq!(examination(&lines[..5]), None);
    }
}
