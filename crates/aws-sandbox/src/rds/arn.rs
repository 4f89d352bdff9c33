//! Names of RDS's resources, as identifiers and as ARNs (Amazon RDS User Guide, "Amazon Resource Names in Amazon RDS").

/// A resource as a client names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    /// Only an ARN says it.
    pub(super) region: Option<String>,
    /// `db`, `snapshot`, `auto-backup`, …; only an ARN says it.
    pub(super) kind: Option<String>,
    /// In lower case, as RDS keeps identifiers.
    pub(super) name: String,
}

impl Named {
    /// Reads an identifier or an ARN. The name of an automated snapshot has a colon of its own: `rds:app-2026-01-31-00-05`.
    pub(super) fn parse(text: &str) -> Self {
        let parts: Vec<&str> = text.splitn(7, ':').collect();
        match parts[..] {
            ["arn", _, "rds", region, _, kind, name] => Self {
                region: Some(region.to_owned()),
                kind: Some(kind.to_owned()),
                name: name.to_ascii_lowercase(),
            },
            _ => Self {
                region: None,
                kind: None,
                name: text.to_ascii_lowercase(),
            },
        }
    }
}

/// The ARN of a resource.
pub(super) fn arn(region: &str, account: &str, kind: &str, name: &str) -> String {
    format!("arn:aws:rds:{region}:{account}:{kind}:{name}")
}

/// Letters, digits and single hyphens, from a letter on, as for all identifiers of RDS.
pub(super) fn is_identifier(text: &str, longest: usize) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.len() <= longest
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !text.ends_with('-')
        && !text.contains("--")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_and_arns_are_told_apart() {
        for (text, region, kind, name) in [
            ("App-DB", None, None, "app-db"),
            ("rds:app-2026-01-31-00-05", None, None, "rds:app-2026-01-31-00-05"),
            (
                "arn:aws:rds:eu-west-1:000000000000:snapshot:rds:app-2026",
                Some("eu-west-1"),
                Some("snapshot"),
                "rds:app-2026",
            ),
            ("arn:aws:s3:::bucket", None, None, "arn:aws:s3:::bucket"),
        ] {
            let expected = Named {
                region: region.map(str::to_owned),
                kind: kind.map(str::to_owned),
                name: name.to_owned(),
            };
            assert_eq!(Named::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn odd_identifiers_are_refused() {
        for good in ["a", "before-deploy-17", "A1"] {
            assert!(is_identifier(good, 63), "{good}");
        }
        for bad in ["", "1a", "a--b", "a-", "a_b", "../x", "a b", "rds:x"] {
            assert!(!is_identifier(bad, 63), "{bad}");
        }
        assert!(!is_identifier("abcd", 3));
    }
}
