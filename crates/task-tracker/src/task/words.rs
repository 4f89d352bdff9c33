//! Full-text search: which words a task has, and what a search asks of them.
//!
//! The index `tasks_words` is over exactly this expression; PostgreSQL uses it only for a statement that has the same one.
//! The project is one of the words, so that a search in one project does not read what all others have of a word.

use serde::{Deserialize, Serialize};

/// What to search for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub(super) struct Words(String);

impl Words {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Words {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.chars().count() > 200 || text.contains('\0') {
            Err("a search has at most 200 characters, and no NUL")
        } else {
            Ok(Self(text))
        }
    }
}

/// The predicate that a task of this project has these words. A search without any word finds nothing.
macro_rules! found {
    ($project:literal, $words:literal) => {
        concat!(
            "(array_to_tsvector(array['in ' || tasks.project_id::text])
               || to_tsvector('simple', tasks.title || ' ' || tasks.description))
             @@ (websearch_to_tsquery('simple', ",
            $words,
            ") && ('''in ' || ",
            $project,
            "::text || '''')::tsquery)
             and numnode(websearch_to_tsquery('simple', ",
            $words,
            ")) > 0"
        )
    };
}
pub(super) use found;
