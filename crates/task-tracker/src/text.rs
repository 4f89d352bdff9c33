//! Texts as clients may write them: bounded, and free of what PostgreSQL cannot store.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One line that names something: 1 to 200 characters, no control characters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(
    min_length = 1,
    max_length = 200,
    pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
)]
pub(crate) struct Name(String);

/// Several lines: up to 10,000 characters, no NUL (PostgreSQL's text cannot hold one).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(max_length = 10_000, pattern = r"^[^\x00]*$")]
pub(crate) struct Prose(String);

/// Prose that says something.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(try_from = "Prose", into = "String")]
#[schema(value_type = String, min_length = 1, max_length = 10_000, pattern = r"^[^\x00]*[^\s\x00][^\x00]*$")]
pub(crate) struct Words(Prose);

impl TryFrom<Prose> for Words {
    type Error = &'static str;

    fn try_from(prose: Prose) -> Result<Self, Self::Error> {
        if prose.0.trim().is_empty() {
            Err("a comment must not be blank")
        } else {
            Ok(Self(prose))
        }
    }
}

impl From<Words> for String {
    fn from(words: Words) -> Self {
        words.0.0
    }
}

/// An e-mail address, kept in lower case: one account per address however it is typed.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, format = Email, min_length = 3, max_length = 254)]
pub(crate) struct Email(String);

impl Email {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Something before an `@` and something after it: only a mail that arrives proves more. PostgreSQL and log files are
/// spared what is not visible.
impl TryFrom<String> for Email {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let text = text.to_lowercase();
        let whole = text.chars().count() <= 254 && !text.chars().any(|c| c.is_control() || c.is_whitespace());
        match text.rsplit_once('@') {
            Some((local, domain)) if whole && !local.is_empty() && !domain.is_empty() => Ok(Self(text)),
            _ => Err("an e-mail address looks like ann@example.com and has at most 254 characters"),
        }
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

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
    fn an_email_address_has_two_sides_and_one_spelling() {
        assert_eq!(
            Email::try_from("Ann@Example.COM".to_owned()).map(|email| email.0),
            Ok("ann@example.com".to_owned())
        );
        for text in ["", "@", "a@", "@b", "a b@c", "a@b\0", &format!("{}@b", "x".repeat(253))] {
            assert!(Email::try_from(text.to_owned()).is_err(), "{text:?}");
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
