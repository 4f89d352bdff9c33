//! Single values with a grammar of their own: how each is read, named in a message and described to an editor.
//!
//! The list at the end is what ties the three together. A type on it may stand in `raw`, is announced in the JSON schema
//! under its format, and is checked under that same format by `shape`, which is how every bad value of a file is
//! reported at once and with its place.

use std::borrow::Cow;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::InvalidValue;
use crate::written::{HttpUrl, KeyPrefix, RequestPath, Span, Timestamp, WholeMinutes};
use crate::{
    AccountId, AlarmName, BucketName, ClusterName, ContainerName, InstanceName, KmsKey, Percent, Region, Repository,
    SecretName, ServiceName, SnapshotName,
};

/// A value that is written as one YAML scalar.
pub(crate) trait Scalar: FromStr<Err = InvalidValue> {
    /// What is accepted, as a noun phrase.
    const EXPECTED: &'static str;
    /// Whether a bare number is accepted as well as a text.
    const NUMBERS: bool = false;
}

/// Gives a checked string type its way in (`parse`, `FromStr`, `Deserialize`) and its way out (`as_str`, `Display`,
/// `Serialize`). The last argument makes the error: `InvalidValue::new` shows the value, `unseen` does not.
macro_rules! text_type {
    ($(#[$doc:meta])* $vis:vis $name:ident, $is_valid:expr, $expected:literal, $refuse:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis struct $name(String);

        impl $name {
            #[doc = concat!("Accepts ", $expected, ".")]
            $vis fn parse(text: &str) -> Result<Self, $crate::InvalidValue> {
                let is_valid: fn(&str) -> bool = $is_valid;
                let refuse: fn(&str, &'static str) -> $crate::InvalidValue = $refuse;
                if is_valid(text) { Ok(Self(text.to_owned())) } else { Err(refuse(text, $expected)) }
            }

            /// The text as it was given.
            $vis fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl $crate::scalar::Scalar for $name {
            const EXPECTED: &'static str = $expected;
        }

        $crate::scalar::parsed_traits!($name);
    };
    ($(#[$doc:meta])* $vis:vis $name:ident, $is_valid:expr, $expected:literal) => {
        $crate::scalar::text_type!(
            $(#[$doc])* $vis $name, $is_valid, $expected, |found, expected| $crate::InvalidValue::new(found, expected)
        );
    };
}

/// `FromStr`, `Serialize` and `Deserialize` for a type that has `parse` and `Display`.
macro_rules! parsed_traits {
    ($name:ident) => {
        impl std::str::FromStr for $name {
            type Err = $crate::InvalidValue;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use {parsed_traits, text_type};

macro_rules! scalars {
    ($($format:literal => $scalar:ty,)*) => {
        /// Reads the text as a value of that format. An unknown format accepts everything, as JSON Schema has it.
        pub(crate) fn check(format: &str, text: &str) -> Result<(), InvalidValue> {
            match format {
                $($format => <$scalar>::from_str(text).map(drop),)*
                _ => Ok(()),
            }
        }

        $(impl JsonSchema for $scalar {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                Cow::Borrowed($format)
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                schema_of::<$scalar>($format)
            }
        })*
    };
}

scalars! {
    "account-id" => AccountId,
    "alarm-name" => AlarmName,
    "aws-minutes" => WholeMinutes,
    "bucket-name" => BucketName,
    "cluster-name" => ClusterName,
    "container-name" => ContainerName,
    "database-instance" => InstanceName,
    "database-snapshot" => SnapshotName,
    "time-span" => Span,
    "http-url" => HttpUrl,
    "image-repository" => Repository,
    "key-prefix" => KeyPrefix,
    "kms-key" => KmsKey,
    "percentage" => Percent,
    "region" => Region,
    "request-path" => RequestPath,
    "secret-name" => SecretName,
    "service-name" => ServiceName,
    "timestamp" => Timestamp,
}

fn schema_of<T: Scalar>(format: &str) -> Schema {
    if T::NUMBERS {
        json_schema!({ "type": ["string", "number"], "format": format, "title": T::EXPECTED })
    } else {
        json_schema!({ "type": "string", "format": format, "title": T::EXPECTED })
    }
}
