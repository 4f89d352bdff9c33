//! Reports about logical exports: how far one is, what came of it, which there are.

use std::time::Duration;

use console::style;
use serde_json::{Value, json};
use time::OffsetDateTime;
use tt_aws::{ExportId, ExportState, ListedExport};
use tt_environment::Environment;
use tt_export::{DatabaseName, Event, Exported, Manifest, Restored, Standing, Survey, Target, Verified};

use super::{Loudness, Reporter, Sink, json::line, json::stamp, locked, print_line, words};

/// A log says how far it is after so many percent.
const AGAIN: u64 = 10;

/// What is being moved, and how far it is.
#[derive(Debug)]
pub(crate) struct Moving {
    kind: Kind,
    title: String,
    bytes: u64,
    done: u64,
    /// The last percentage that a log was told.
    said: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Export,
    Verify,
    Import,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Export => "export",
            Self::Verify => "verify",
            Self::Import => "import",
        }
    }
}

impl Moving {
    pub(crate) fn export(id: &ExportId, address: &str) -> Self {
        Self::new(Kind::Export, format!("export {id} to {address}"), 0)
    }

    pub(crate) fn verification(id: &ExportId) -> Self {
        Self::new(Kind::Verify, format!("verify every part of {id}"), 0)
    }

    pub(crate) fn import(id: &ExportId, name: &DatabaseName, verified: &Verified) -> Self {
        let bytes = verified.manifest().parts().map(|part| part.bytes).sum();
        Self::new(Kind::Import, format!("restore {id} as database {name}"), bytes)
    }

    fn new(kind: Kind, title: String, bytes: u64) -> Self {
        Self {
            kind,
            title,
            bytes,
            done: 0,
            said: 0,
        }
    }

    fn hear(&mut self, event: &Event) {
        match event {
            Event::Sized { bytes, .. } => self.bytes = *bytes,
            Event::Verified { bytes } | Event::Moved { bytes, .. } => self.done += bytes,
            Event::Indexing => {}
        }
    }

    fn percent(&self) -> u64 {
        (self.done * 100).checked_div(self.bytes).unwrap_or(100).min(100)
    }

    fn far(&self) -> String {
        format!("{} % of {}", self.percent(), bytes(self.bytes))
    }
}

impl Reporter {
    pub(crate) fn moving_begins(&self, moving: &Moving) {
        match &self.sink {
            Sink::Json => line("moving", json!({ "what": moving.kind.name() })),
            Sink::Bars(_) | Sink::Lines(_) if self.loudness == Loudness::Quiet => {}
            Sink::Bars(bars) => locked(bars).begin(moving.title.clone()),
            Sink::Lines(_) => print_line(&moving.title),
        }
    }

    pub(crate) fn moving(&self, moving: &mut Moving, event: &Event) {
        moving.hear(event);
        match &self.sink {
            Sink::Json => line("moved", moved(moving, event)),
            Sink::Bars(_) | Sink::Lines(_) if self.loudness == Loudness::Quiet => {}
            Sink::Bars(bars) => locked(bars).far(far(moving, event)),
            Sink::Lines(_) => {
                let news = match event {
                    Event::Sized { .. } | Event::Indexing => true,
                    Event::Verified { .. } | Event::Moved { .. } => moving.percent() >= moving.said + AGAIN,
                };
                if news || self.loudness == Loudness::Verbose {
                    moving.said = moving.percent();
                    print_line(&format!("      {}", far(moving, event)));
                }
            }
        }
    }

    pub(crate) fn moving_ended(&self, moving: &Moving, took: Duration) {
        match &self.sink {
            Sink::Json | Sink::Lines(_) => {}
            Sink::Bars(_) if self.loudness == Loudness::Quiet => {}
            Sink::Bars(bars) if moving.percent() == 100 => locked(bars).end(took),
            Sink::Bars(bars) => locked(bars).finish(),
        }
    }

    pub(crate) fn exported(
        &self,
        environment: &Environment,
        id: &ExportId,
        address: &str,
        exported: &Exported,
        took: Duration,
    ) {
        let manifest = &exported.manifest;
        match &self.sink {
            Sink::Json => {
                let mut body = contents(manifest);
                body["environment"] = json!(environment.name);
                body["export"] = json!(id.to_string());
                body["address"] = json!(address);
                body["seconds"] = json!(took.as_secs_f64());
                line("exported", body);
            }
            Sink::Bars(_) | Sink::Lines(_) => print_line(&format!(
                "{} {} is exported as {id}: {} in {}.\n  {address}\n  tt-ops restore {} --from-export {id} --as DATABASE",
                style("done:").green().bold(),
                manifest.database,
                summary(manifest),
                words::span(took),
                environment.name,
            )),
        }
    }

    /// What an export would read, and where it would go.
    pub(crate) fn export_planned(&self, environment: &Environment, id: &ExportId, address: &str, survey: &Survey) {
        match &self.sink {
            Sink::Json => line(
                "plan",
                json!({
                    "environment": environment.name, "command": "export", "export": id.to_string(), "address": address,
                    "database": survey.database, "server": survey.server, "tables": survey.tables, "table_bytes": survey.bytes,
                }),
            ),
            Sink::Bars(_) | Sink::Lines(_) => self.say(&format!(
                "{}  export {} as {id}\n  {} tables, {} without their indexes ({})\n  \
                 1. take the name {id} at {address}\n  2. write definitions and rows of one moment, compressed\n  \
                 3. write the manifest with the checksum of every part",
                style(&environment.name).bold(),
                survey.database,
                survey.tables,
                bytes(survey.bytes),
                survey.server,
            )),
        }
    }

    /// Exports that somebody may have forgotten.
    pub(crate) fn exports_unfinished(&self, environment: &Environment, listed: &[ListedExport]) {
        for export in listed.iter().filter(|export| export.state == ExportState::Unfinished) {
            match &self.sink {
                Sink::Json => line("unfinished-export", about(environment, export)),
                Sink::Bars(_) | Sink::Lines(_) => self.say(&format!(
                    "{} export {} was begun{} and never finished, or is still being written; if nobody does: \
                     tt-ops backup {} prune-exports --id {}",
                    style("note:").yellow(),
                    export.id,
                    export.begun.as_ref().map_or_else(String::new, |begun| format!(
                        " {} ago by {}",
                        words::age(begun.at, OffsetDateTime::now_utc()),
                        begun.by
                    )),
                    environment.name,
                    export.id,
                )),
            }
        }
    }

    /// What a restore is about to bring, and what it takes away that an earlier one left.
    pub(crate) fn import_planned(
        &self,
        environment: &Environment,
        id: &ExportId,
        target: &Target,
        standing: &Standing,
        manifest: &Manifest,
    ) {
        let (name, unfinished) = (target.name(), target.unfinished());
        let left_behind = match standing {
            Standing::Free => None,
            Standing::LeftBehind { says } => Some(says),
        };
        match &self.sink {
            Sink::Json => {
                let mut body = contents(manifest);
                body["environment"] = json!(environment.name);
                body["command"] = json!("import");
                body["export"] = json!(id.to_string());
                body["into"] = json!(name.as_str());
                body["left_behind"] = json!(left_behind);
                line("plan", body);
            }
            Sink::Bars(_) | Sink::Lines(_) => self.say(&format!(
                "{}  restore export {id} as database {name}\n  {} of {} as it was at {} ({})\n  \
                 1. verify the checksum of every part\n  2. {}make database {unfinished}\n  \
                 3. restore into it, and count the rows of every table\n  4. call it {name}",
                style(&environment.name).bold(),
                summary(manifest),
                manifest.database,
                manifest.taken,
                manifest.server,
                left_behind.map_or_else(String::new, |says| format!("drop database {unfinished} ({says}); ")),
            )),
        }
    }

    pub(crate) fn imported(
        &self,
        environment: &Environment,
        id: &ExportId,
        name: &DatabaseName,
        restored: &Restored,
        took: Duration,
    ) {
        match &self.sink {
            Sink::Json => line(
                "imported",
                json!({
                    "environment": environment.name, "export": id.to_string(), "database": name.as_str(),
                    "tables": restored.manifest.tables.len(), "rows": restored.rows, "seconds": took.as_secs_f64(),
                }),
            ),
            Sink::Bars(_) | Sink::Lines(_) => print_line(&format!(
                "{} database {name} holds export {id}: {} rows in {} tables, each counted, in {}.",
                style("done:").green().bold(),
                restored.rows,
                restored.manifest.tables.len(),
                words::span(took),
            )),
        }
    }

    pub(crate) fn exports(&self, environment: &Environment, listed: &[ListedExport]) {
        match &self.sink {
            Sink::Json => listed
                .iter()
                .for_each(|export| line("export", about(environment, export))),
            Sink::Bars(_) | Sink::Lines(_) if listed.is_empty() => {
                print_line(&format!("{}  no export", style(&environment.name).bold()));
            }
            Sink::Bars(_) | Sink::Lines(_) => print_line(&table(environment, listed)),
        }
    }

    /// What `prune-exports` would delete.
    pub(crate) fn exports_going(&self, environment: &Environment, going: &[ListedExport]) {
        match &self.sink {
            Sink::Json => line(
                "plan",
                json!({
                    "environment": environment.name, "command": "prune-exports",
                    "exports": going.iter().map(|export| export.id.to_string()).collect::<Vec<_>>(),
                }),
            ),
            Sink::Bars(_) | Sink::Lines(_) if going.is_empty() => self.say("nothing to do"),
            Sink::Bars(_) | Sink::Lines(_) => self.say(&format!("to delete:\n{}", table(environment, going))),
        }
    }

    pub(crate) fn export_gone(&self, environment: &Environment, id: &ExportId) {
        match &self.sink {
            Sink::Json => line(
                "export-deleted",
                json!({ "environment": environment.name, "export": id.to_string() }),
            ),
            Sink::Bars(_) | Sink::Lines(_) => self.say(&format!("deleted export {id}")),
        }
    }
}

fn far(moving: &Moving, event: &Event) -> String {
    match event {
        Event::Sized { tables, bytes: size } => format!("{tables} tables, {}", bytes(*size)),
        Event::Verified { .. } => format!("{} verified", moving.far()),
        Event::Moved { table, .. } => format!(
            "{} {}, last of {table}",
            moving.far(),
            match moving.kind {
                Kind::Export => "read",
                Kind::Verify | Kind::Import => "written",
            }
        ),
        Event::Indexing => "indexes and constraints are being made".to_owned(),
    }
}

fn moved(moving: &Moving, event: &Event) -> Value {
    let (table, stage) = match event {
        Event::Sized { .. } => (None, "sized"),
        Event::Verified { .. } => (None, "verified"),
        Event::Moved { table, .. } => (Some(table), "moved"),
        Event::Indexing => (None, "indexing"),
    };
    json!({
        "what": moving.kind.name(), "stage": stage, "table": table, "bytes": moving.done, "of_bytes": moving.bytes,
    })
}

fn contents(manifest: &Manifest) -> Value {
    json!({
        "database": manifest.database, "server": manifest.server, "taken": manifest.taken, "tables": manifest.tables.len(),
        "rows": rows(manifest), "bytes": size(manifest),
    })
}

fn about(environment: &Environment, export: &ListedExport) -> Value {
    let mut body = match &export.state {
        ExportState::Complete(manifest) => contents(manifest),
        ExportState::Unfinished | ExportState::Damaged { .. } => json!({}),
    };
    body["environment"] = json!(environment.name);
    body["export"] = json!(export.id.to_string());
    body["state"] = json!(match &export.state {
        ExportState::Complete(_) => "complete",
        ExportState::Unfinished => "unfinished",
        ExportState::Damaged { .. } => "damaged",
    });
    body["begun"] = json!(export.begun.as_ref().map(|begun| stamp(begun.at)));
    body["by"] = json!(export.begun.as_ref().map(|begun| &begun.by));
    body
}

fn table(environment: &Environment, listed: &[ListedExport]) -> String {
    let mut text = vec![format!(
        "{}  {:<24} {:>8}  {}",
        style(&environment.name).bold(),
        "export",
        "age",
        "what it holds"
    )];
    for export in listed {
        let age = export.begun.as_ref().map_or_else(
            || "unknown".to_owned(),
            |begun| words::age(begun.at, OffsetDateTime::now_utc()),
        );
        let held = match &export.state {
            ExportState::Complete(manifest) => format!("{}: {}", manifest.database, summary(manifest)),
            ExportState::Unfinished => style("never finished, or still being written").yellow().to_string(),
            ExportState::Damaged { why } => style(format!("damaged: {why}")).red().to_string(),
        };
        text.push(format!("  {:<24} {age:>8}  {held}", export.id.to_string()));
    }
    text.join("\n")
}

fn summary(manifest: &Manifest) -> String {
    format!(
        "{} rows in {} tables, {} compressed",
        rows(manifest),
        manifest.tables.len(),
        bytes(size(manifest))
    )
}

fn rows(manifest: &Manifest) -> u64 {
    manifest.tables.iter().map(|table| table.rows).sum()
}

fn size(manifest: &Manifest) -> u64 {
    manifest.parts().map(|part| part.bytes).sum()
}

/// `812 B`, `3.4 MB`: powers of a thousand, as S3's bill counts them.
#[expect(clippy::cast_precision_loss, reason = "one digit behind the point is shown")]
fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", count as f64 / 1e6),
        _ => format!("{:.1} GB", count as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_units_that_fit() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1_500, "1.5 kB"),
            (2_000_000, "2.0 MB"),
            (1_073_741_824, "1.1 GB"),
        ];
        for (count, words) in cases {
            assert_eq!(bytes(count), words);
        }
    }

    #[test]
    fn an_empty_database_is_all_done_at_once() {
        let mut moving = Moving::new(Kind::Export, String::new(), 0);
        assert_eq!(moving.percent(), 100);
        moving.hear(&Event::Sized { tables: 1, bytes: 200 });
        moving.hear(&Event::Moved {
            table: "public.t".to_owned(),
            bytes: 50,
        });
        assert_eq!(moving.percent(), 25);
    }
}
