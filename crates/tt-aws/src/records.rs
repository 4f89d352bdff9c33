//! Deploy records and the deploy lock in S3.
//!
//! A record's key begins with the time subtracted from a constant, so that S3's ascending listing gives the newest first.

use aws_sdk_s3::{
    error::ProvideErrorMetadata,
    operation::{get_object::GetObjectError, put_object::PutObjectError},
    primitives::ByteStream,
};
use futures_util::future::try_join_all;
use serde::{Serialize, de::DeserializeOwned};
use time::OffsetDateTime;
use tt_environment::{Environment, Records};
use tt_execute::{Journal, PortError, PortErrorKind, Version};
use tt_plan::{
    Lease, RECORD_VERSION, Record,
    database::{DRILL_VERSION, DrillRecord},
};

use crate::{
    clients::Clients,
    error::{absent, failed, other},
};

const NEWEST: i32 = 30;
const LATEST_MILLIS: i128 = 9_999_999_999_999;

/// The bucket and prefix that an environment names.
#[derive(Debug, Clone)]
pub struct S3Journal {
    s3: aws_sdk_s3::Client,
    place: Records,
}

impl S3Journal {
    /// Makes no call yet.
    pub fn new(clients: &Clients, environment: &Environment) -> Self {
        Self {
            s3: clients.s3.clone(),
            place: environment.records.clone(),
        }
    }

    /// The newest records, newest first.
    pub async fn history(&self) -> Result<Vec<Record>, PortError> {
        let action = format!("list the deploy records in bucket `{}`", self.place.bucket);
        let listed = self
            .s3
            .list_objects_v2()
            .bucket(self.place.bucket.as_str())
            .prefix(format!("{}records/", self.place.prefix))
            .max_keys(NEWEST)
            .send()
            .await
            .map_err(failed(action))
            .map_err(|error| self.placed(error))?;
        let keys = listed.contents().iter().filter_map(|object| object.key());
        let records = try_join_all(keys.map(|key| self.get::<Record>(key))).await?;
        records
            .into_iter()
            .flatten()
            .map(|(record, _)| readable(record))
            .collect()
    }

    /// The newest drills, newest first; those of a newer tt-ops are passed over.
    pub async fn drills(&self) -> Result<Vec<DrillRecord>, PortError> {
        let action = format!("list the records of drills in bucket `{}`", self.place.bucket);
        let listed = self
            .s3
            .list_objects_v2()
            .bucket(self.place.bucket.as_str())
            .prefix(format!("{}drills/", self.place.prefix))
            .max_keys(NEWEST)
            .send()
            .await
            .map_err(failed(action))
            .map_err(|error| self.placed(error))?;
        let keys = listed.contents().iter().filter_map(|object| object.key());
        let drills = try_join_all(keys.map(|key| self.get::<DrillRecord>(key))).await?;
        let readable = |drill: &DrillRecord| drill.version <= DRILL_VERSION;
        Ok(drills
            .into_iter()
            .flatten()
            .map(|(drill, _)| drill)
            .filter(readable)
            .collect())
    }

    /// Writes down how a drill went.
    pub(crate) async fn put_drill(&self, drill: &DrillRecord) -> Result<(), PortError> {
        let key = format!(
            "{}drills/{:013}-{}.json",
            self.place.prefix,
            inverted(drill.started_at),
            drill.copy
        );
        let action = format!("write s3://{}/{key}", self.place.bucket);
        let body = body(&action, drill)?;
        self.s3
            .put_object()
            .bucket(self.place.bucket.as_str())
            .key(key)
            .content_type("application/json")
            .body(body)
            .send()
            .await
            .map_err(failed(action))?;
        Ok(())
    }

    async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<(T, Version)>, PortError> {
        let action = format!("read s3://{}/{key}", self.place.bucket);
        let object = match self
            .s3
            .get_object()
            .bucket(self.place.bucket.as_str())
            .key(key)
            .send()
            .await
        {
            Ok(object) => object,
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => return Ok(None),
            Err(error) => return Err(self.placed(failed(action)(error))),
        };
        let version = Version(object.e_tag().ok_or_else(|| absent(&action, "ETag"))?.to_owned());
        let bytes = object
            .body
            .collect()
            .await
            .map_err(|error| other(action.clone(), PortErrorKind::Other, error.to_string()))?;
        let value = serde_json::from_slice(&bytes.into_bytes())
            .map_err(|error| other(action, PortErrorKind::Unexpected, error.to_string()))?;
        Ok(Some((value, version)))
    }

    /// A missing bucket is one finding, whichever of the reads that run side by side meets it first.
    fn placed(&self, mut error: PortError) -> PortError {
        if error.kind == PortErrorKind::NotFound {
            error.action = format!("use bucket `{}` for deploy records and the lock", self.place.bucket);
            error.hint = Some("create it (Terraform module `state`), or correct `records.bucket`".to_owned());
        }
        error
    }

    fn record_key(&self, record: &Record) -> String {
        format!(
            "{}records/{:013}-{}.json",
            self.place.prefix,
            inverted(record.started_at),
            record.id
        )
    }

    fn lock_key(&self) -> String {
        format!("{}lock.json", self.place.prefix)
    }
}

impl Journal for S3Journal {
    async fn put(&self, record: &Record) -> Result<(), PortError> {
        let key = self.record_key(record);
        let action = format!("write s3://{}/{key}", self.place.bucket);
        let body = body(&action, record)?;
        self.s3
            .put_object()
            .bucket(self.place.bucket.as_str())
            .key(key)
            .content_type("application/json")
            .body(body)
            .send()
            .await
            .map_err(failed(action))?;
        Ok(())
    }

    async fn lease(&self) -> Result<Option<(Lease, Version)>, PortError> {
        self.get(&self.lock_key()).await
    }

    async fn swap(&self, expected: Option<&Version>, lease: &Lease) -> Result<Option<Version>, PortError> {
        let key = self.lock_key();
        let action = format!("write s3://{}/{key}", self.place.bucket);
        let put = self
            .s3
            .put_object()
            .bucket(self.place.bucket.as_str())
            .key(key)
            .content_type("application/json")
            .body(body(&action, lease)?);
        let put = match expected {
            Some(version) => put.if_match(&version.0),
            None => put.if_none_match("*"),
        };
        match put.send().await {
            Ok(written) => Ok(Some(Version(
                written.e_tag().ok_or_else(|| absent(&action, "ETag"))?.to_owned(),
            ))),
            Err(error) if error.as_service_error().is_some_and(lost_the_race) => Ok(None),
            Err(error) => Err(failed(action)(error)),
        }
    }
}

/// So that an ascending listing gives the newest first.
fn inverted(at: OffsetDateTime) -> i128 {
    LATEST_MILLIS - at.unix_timestamp_nanos() / 1_000_000
}

/// 412: the object is not what we saw; 409: somebody writes it at this moment; 404 on If-Match: somebody deleted it.
fn lost_the_race(error: &PutObjectError) -> bool {
    matches!(
        error.code(),
        Some("PreconditionFailed" | "ConditionalRequestConflict" | "NoSuchKey")
    )
}

fn body<T: Serialize>(action: &str, value: &T) -> Result<ByteStream, PortError> {
    let json =
        serde_json::to_vec_pretty(value).map_err(|error| other(action, PortErrorKind::Other, error.to_string()))?;
    Ok(ByteStream::from(json))
}

fn readable(record: Record) -> Result<Record, PortError> {
    if record.version <= RECORD_VERSION {
        return Ok(record);
    }
    let cause = format!(
        "it was written by a newer tt-ops (record version {}, this one reads {RECORD_VERSION})",
        record.version
    );
    Err(other(
        format!("read deploy record {}", record.id),
        PortErrorKind::Unexpected,
        cause,
    ))
}
