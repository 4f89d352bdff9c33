//! Names of repositories and references into them (OCI Distribution Specification, "Pulling manifests").

use std::fmt;
use std::str::FromStr;

use super::digest::Digest;

/// A repository, e.g. `team/web`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Repository(String);

/// A manifest of a repository, by tag or by digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reference {
    Tag(String),
    Digest(Digest),
}

/// Text outside of the specification's grammar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadName {
    #[error("`{0}` is not a repository name: lower-case letters and digits, parts joined by '.', '_', '-' and '/'")]
    Repository(String),
    #[error("`{0}` is neither a tag (letters, digits, '_', '.', '-', at most 128) nor a sha256 digest")]
    Reference(String),
}

impl Repository {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// A name for a folder that no other repository has: a name never contains a percent sign.
    pub(super) fn folder(&self) -> String {
        self.0.replace('/', "%2F")
    }

    /// The repository that has this folder.
    pub(super) fn of_folder(folder: &str) -> Option<Self> {
        folder.replace("%2F", "/").parse().ok()
    }
}

impl FromStr for Repository {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() <= 255 && text.split('/').all(is_path_component) {
            return Ok(Self(text.to_owned()));
        }
        Err(BadName::Repository(text.to_owned()))
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_path_component(text: &str) -> bool {
    let letters = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let ends_well = bytes.first().is_some_and(letters) && bytes.last().is_some_and(letters);
    ends_well
        && bytes
            .split(letters)
            .all(|between| matches!(between, b"" | b"." | b"_" | b"__") || between.iter().all(|byte| *byte == b'-'))
}

impl FromStr for Reference {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(digest) = text.parse() {
            return Ok(Self::Digest(digest));
        }
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let begins_well = text.bytes().next().is_some_and(word);
        if begins_well && text.len() <= 128 && text.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'-')) {
            return Ok(Self::Tag(text.to_owned()));
        }
        Err(BadName::Reference(text.to_owned()))
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => f.write_str(tag),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_follow_the_grammar_and_so_never_leave_their_folder() {
        for right in ["web", "team/web", "a.b/c_d/e__f/g---h", "0"] {
            let name: Repository = right.parse().unwrap();
            assert_eq!(Repository::of_folder(&name.folder()), Some(name), "{right}");
        }
        for wrong in [
            "",
            "/",
            "a/",
            "/a",
            "..",
            "a/../b",
            "A",
            "a..b",
            "a___b",
            ".a",
            "a-",
            "a%2fb",
            "a b",
            &"a".repeat(256),
        ] {
            assert!(wrong.parse::<Repository>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_reference_is_a_tag_or_a_digest() {
        assert!(matches!("1.0.0-rc_1".parse(), Ok(Reference::Tag(_))));
        assert!(matches!(Digest::of(b"x").to_string().parse(), Ok(Reference::Digest(_))));
        for wrong in ["", "-a", ".a", "a/b", "sha256:abc", &"a".repeat(129)] {
            assert!(wrong.parse::<Reference>().is_err(), "{wrong}");
        }
    }
}
