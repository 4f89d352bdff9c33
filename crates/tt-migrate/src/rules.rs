//! Our own checks of a file, for what squawk does not see: statements that touch every row, and locks taken by name.
//!
//! Needs no parser beyond this crate's, so the service's image has it too. Findings are advice until somebody refuses on
//! them: `tt-ops db-lint` does, a run does not, because what is applied elsewhere already must stay applicable.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    phase::Phase,
    script::{Script, Way},
    statement::{Act, Work},
};

/// Something that a file should not do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The file.
    pub file: String,
    /// The line.
    pub line: usize,
    /// The rule's name, which a waiver names too.
    pub rule: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}:{}: {} [{}]",
            self.file, self.line, self.message, self.rule
        )
    }
}

/// What this crate's own rules find in a script.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rules are about these acts only")]
pub(crate) fn check(script: &Script, phase: Phase) -> Vec<Finding> {
    let creates = script.creates();
    let mut findings = Vec::new();
    for statement in &script.statements {
        let mut find = |rule: &str, message: String, help: &str| {
            findings.push(Finding {
                file: script.file.clone(),
                line: statement.line,
                rule: rule.to_owned(),
                message,
                help: Some(help.to_owned()),
            });
        };
        match &statement.act {
            Act::Update(write) | Act::Delete(write)
                if write.condition.is_none()
                    && !creates.contains(&&write.table)
                    && !matches!(script.way, Way::Batches { .. }) =>
            {
                find(
                    "whole-table-write",
                    format!("this locks every row of {} until the file is done", write.table),
                    "move it into a file with phase=backfill, which is run in batches",
                );
            }
            Act::Truncate(_) if phase != Phase::Contract => find(
                "truncate",
                "this empties a table that the running release uses".to_owned(),
                "move it into a contract migration",
            ),
            Act::Lock(_) => find(
                "lock-table",
                "this locks users out for as long as the file takes".to_owned(),
                "remove it: each statement takes the lock it needs",
            ),
            Act::DropMany => find(
                "drop-many",
                "this drops whatever is in it, which nobody can count".to_owned(),
                "drop the objects one by one",
            ),
            _ => {}
        }
        let blocking = statement.effects().into_iter().find(|effect| {
            effect.mode.blocks_writes() && effect.work > Work::Catalog && !creates.contains(&&effect.relation)
        });
        if let Some(effect) = blocking {
            let keeps = if effect.mode.blocks_reads() {
                "readers and writers"
            } else {
                "writers"
            };
            let work = match effect.work {
                Work::Rewrite => "writes all",
                Work::Scan | Work::Catalog => "reads all",
            };
            find(
                "blocking-work",
                format!("this {work} of {} while {keeps} wait", effect.relation),
                "see \"Forms that keep nobody waiting\" in docs/database.md",
            );
        }
    }
    findings.retain(|finding| !script.waives(&finding.rule));
    findings
}
