//! The name of a table, an index or a view, as PostgreSQL reads it: folded to lower case unless quoted.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A relation's name, with its schema where the SQL gives one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub struct Relation {
    schema: Option<String>,
    name: String,
}

impl Relation {
    pub(crate) fn new(schema: Option<String>, name: String) -> Self {
        Self { schema, name }
    }

    /// The name without its schema.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Quoted, so that it means the same relation in any statement.
    pub fn quoted(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{}.{}", quoted(schema), quoted(&self.name)),
            None => quoted(&self.name),
        }
    }

    /// Another relation in the same schema: an index lives where its table does.
    #[must_use]
    pub(crate) fn beside(&self, name: &str) -> Self {
        Self::new(self.schema.clone(), name.to_owned())
    }
}

/// One identifier in double quotes.
pub(crate) fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

impl fmt::Display for Relation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(formatter, "{schema}.{}", self.name),
            None => formatter.write_str(&self.name),
        }
    }
}

impl From<Relation> for String {
    fn from(relation: Relation) -> Self {
        relation.to_string()
    }
}

impl From<String> for Relation {
    fn from(text: String) -> Self {
        match text.split_once('.') {
            Some((schema, name)) => Self::new(Some(schema.to_owned()), name.to_owned()),
            None => Self::new(None, text),
        }
    }
}
