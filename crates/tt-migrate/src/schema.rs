//! Which schemas a release works on. Plain values.
//!
//! A release needs everything that its own expanding migrations add, and it breaks once a contract step has taken away
//! what it still uses. The step itself says whom it breaks (`breaks-below`), and the journal in the database keeps that, so
//! an old release can tell on a schema far newer than itself.

use serde::{Deserialize, Serialize};

use crate::phase::Version;

/// The range of schemas one release works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// The last expanding migration it carries: all of these must be applied.
    pub needs: Version,
    /// The last migration it carries: a contract step that breaks releases below a higher version breaks it.
    pub knows: Version,
}

impl Schema {
    /// Whether a contract step with this `breaks-below` leaves the release working.
    pub fn survives(self, breaks_below: Version) -> bool {
        self.knows >= breaks_below
    }
}
