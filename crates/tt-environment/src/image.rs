//! What a container image is called: its repository, and the tag or digest that picks one image from it.

use std::fmt;

use crate::InvalidValue;
use crate::names::is_tag;
use crate::scalar::{parsed_traits, text_type};

const REFERENCE: &str = "an image reference: REPOSITORY@sha256:DIGEST or REPOSITORY:TAG";

text_type!(
    /// A repository with its registry, such as `registry.gitlab.com/acme/task-tracker/service`
    /// (OCI Distribution Specification, “Pulling manifests”). Neither tag nor digest.
    pub Repository,
    is_repository,
    "an image repository: REGISTRY/PATH in lower case, without tag or digest, such as registry.gitlab.com/acme/service"
);

impl Repository {
    /// The host, with its port when it has one: `127.0.0.1:4566`.
    pub fn registry(&self) -> &str {
        self.as_str().split_once('/').map_or("", |(registry, _)| registry)
    }

    /// The repository within its registry: `acme/task-tracker/service`.
    pub fn path(&self) -> &str {
        self.as_str().split_once('/').map_or("", |(_, path)| path)
    }

    /// This repository at that digest.
    pub fn at(&self, digest: ImageDigest) -> ImageReference {
        ImageReference {
            repository: self.clone(),
            version: Version::Digest(digest),
        }
    }
}

text_type!(
    /// The digest of an image manifest. Unlike a tag, it names one image for ever.
    pub ImageDigest,
    |text| {
        text.strip_prefix("sha256:")
            .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)))
    },
    "an image digest: sha256: and 64 hexadecimal digits in lower case"
);

impl ImageDigest {
    /// The first twelve hexadecimal digits: enough for a person to tell two images apart.
    pub fn short(&self) -> &str {
        self.as_str().get(7..19).unwrap_or_default()
    }
}

/// One image of a repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageReference {
    /// Where the image is kept.
    pub repository: Repository,
    /// Which of its images.
    pub version: Version,
}

/// What picks an image from its repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// A name that its owner may move to another image at any time.
    Tag(String),
    /// The content itself.
    Digest(ImageDigest),
}

impl ImageReference {
    /// Accepts `REPOSITORY:TAG` and `REPOSITORY@sha256:…`. There is no implicit `latest`, and of
    /// `REPOSITORY:TAG@sha256:…` the digest alone is kept, as registries do.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let refused = || InvalidValue::new(text, REFERENCE);
        if let Some((name, digest)) = text.split_once('@') {
            let digest = ImageDigest::parse(digest).map_err(|_| refused())?;
            let repository = split_tag(name).map_or(name, |(repository, _)| repository);
            return Ok(Self {
                repository: Repository::parse(repository).map_err(|_| refused())?,
                version: Version::Digest(digest),
            });
        }
        let (repository, tag) = split_tag(text).ok_or_else(refused)?;
        Ok(Self {
            repository: Repository::parse(repository).map_err(|_| refused())?,
            version: Version::Tag(tag.to_owned()),
        })
    }

    /// The digest, when the reference is pinned by one.
    pub fn digest(&self) -> Option<&ImageDigest> {
        match &self.version {
            Version::Digest(digest) => Some(digest),
            Version::Tag(_) => None,
        }
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Version::Tag(tag) => write!(f, "{}:{tag}", self.repository),
            Version::Digest(digest) => write!(f, "{}@{digest}", self.repository),
        }
    }
}

parsed_traits!(ImageReference);

/// Splits at the tag's colon; the colon of a registry's port is not one, for a slash follows it.
fn split_tag(text: &str) -> Option<(&str, &str)> {
    text.rsplit_once(':').filter(|(_, tag)| is_tag(tag))
}

fn is_repository(text: &str) -> bool {
    let Some((registry, path)) = text.split_once('/') else {
        return false;
    };
    text.len() <= 255 && is_registry(registry) && path.split('/').all(is_path_component)
}

/// A first component is a registry only if it could not be a path: it has a dot, a port, or is `localhost`.
fn is_registry(text: &str) -> bool {
    let (host, port) = text
        .split_once(':')
        .map_or((text, None), |(host, port)| (host, Some(port)));
    let host_is_valid = !host.is_empty()
        && !host.starts_with(['.', '-'])
        && host
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-');
    let port_is_valid = port.is_none_or(|port| port.parse::<u16>().is_ok());
    host_is_valid && port_is_valid && (port.is_some() || host.contains('.') || host == "localhost")
}

/// Lower-case letters and digits, with single separators (`.`, `_`, `__`, any number of `-`) between them.
fn is_path_component(text: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let (Some(first), Some(last)) = (text.bytes().next(), text.bytes().last()) else {
        return false;
    };
    let separators_are_valid = text
        .split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        .all(|separator| matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|b| b == b'-'));
    alphanumeric(first) && alphanumeric(last) && separators_are_valid
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, expected: &Expect) {
        let outcome = match ImageReference::parse(text) {
            Ok(reference) => format!(
                "{} | {} | {:?}",
                reference.repository.registry(),
                reference.repository.path(),
                reference.version
            ),
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&outcome);
    }

    #[test]
    fn references() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        check(
            "127.0.0.1:4566/task-tracker:1.1.0",
            &expect![[r#"127.0.0.1:4566 | task-tracker | Tag("1.1.0")"#]],
        );
        check(
            &format!("registry.gitlab.com/acme/service@{digest}"),
            &expect![[
                r#"registry.gitlab.com | acme/service | Digest(ImageDigest("sha256:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"))"#
            ]],
        );
        check(
            &format!("localhost/service:1.0@{digest}"),
            &expect![[
                r#"localhost | service | Digest(ImageDigest("sha256:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"))"#
            ]],
        );
        check(
            "127.0.0.1:4566/task-tracker",
            &expect![
                "`127.0.0.1:4566/task-tracker` is not an image reference: REPOSITORY@sha256:DIGEST or REPOSITORY:TAG"
            ],
        );
        check(
            "task-tracker:1.0",
            &expect!["`task-tracker:1.0` is not an image reference: REPOSITORY@sha256:DIGEST or REPOSITORY:TAG"],
        );
        check(
            "registry.gitlab.com/Acme:1.0",
            &expect![
                "`registry.gitlab.com/Acme:1.0` is not an image reference: REPOSITORY@sha256:DIGEST or REPOSITORY:TAG"
            ],
        );
    }

    #[test]
    fn a_reference_reads_back_as_it_prints() {
        for text in ["a.b/c_d:1", "localhost:5000/a/b--c__d:x_y"] {
            assert_eq!(ImageReference::parse(text).unwrap().to_string(), text);
        }
    }
}
