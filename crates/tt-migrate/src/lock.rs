//! PostgreSQL's table locks: which there are, which exclude which, and what users feel of each.
//!
//! Source: PostgreSQL manual, "Explicit Locking", table-level lock modes. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A table-level lock, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockMode {
    /// A reading query.
    AccessShare,
    /// `select … for update`.
    RowShare,
    /// A writing query.
    RowExclusive,
    /// `vacuum`, `create index concurrently`, `validate constraint`.
    ShareUpdateExclusive,
    /// `create index`.
    Share,
    /// `create trigger`, `add foreign key`.
    ShareRowExclusive,
    /// `refresh materialized view concurrently`.
    Exclusive,
    /// Most of `alter table`, `drop table`, `truncate`.
    AccessExclusive,
}

impl LockMode {
    const ALL: [Self; 8] = [
        Self::AccessShare,
        Self::RowShare,
        Self::RowExclusive,
        Self::ShareUpdateExclusive,
        Self::Share,
        Self::ShareRowExclusive,
        Self::Exclusive,
        Self::AccessExclusive,
    ];

    /// Whether two transactions cannot hold these on one table at the same time.
    pub fn excludes(self, other: Self) -> bool {
        let (weaker, stronger) = if self <= other { (self, other) } else { (other, self) };
        match weaker {
            Self::AccessShare => stronger == Self::AccessExclusive,
            Self::RowShare => stronger >= Self::Exclusive,
            Self::RowExclusive => stronger >= Self::Share,
            // Two builders of indexes may work side by side.
            Self::Share => stronger != Self::Share,
            Self::ShareUpdateExclusive | Self::ShareRowExclusive | Self::Exclusive | Self::AccessExclusive => true,
        }
    }

    /// Whether readers wait for it.
    pub fn blocks_reads(self) -> bool {
        self.excludes(Self::AccessShare)
    }

    /// Whether writers wait for it.
    pub fn blocks_writes(self) -> bool {
        self.excludes(Self::RowExclusive)
    }

    /// As `pg_locks` spells those that keep this one from being had.
    pub(crate) fn excluded(self) -> Vec<String> {
        Self::ALL
            .into_iter()
            .filter(|other| self.excludes(*other))
            .map(|other| format!("{}Lock", other.spelled().replace(' ', "")))
            .collect()
    }

    fn spelled(self) -> &'static str {
        match self {
            Self::AccessShare => "Access Share",
            Self::RowShare => "Row Share",
            Self::RowExclusive => "Row Exclusive",
            Self::ShareUpdateExclusive => "Share Update Exclusive",
            Self::Share => "Share",
            Self::ShareRowExclusive => "Share Row Exclusive",
            Self::Exclusive => "Exclusive",
            Self::AccessExclusive => "Access Exclusive",
        }
    }
}

impl fmt::Display for LockMode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.spelled().to_uppercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_modes_exclude_each_other_as_the_manual_says() {
        // One row a mode, an X where the two conflict; columns in the manual's order.
        let table = [
            ".......X", "......XX", "....XXXX", "...XXXXX", "..XX.XXX", "..XXXXXX", ".XXXXXXX", "XXXXXXXX",
        ];
        for (row, mode) in table.iter().zip(LockMode::ALL) {
            let found: String = LockMode::ALL
                .iter()
                .map(|other| if mode.excludes(*other) { 'X' } else { '.' })
                .collect();
            assert_eq!(&found, row, "{mode}");
        }
    }

    #[test]
    fn names_are_those_of_pg_locks() {
        assert_eq!(LockMode::AccessShare.excluded(), ["AccessExclusiveLock"]);
    }
}
