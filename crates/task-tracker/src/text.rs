//! Texts as clients may write them: bounded, and free of what PostgreSQL cannot store.

use serde::{Deserialize, Serialize};

/// One line that names something: 1 to 200 characters, no control characters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Name(String);

/// Several lines: up to 10,000 characters, no NUL (PostgreSQL's text cannot hold one).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Prose(String);

impl Name {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Prose {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.trim().is_empty() {
            return Err("a name must not be blank");
        }
        if text.chars().count() > 200 {
            return Err("a name has at most 200 characters");
        }
        if text.chars().any(char::is_control) {
            return Err("a name has no control characters");
        }
        Ok(Self(text))
    }
}

impl TryFrom<String> for Prose {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.chars().count() > 10_000 {
            return Err("a description has at most 10,000 characters");
        }
        if text.contains('\0') {
            return Err("a description has no NUL characters");
        }
        Ok(Self(text))
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl From<Prose> for String {
    fn from(prose: Prose) -> Self {
        prose.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_bounded_line() {
        assert!(Name::try_from("x".repeat(200)).is_ok());
        assert!(Name::try_from("ü".repeat(200)).is_ok());
        for text in ["", "  \u{3000}", "a\0b", "a\nb", &"x".repeat(201)] {
            assert!(Name::try_from(text.to_owned()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn prose_may_have_lines_but_no_nul() {
        assert!(Prose::try_from("a\nb\t😀".to_owned()).is_ok());
        assert!(Prose::try_from(String::new()).is_ok());
        for text in ["a\0", &"x".repeat(10_001)] {
            assert!(Prose::try_from(text.to_owned()).is_err());
        }
    }
}
