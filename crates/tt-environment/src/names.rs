//! The names an environment is made of, each its own type, each checked against the limits of the service that owns it.
//!
//! A name that exists is valid: nothing further inside checks it again, and a cluster cannot be passed for a service.
//! Names of images live in `image`.

use crate::InvalidValue;
use crate::scalar::text_type;

text_type!(
    /// The name of an environment: the stem of its file, so `production` is `production.yaml`.
    pub EnvironmentName,
    |text| {
        text.len() <= 32 && text.starts_with(|c: char| c.is_ascii_lowercase()) && text.bytes().all(is_lower_digit_hyphen)
    },
    "an environment's name: up to 32 lower-case letters, digits and hyphens, a letter first"
);

text_type!(
    /// An AWS account id.
    pub AccountId,
    |text| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()),
    "an AWS account id: 12 digits"
);

text_type!(
    /// An AWS Region code.
    pub Region,
    |text| {
        let parts: Vec<&str> = text.split('-').collect();
        let [partition, middle @ .., number] = parts.as_slice() else { return false };
        let word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
        (2..=4).contains(&partition.len())
            && word(partition)
            && !middle.is_empty()
            && middle.iter().all(|part| word(part))
            && (1..=2).contains(&number.len())
            && number.bytes().all(|b| b.is_ascii_digit())
    },
    "an AWS Region code such as eu-central-1"
);

text_type!(
    /// The name of an ECS cluster (Amazon ECS API Reference, `CreateCluster`).
    pub ClusterName,
    is_ecs_name,
    "a cluster's name: up to 255 letters, digits, underscores and hyphens"
);

text_type!(
    /// The name of an ECS service (Amazon ECS API Reference, `CreateService`).
    pub ServiceName,
    is_ecs_name,
    "a service's name: up to 255 letters, digits, underscores and hyphens"
);

text_type!(
    /// The name of a container in a task definition (Amazon ECS API Reference, `ContainerDefinition`).
    pub ContainerName,
    is_ecs_name,
    "a container's name: up to 255 letters, digits, underscores and hyphens"
);

text_type!(
    /// The name of a Secrets Manager secret (AWS Secrets Manager API Reference, `CreateSecret`).
    ///
    /// Whoever pastes a secret where its name belongs must not find it in a log: the refused text is never shown.
    pub SecretName,
    |text| (1..=512).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_+=.@-".contains(&b)),
    "the name of a Secrets Manager secret: up to 512 letters, digits and any of / _ + = . @ -",
    |_, expected| InvalidValue::unseen(expected)
);

text_type!(
    /// The name of an S3 bucket (Amazon S3 User Guide, “General purpose bucket naming rules”).
    pub BucketName,
    |text| {
        let letter_or_digit = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let bytes = text.as_bytes();
        (3..=63).contains(&bytes.len())
            && bytes.iter().all(|&b| is_lower_digit_hyphen(b) || b == b'.')
            && letter_or_digit(bytes.first())
            && letter_or_digit(bytes.last())
            && !text.contains("..")
            && text.parse::<std::net::Ipv4Addr>().is_err()
    },
    "a bucket's name: 3 to 63 lower-case letters, digits, dots and hyphens, and not an IP address"
);

text_type!(
    /// The identifier of a database instance (Amazon RDS API Reference, `CreateDBInstance`).
    pub InstanceName,
    |text| is_rds_name(text, 63),
    "an RDS instance's identifier: up to 63 lower-case letters, digits and single hyphens, a letter first"
);

text_type!(
    /// The identifier of a snapshot (Amazon RDS API Reference, `CreateDBSnapshot`). RDS keeps it in lower case, so no other
    /// is accepted; those of automated snapshots begin with `rds:`.
    pub SnapshotName,
    |text| is_rds_name(text.strip_prefix("rds:").unwrap_or(text), 255),
    "an RDS snapshot's identifier: up to 255 lower-case letters, digits and single hyphens, a letter first"
);

text_type!(
    /// A key of AWS KMS: its ARN, its id or its alias (Amazon RDS API Reference, `CopyDBSnapshot`, `KmsKeyId`).
    pub KmsKey,
    |text| {
        (1..=2048).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b":/_-".contains(&b))
            && (text.starts_with("arn:") || text.starts_with("alias/") || text.len() == 36 || text.starts_with("mrk-"))
    },
    "a KMS key: its ARN, its id or `alias/NAME`"
);

text_type!(
    /// The name of a CloudWatch alarm (Amazon CloudWatch API Reference, `PutMetricAlarm`).
    pub AlarmName,
    |text| (1..=255).contains(&text.chars().count()) && !text.chars().any(char::is_control),
    "an alarm's name: up to 255 characters, no control characters"
);

text_type!(
    /// The name of a release, such as `1.4.0`. It also serves as the tag of its image, so it keeps to that grammar
    /// (OCI Distribution Specification, “Pulling manifests”).
    pub ReleaseName,
    is_tag,
    "a release's name: up to 128 letters, digits, underscores, dots and hyphens, no dot or hyphen first"
);

/// Whether the text is a tag as the OCI Distribution Specification defines it.
pub(crate) fn is_tag(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && !text.starts_with(['.', '-'])
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
}

fn is_ecs_name(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

fn is_rds_name(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(is_lower_digit_hyphen)
        && !text.ends_with('-')
        && !text.contains("--")
}

fn is_lower_digit_hyphen(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_to_the_limits_of_their_service() {
        let accepts = |parsed: Result<(), InvalidValue>| parsed.is_ok();
        let table = [
            (accepts(AccountId::parse("000000000000").map(drop)), true),
            (accepts(AccountId::parse("12345678901").map(drop)), false),
            (accepts(Region::parse("eu-central-1").map(drop)), true),
            (accepts(Region::parse("us-gov-west-1").map(drop)), true),
            (accepts(Region::parse("eu-central").map(drop)), false),
            (accepts(Region::parse("eu-1").map(drop)), false),
            (accepts(EnvironmentName::parse("production").map(drop)), true),
            (accepts(EnvironmentName::parse("../production").map(drop)), false),
            (accepts(EnvironmentName::parse("").map(drop)), false),
            (accepts(ServiceName::parse("task_tracker-2").map(drop)), true),
            (accepts(ServiceName::parse("task.tracker").map(drop)), false),
            (accepts(BucketName::parse("acme-tt-ops-production").map(drop)), true),
            (accepts(BucketName::parse("Acme").map(drop)), false),
            (accepts(BucketName::parse("10.0.0.1").map(drop)), false),
            (accepts(BucketName::parse("-acme").map(drop)), false),
            (accepts(SecretName::parse("task-tracker/database-url").map(drop)), true),
            (accepts(AlarmName::parse("5xx, all listeners").map(drop)), true),
            (accepts(AlarmName::parse("two\nlines").map(drop)), false),
            (accepts(ReleaseName::parse("1.4.0-rc.1").map(drop)), true),
            (accepts(ReleaseName::parse("-1").map(drop)), false),
        ];
        for (row, (found, expected)) in table.into_iter().enumerate() {
            assert_eq!(found, expected, "row {row}");
        }
    }

    #[test]
    fn a_secret_pasted_as_a_name_is_not_repeated() {
        let error = SecretName::parse("postgres://app:hunter2@db/app").unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }

    #[test]
    fn names_are_strings_in_json_and_checked_on_the_way_in() {
        let name = ReleaseName::parse("1.4.0").unwrap();
        assert_eq!(serde_json::to_string(&name).unwrap(), "\"1.4.0\"");
        assert_eq!(serde_json::from_str::<ReleaseName>("\"1.4.0\"").unwrap(), name);
        assert!(serde_json::from_str::<ReleaseName>("\"a b\"").is_err());
    }
}
