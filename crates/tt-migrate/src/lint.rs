//! The checks that refuse a file before it is ever released: squawk's, and ours for what it does not see.
//!
//! Behind the feature `lint`: squawk's parser takes longer to build than the rest of this crate. A finding is let off only by
//! a `-- tt-waive:` with a reason; squawk's own `squawk-ignore`, which needs none, counts as a finding itself.

use squawk_linter::{Linter, LinterSettings, Rule};
use squawk_syntax::SourceFile;

use crate::{
    alter::{Change, Constraint},
    load::{Migration, Migrations},
    phase::{Phase, Version},
    relation::Relation,
    rules::{self, Finding},
    script::{Script, Way},
    statement::{Act, Statement},
    words::{cut, line},
};

/// Not ours to ask for: the session sets timeouts, what `if not exists` would skip the engine reconciles, and a `smallint` is
/// chosen for what cannot grow.
const EXCLUDED: [Rule; 4] = [
    Rule::PreferBigintOverSmallint,
    Rule::RequireLockTimeout,
    Rule::RequireStatementTimeout,
    Rule::PreferRobustStmts,
];

/// What the running release would notice, and squawk leaves out unless asked.
const OPTED_IN: [Rule; 4] = [
    Rule::BanAddEnumValue,
    Rule::BanDropIndex,
    Rule::BanNewWriteRestriction,
    Rule::BanReplaceViewFunction,
];

/// What a contraction, or a way back, is for.
const PURPOSE_OF_TAKING_AWAY: [Rule; 16] = [
    Rule::BanDropColumn,
    Rule::BanDropTable,
    Rule::BanDropNotNull,
    Rule::BanDropView,
    Rule::BanDropFunction,
    Rule::BanDropType,
    Rule::BanDropDefault,
    Rule::BanDropTrigger,
    Rule::BanDropSchema,
    Rule::BanDropSequence,
    Rule::BanDropDomain,
    Rule::BanDropConstraint,
    Rule::BanDropGeneratedExpression,
    Rule::BanDropIndex,
    Rule::BanDropPolicy,
    Rule::BanNewWriteRestriction,
];

/// Everything that is to be refused in a folder of migrations, in its order.
pub fn lint(migrations: &Migrations) -> Vec<Finding> {
    let mut findings = Vec::new();
    for migration in migrations.iter() {
        findings.extend(script(migrations, migration, &migration.up, migration.phase));
        // A way back takes away what the way up added: it is judged as a contraction.
        findings.extend(script(migrations, migration, &migration.down, Phase::Contract));
    }
    findings
}

fn script(migrations: &Migrations, migration: &Migration, script: &Script, phase: Phase) -> Vec<Finding> {
    // A way back may call what its own way up brought.
    let way_up = Some(&migration.up).filter(|up| up.file != script.file);
    let earlier = migrations.before(migration.version).chain(way_up);
    let mut findings = rules::check(script, phase, earlier);
    findings.extend(by_squawk(script, phase));
    findings.extend(unreasoned(script));
    findings
        .retain(|finding| !script.waives(&finding.rule) && !is_proven(migrations, migration.version, script, finding));
    findings.sort_by_key(|finding| finding.line);
    findings
}

fn by_squawk(script: &Script, phase: Phase) -> Vec<Finding> {
    let parsed = SourceFile::parse(&script.text);
    let finding = |at: usize, rule: String, message: String, help: Option<String>| Finding {
        file: script.file.clone(),
        line: line(&script.text, at),
        rule,
        message,
        help,
    };
    let mut findings: Vec<Finding> = parsed
        .errors()
        .iter()
        .map(|error| {
            finding(
                error.range().start().into(),
                "syntax".to_owned(),
                error.message().to_owned(),
                None,
            )
        })
        .collect();
    let mut excluded = EXCLUDED.to_vec();
    match phase {
        Phase::Expand | Phase::Backfill => {}
        Phase::Contract => excluded.extend(PURPOSE_OF_TAKING_AWAY),
    }
    let mut linter = Linter::with_rules(&OPTED_IN, &excluded);
    linter.settings = LinterSettings {
        assume_in_transaction: !matches!(script.way, Way::Alone(_)),
        ..LinterSettings::default()
    };
    findings.extend(linter.lint(&parsed, &script.text).into_iter().map(|violation| {
        finding(
            violation.text_range.start().into(),
            violation.code.to_string(),
            violation.message,
            violation.help,
        )
    }));
    findings
}

/// Squawk's own way of letting off says no reason.
fn unreasoned(script: &Script) -> Vec<Finding> {
    cut(&script.text)
        .comments
        .iter()
        .filter(|comment| comment.text.trim().starts_with("squawk-ignore"))
        .map(|comment| Finding {
            file: script.file.clone(),
            line: line(&script.text, comment.start),
            rule: "squawk-ignore".to_owned(),
            message: "this lets a finding pass without a reason".to_owned(),
            help: Some("write `-- tt-waive: RULE` with the reason".to_owned()),
        })
        .collect()
}

/// `set not null` reads nothing when a valid `check (column is not null)` is there, which earlier files may have brought.
fn is_proven(migrations: &Migrations, version: Version, script: &Script, finding: &Finding) -> bool {
    if !["blocking-work", "adding-not-nullable-field"].contains(&finding.rule.as_str()) {
        return false;
    }
    let statement = script
        .statements
        .iter()
        .rfind(|statement| statement.line <= finding.line);
    let Some(Statement {
        act: Act::AlterTable { table, changes },
        ..
    }) = statement
    else {
        return false;
    };
    changes.iter().all(|change| {
        let Change::SetNotNull(column) = change else {
            return false;
        };
        has_valid_check(migrations, version, table, column)
    })
}

fn has_valid_check(migrations: &Migrations, before: Version, table: &Relation, column: &str) -> bool {
    let earlier = || {
        migrations
            .iter()
            .filter(|migration| migration.version < before)
            .flat_map(|migration| &migration.up.statements)
            .filter_map(|statement| {
                let Act::AlterTable { table: of, changes } = &statement.act else {
                    return None;
                };
                (of == table).then_some(changes)
            })
            .flatten()
    };
    let named = earlier().find_map(|change| {
        let Change::AddConstraint {
            name,
            constraint: Constraint::Check { proves, .. },
        } = change
        else {
            return None;
        };
        (proves.as_deref() == Some(column)).then_some(name.as_ref()?)
    });
    named.is_some_and(|name| earlier().any(|change| matches!(change, Change::Validate(validated) if validated == name)))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::load::{File, load};

    /// Lints the last of these ways up; each has an empty way back.
    fn check(ups: &[&str], expected: &Expect) {
        let files = ups.iter().enumerate().flat_map(|(at, up)| {
            let version = at + 1;
            [
                File::new(format!("{version:04}_x.up.sql"), *up),
                File::new(format!("{version:04}_x.down.sql"), "-- tt: phase=expand\n"),
            ]
        });
        let last = format!("{:04}_x.up.sql", ups.len());
        let findings: Vec<String> = lint(&load(files).unwrap())
            .iter()
            .filter(|finding| finding.file == last)
            .map(|finding| format!("{} {}", finding.line, finding.rule))
            .collect();
        expected.assert_eq(&findings.join("; "));
    }

    #[test]
    fn what_stops_users_is_found() {
        check(
            &["-- tt: phase=expand\nalter table t add a uuid default gen_random_uuid()"],
            &expect!["2 blocking-work; 2 adding-field-with-default"],
        );
        check(
            &["-- tt: phase=expand\ncreate index i on t (a)"],
            &expect!["2 blocking-work; 2 require-concurrent-index-creation"],
        );
        check(
            &["-- tt: phase=expand\nalter table t add constraint c check (a > 0)"],
            &expect!["2 blocking-work; 2 constraint-missing-not-valid; 2 ban-new-write-restriction"],
        );
        check(
            &["-- tt: phase=expand\nalter table t add constraint c foreign key (a) references u (id)"],
            &expect![
                "2 blocking-work; 2 constraint-missing-not-valid; 2 ban-new-write-restriction; 2 adding-foreign-key-constraint"
            ],
        );
        check(
            &["-- tt: phase=expand\nalter table t alter a set not null"],
            &expect!["2 blocking-work; 2 adding-not-nullable-field; 2 ban-new-write-restriction"],
        );
        check(
            &["-- tt: phase=expand\nalter table t add constraint c unique (a)"],
            &expect![
                "2 blocking-work; 2 constraint-missing-not-valid; 2 ban-new-write-restriction; 2 disallowed-unique-constraint"
            ],
        );
        check(
            &["-- tt: phase=expand\nalter table t alter a type bigint"],
            &expect!["2 blocking-work; 2 changing-column-type"],
        );
    }

    #[test]
    fn what_the_running_release_would_notice_is_for_the_contraction() {
        check(
            &["-- tt: phase=expand\nalter table t drop column a"],
            &expect!["2 ban-drop-column"],
        );
        check(
            &["-- tt: phase=contract breaks-below=1\nalter table t drop column a"],
            &expect![[""]],
        );
        check(&["-- tt: phase=expand\ndrop table t"], &expect!["2 ban-drop-table"]);
        check(&["-- tt: phase=contract breaks-below=1\ndrop table t"], &expect![[""]]);
        check(
            &["-- tt: phase=contract breaks-below=1\nalter table t rename a to b"],
            &expect!["2 renaming-column"],
        );
    }

    #[test]
    fn our_own_rules_cover_what_squawk_does_not_see() {
        check(
            &["-- tt: phase=expand\nupdate t set a = 1"],
            &expect!["2 whole-table-write"],
        );
        check(&["-- tt: phase=expand\ndelete from t"], &expect!["2 whole-table-write"]);
        check(&["-- tt: phase=backfill\nupdate t set a = 1"], &expect![[""]]);
        check(&["-- tt: phase=expand\nlock table t"], &expect!["2 lock-table"]);
        check(
            &["-- tt: phase=expand\n-- squawk-ignore ban-drop-table\ndrop table t"],
            &expect!["2 squawk-ignore"],
        );
        check(
            &["-- tt: phase=expand\n-- tt-waive: whole-table-write it has nine rows\nupdate t set a = 1"],
            &expect![[""]],
        );
        check(
            &["-- tt: phase=expand\nselect from where"],
            &expect!["2 syntax; 2 syntax"],
        );
    }

    #[test]
    fn the_safe_forms_pass() {
        check(
            &["-- no-transaction\n-- tt: phase=expand\ncreate index concurrently i on t (a)"],
            &expect![[""]],
        );
        check(&["-- tt: phase=expand\nalter table t add a text"], &expect![[""]]);
        check(
            &["-- tt: phase=contract breaks-below=1\nalter table t add constraint c check (a is not null) not valid"],
            &expect![[""]],
        );
        check(
            &[
                "-- tt: phase=contract breaks-below=1\nalter table t add constraint c check (a is not null) not valid",
                "-- tt: phase=contract breaks-below=1\nalter table t validate constraint c",
                "-- tt: phase=contract breaks-below=1\nalter table t alter a set not null",
            ],
            &expect![[""]],
        );
        check(
            &["-- tt: phase=expand\ncreate table t (id uuid primary key);\ncreate index i on t (id)"],
            &expect![[""]],
        );
    }
}
