//! What taking migrations back would undo and lose: facts for people and for programs.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    load::Migration,
    loss::Loss,
    phase::{Phase, Version},
    plan::beginning,
};

/// What a way back would undo and lose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undoing {
    /// Step by step, newest first.
    pub steps: Vec<Undone>,
    /// What would be lost, counted now; a run counts again under its locks.
    pub losses: Vec<Loss>,
}

/// One migration that would be undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undone {
    /// Its number.
    pub version: Version,
    /// Its name.
    pub name: String,
    /// Its phase.
    pub phase: Phase,
    /// What undoes it: the beginning of each statement, on one line.
    pub statements: Vec<String>,
}

impl Undone {
    pub(crate) fn of(migration: &Migration) -> Self {
        Self {
            version: migration.version,
            name: migration.name.clone(),
            phase: migration.phase,
            statements: migration.down.statements.iter().map(beginning).collect(),
        }
    }
}

impl fmt::Display for Undoing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() {
            return formatter.write_str("nothing would be undone");
        }
        formatter.write_str("this would be undone, newest first")?;
        for step in &self.steps {
            write!(formatter, "\n  {} {} ({})", step.version, step.name, step.phase)?;
            for statement in &step.statements {
                write!(formatter, "\n    {statement}")?;
            }
        }
        if self.losses.is_empty() {
            return formatter.write_str("\n  no data would be lost");
        }
        for loss in &self.losses {
            write!(formatter, "\n  lost: {loss}")?;
        }
        formatter.write_str("\n  to accept that, add")?;
        for loss in &self.losses {
            write!(formatter, " --accept-data-loss={}:{}", loss.what, loss.rows)?;
        }
        Ok(())
    }
}
