//! The bucket: what clients get signed URLs for, and the two requests that the service makes itself.

use std::{sync::Arc, time::Duration};

use axum::http::{Method, StatusCode, header};
use time::OffsetDateTime;
use url::Url;

use crate::{
    attachment::{AttachmentSettings, file_name, media::MediaType, presign::Permit},
    credentials::{NoCredentials, Source},
    outbound::{Answer, Outbound, Outgoing, Reach, Unanswered},
    problem::Problem,
};

/// Of URLs that are handed out: to begin in, not to finish in.
pub(super) const HANDED_OUT: Duration = Duration::from_mins(15);
/// Of URLs that are used at once.
const OWN: Duration = Duration::from_mins(1);
const PATIENCE: Duration = Duration::from_secs(5);

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Bucket(Arc<Inner>);

struct Inner {
    /// Objects are below it.
    base: Url,
    region: String,
    credentials: Source,
    outbound: Outbound,
    largest: i64,
    room: i64,
}

/// The settings do not make a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "ATTACHMENTS_BUCKET, AWS_REGION and AWS_ENDPOINT_URL do not make the URL of a bucket; give a bucket's name, a Region such as eu-central-1, and an endpoint only where S3 is not AWS's"
)]
pub struct NoUrl;

/// What the bucket has under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Held {
    Nothing,
    Object { size: Option<i64>, content_type: String },
}

/// Why the bucket did not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BucketError {
    #[error("there are no credentials for the bucket")]
    Credentials(#[source] NoCredentials),
    #[error("the bucket did not answer")]
    Unanswered(#[source] Unanswered),
    #[error("the bucket answered {0}")]
    Refused(StatusCode),
}

impl From<BucketError> for Problem {
    fn from(cause: BucketError) -> Self {
        let source = std::error::Error::source(&cause)
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::warn!(%cause, source, "the bucket of attachments is unavailable");
        Self::BucketUnavailable
    }
}

impl Bucket {
    /// None without a bucket, or without credentials for it.
    pub(crate) fn open(
        settings: &AttachmentSettings,
        credentials: Option<&Source>,
        outbound: &Outbound,
    ) -> Result<Option<Self>, NoUrl> {
        let Some(bucket) = settings.bucket.as_deref().filter(|bucket| !bucket.is_empty()) else {
            return Ok(None);
        };
        let Some(credentials) = credentials else {
            tracing::warn!("ATTACHMENTS_BUCKET is set and there are no credentials for it: there are no attachments");
            return Ok(None);
        };
        let base = match &settings.endpoint {
            // In the path: nobody resolves names below an address.
            Some(endpoint) => format!("{}/{bucket}/", endpoint.as_str().trim_end_matches('/')),
            None => format!("https://{bucket}.s3.{}.amazonaws.com/", settings.region),
        };
        let is_name = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte))
        };
        let base = Url::parse(&base)
            .ok()
            .filter(|_| is_name(bucket) && is_name(&settings.region));
        Ok(Some(Self(Arc::new(Inner {
            base: base.ok_or(NoUrl)?,
            region: settings.region.clone(),
            credentials: credentials.clone(),
            outbound: outbound.clone(),
            largest: settings.largest,
            room: settings.room,
        }))))
    }

    /// Bytes.
    pub(super) fn largest(&self) -> i64 {
        self.0.largest
    }

    /// Bytes that the attachments of one project may take together.
    pub(super) fn room(&self) -> i64 {
        self.0.room
    }

    /// For one upload of exactly this length and type; a second one is refused by the bucket.
    pub(super) async fn upload(
        &self,
        key: &str,
        size: i64,
        media: MediaType,
        now: OffsetDateTime,
    ) -> Result<(Url, Vec<(&'static str, String)>), BucketError> {
        let headers = vec![
            ("content-length", size.to_string()),
            ("content-type", media.as_str().to_owned()),
            ("if-none-match", "*".to_owned()),
        ];
        let url = self
            .permit("PUT", key, HANDED_OUT, Vec::new(), headers.clone(), now)
            .await?;
        Ok((url, headers))
    }

    /// To be saved, never shown: whatever is in the file, a browser does not run it.
    pub(super) async fn download(
        &self,
        key: &str,
        name: &str,
        content_type: &str,
        now: OffsetDateTime,
    ) -> Result<Url, BucketError> {
        let query = vec![
            ("response-cache-control", "private, no-store".to_owned()),
            ("response-content-disposition", file_name::disposition(name)),
            ("response-content-type", content_type.to_owned()),
        ];
        self.permit("GET", key, HANDED_OUT, query, Vec::new(), now).await
    }

    pub(super) async fn look(&self, key: &str) -> Result<Held, BucketError> {
        let answer = self.send(Method::HEAD, "HEAD", key).await?;
        let header = |name| answer.headers.get(name).and_then(|value| value.to_str().ok());
        match answer.status {
            StatusCode::OK => Ok(Held::Object {
                size: header(header::CONTENT_LENGTH).and_then(|size| size.parse().ok()),
                content_type: header(header::CONTENT_TYPE).unwrap_or_default().to_owned(),
            }),
            StatusCode::NOT_FOUND => Ok(Held::Nothing),
            status => Err(BucketError::Refused(status)),
        }
    }

    /// Whether it is there and takes our signature: a list of one.
    pub(crate) async fn answers(&self) -> Result<(), BucketError> {
        let query = vec![("list-type", "2".to_owned()), ("max-keys", "1".to_owned())];
        let url = self
            .permit("GET", "", OWN, query, Vec::new(), OffsetDateTime::now_utc())
            .await?;
        let answer = self.exchange(Method::GET, &url).await?;
        match answer.status {
            StatusCode::OK => Ok(()),
            status => Err(BucketError::Refused(status)),
        }
    }

    /// Fine when there is nothing.
    pub(super) async fn delete(&self, key: &str) -> Result<(), BucketError> {
        let answer = self.send(Method::DELETE, "DELETE", key).await?;
        match answer.status {
            StatusCode::NO_CONTENT | StatusCode::OK | StatusCode::NOT_FOUND => Ok(()),
            status => Err(BucketError::Refused(status)),
        }
    }

    async fn send(&self, method: Method, word: &'static str, key: &str) -> Result<Answer, BucketError> {
        let now = OffsetDateTime::now_utc();
        let url = self.permit(word, key, OWN, Vec::new(), Vec::new(), now).await?;
        self.exchange(method, &url).await
    }

    async fn exchange(&self, method: Method, url: &Url) -> Result<Answer, BucketError> {
        self.0
            .outbound
            .send(url, &Reach::Trusted, Outgoing::new(method), PATIENCE)
            .await
            .map_err(BucketError::Unanswered)
    }

    async fn permit(
        &self,
        method: &'static str,
        key: &str,
        lasts: Duration,
        query: Vec<(&'static str, String)>,
        headers: Vec<(&'static str, String)>,
        now: OffsetDateTime,
    ) -> Result<Url, BucketError> {
        let inner = &*self.0;
        let credentials = inner
            .credentials
            .get(&inner.outbound, now)
            .await
            .map_err(BucketError::Credentials)?;
        let mut url = inner.base.clone();
        // Keys are made here of letters, digits, hyphens and slashes: as a path they are what they are.
        url.set_path(&format!("{}{key}", inner.base.path()));
        let permit = Permit {
            method,
            url,
            region: &inner.region,
            query,
            headers,
            lasts,
        };
        Ok(permit.sign(&credentials, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(bucket: Option<&str>, region: &str, endpoint: Option<&str>) -> AttachmentSettings {
        AttachmentSettings {
            bucket: bucket.map(str::to_owned),
            region: region.to_owned(),
            endpoint: endpoint.map(|url| url.parse().unwrap()),
            largest: 1,
            room: 1,
        }
    }

    fn base(settings: &AttachmentSettings) -> Result<Option<String>, NoUrl> {
        let source = Source::read(|_| Some("key".to_owned())).unwrap();
        let bucket = Bucket::open(settings, source.as_ref(), &Outbound::new())?;
        Ok(bucket.map(|bucket| bucket.0.base.to_string()))
    }

    #[test]
    fn objects_are_below_the_bucket_wherever_s3_is() {
        for (bucket, region, endpoint, expected) in [
            (None, "eu-central-1", None, Ok(None)),
            (Some(""), "eu-central-1", None, Ok(None)),
            (
                Some("files"),
                "eu-central-1",
                None,
                Ok(Some("https://files.s3.eu-central-1.amazonaws.com/")),
            ),
            (
                Some("files"),
                "eu-central-1",
                Some("http://127.0.0.1:4566"),
                Ok(Some("http://127.0.0.1:4566/files/")),
            ),
            (Some("files/../x"), "eu-central-1", None, Err(NoUrl)),
            (Some("files"), "eu@evil", None, Err(NoUrl)),
        ] {
            let found = base(&settings(bucket, region, endpoint));
            assert_eq!(found, expected.map(|url| url.map(str::to_owned)), "{bucket:?}");
        }
        let without = Bucket::open(&settings(Some("files"), "eu-central-1", None), None, &Outbound::new());
        assert!(without.unwrap().is_none());
    }
}
