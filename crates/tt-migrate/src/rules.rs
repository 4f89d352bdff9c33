//! Our own checks of a file, for what squawk does not see: statements that touch every row, locks taken by name, the same
//! in blocks and in routines that the file calls, and whatever cannot be read before it runs.
//!
//! Needs no parser beyond this crate's, so the service's image has it too. Findings are advice until somebody refuses on
//! them: `tt-ops db-lint` does, a run does not, because what is applied elsewhere already must stay applicable.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    phase::Phase,
    reach,
    relation::Relation,
    script::{Script, Way},
    statement::{Act, Statement, Work},
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

/// What this crate's own rules find in a script, given those that run before it.
pub(crate) fn check<'s>(script: &'s Script, phase: Phase, earlier: impl Iterator<Item = &'s Script>) -> Vec<Finding> {
    let creates = script.creates();
    let reach = reach::reach(script, earlier);
    let finding = |line, rule: &str, message, help: &str| Finding {
        file: script.file.clone(),
        line,
        rule: rule.to_owned(),
        message,
        help: Some(help.to_owned()),
    };
    let mut findings = Vec::new();
    for reached in &reach.statements {
        let place = reach::place(reached.within);
        let found = by_act(script, reached.statement, phase, &creates)
            .into_iter()
            .chain(blocking(reached.statement, &creates));
        findings
            .extend(found.map(|(rule, message, help)| finding(reached.line, rule, format!("{message}{place}"), help)));
    }
    findings.extend(
        reach
            .unseen
            .into_iter()
            .map(|unseen| finding(unseen.line, "dynamic-sql", unseen.what, WRITE_IT_OUT)),
    );
    findings.retain(|finding| !script.waives(&finding.rule));
    findings.sort_by_key(|finding| finding.line);
    findings
}

const WRITE_IT_OUT: &str = "write the statements out, between dollar quotes, or add `-- tt-waive: dynamic-sql` with the reason why that is not possible";

type Found = (&'static str, String, &'static str);

#[expect(clippy::wildcard_enum_match_arm, reason = "the rules are about these acts only")]
fn by_act(script: &Script, statement: &Statement, phase: Phase, creates: &[&Relation]) -> Option<Found> {
    match &statement.act {
        Act::Update(write) | Act::Delete(write)
            if write.condition.is_none()
                && !creates.contains(&&write.table)
                && !matches!(script.way, Way::Batches { .. }) =>
        {
            Some((
                "whole-table-write",
                format!("this locks every row of {} until the file is done", write.table),
                "move it into a file with phase=backfill, which is run in batches",
            ))
        }
        Act::Truncate(_) if phase != Phase::Contract => Some((
            "truncate",
            "this empties a table that the running release uses".to_owned(),
            "move it into a contract migration",
        )),
        Act::Lock(_) => Some((
            "lock-table",
            "this locks users out for as long as the file takes".to_owned(),
            "remove it: each statement takes the lock it needs",
        )),
        Act::DropMany => Some((
            "drop-many",
            "this drops whatever is in it, which nobody can count".to_owned(),
            "drop the objects one by one",
        )),
        _ => None,
    }
}

fn blocking(statement: &Statement, creates: &[&Relation]) -> Option<Found> {
    // What stands in a block is judged by itself.
    if matches!(statement.act, Act::Do(_)) {
        return None;
    }
    let effect = statement.effects().into_iter().find(|effect| {
        effect.mode.blocks_writes() && effect.work > Work::Catalog && !creates.contains(&&effect.relation)
    })?;
    let keeps = if effect.mode.blocks_reads() {
        "readers and writers"
    } else {
        "writers"
    };
    let work = match effect.work {
        Work::Rewrite => "writes all",
        Work::Scan | Work::Catalog => "reads all",
    };
    Some((
        "blocking-work",
        format!("this {work} of {} while {keeps} wait", effect.relation),
        "see \"Forms that keep nobody waiting\" in docs/database.md",
    ))
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
