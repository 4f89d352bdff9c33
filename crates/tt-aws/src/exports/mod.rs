//! Logical exports of the database in S3, beside the deploy records: `exports/ID/` holds an object per part and, written last, the
//! manifest. An export without a manifest is none, whatever else is there.
//!
//! Owns where exports are and which there are. What is in them, and how it is checked, is `tt-export`'s.

mod id;
mod object;
mod reading;
mod upload;

use aws_sdk_s3::{Client, error::ProvideErrorMetadata, primitives::ByteStream};
use futures_util::{StreamExt as _, TryStreamExt as _, future::try_join_all, stream};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tt_environment::Environment;
use tt_execute::{PortError, PortErrorKind};
use tt_export::{ExportError, Manifest, Store, StoreError, read_manifest};

pub use self::{
    id::{BadExportId, ExportId},
    reading::Receiving,
    upload::Sending,
};
use self::{object::Object, upload::Multipart};
use crate::{
    clients::Clients,
    error::{absent, failed, other},
};

/// Written first, by whoever begins: two who chose the same name do not mix their parts.
const BEGUN: &str = "begun.json";
const MANIFEST: &str = "manifest.json";
/// Deletions at once.
const AT_ONCE: usize = 8;
/// A page of unfinished uploads is 1000 (Amazon S3 API Reference, `ListMultipartUploads`); no export has so many that this is not enough.
const ROUNDS: usize = 10;

/// The exports of one environment.
#[derive(Debug, Clone)]
pub struct S3Exports {
    s3: Client,
    bucket: String,
    /// Ends with a slash.
    folder: String,
}

/// The objects of one export.
#[derive(Debug, Clone)]
pub struct S3Export {
    s3: Client,
    bucket: String,
    /// Ends with a slash.
    prefix: String,
}

/// When an export was begun, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// By the clock of whoever began it.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// A CI job's URL, or a person and a machine.
    pub by: String,
}

/// An export that is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedExport {
    /// Its name.
    pub id: ExportId,
    /// When it was begun; nothing where even that was never written.
    pub begun: Option<Begun>,
    /// What there is of it.
    pub state: ExportState,
}

/// What there is of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExportState {
    /// It has a manifest. Whether every part is as that says, only a restore reads.
    Complete(Box<Manifest>),
    /// It is still being written, or whoever wrote it was killed.
    Unfinished,
    /// It has a manifest that cannot be believed.
    Damaged {
        /// What is wrong with it.
        why: String,
    },
}

impl S3Exports {
    /// Makes no call yet.
    pub fn new(clients: &Clients, environment: &Environment) -> Self {
        Self {
            s3: clients.s3_for_data(),
            bucket: environment.records.bucket.to_string(),
            folder: format!("{}exports/", environment.records.prefix),
        }
    }

    /// One export, whether or not there is anything of it.
    pub fn open(&self, id: &ExportId) -> S3Export {
        S3Export {
            s3: self.s3.clone(),
            bucket: self.bucket.clone(),
            prefix: format!("{}{id}/", self.folder),
        }
    }

    /// Takes a name for an export that is about to be written; one that somebody has taken is a [`PortErrorKind::Conflict`].
    pub async fn begin(&self, id: &ExportId, begun: &Begun) -> Result<S3Export, PortError> {
        let export = self.open(id);
        let object = export.object(BEGUN);
        let action = object.action("begin");
        let body = serde_json::to_vec_pretty(begun)
            .map_err(|error| other(action.clone(), PortErrorKind::Other, error.to_string()))?;
        let put = self.s3.put_object().bucket(&object.bucket).key(&object.key);
        let put = put
            .content_type("application/json")
            .if_none_match("*")
            .body(ByteStream::from(body));
        match put.send().await {
            Ok(_) => Ok(export),
            Err(error)
                if error.as_service_error().and_then(ProvideErrorMetadata::code) == Some("PreconditionFailed") =>
            {
                let what = format!("there is an export `{id}` already");
                Err(other(action, PortErrorKind::Conflict, what))
            }
            Err(error) => Err(failed(action)(error)),
        }
    }

    /// All exports, oldest name first. An object that is not an export's is passed over.
    pub async fn list(&self) -> Result<Vec<ListedExport>, PortError> {
        let action = format!("list the exports in s3://{}/{}", self.bucket, self.folder);
        let request = self
            .s3
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(&self.folder)
            .delimiter("/");
        let mut pages = request.into_paginator().send();
        let mut ids = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(failed(action.clone()))?;
            let folders = page.common_prefixes().iter().filter_map(|folder| folder.prefix());
            let names = folders.filter_map(|folder| folder.strip_prefix(&self.folder)?.strip_suffix('/'));
            ids.extend(names.filter_map(|name| ExportId::parse(name).ok()));
        }
        try_join_all(ids.into_iter().map(|id| self.look(id))).await
    }

    async fn look(&self, id: ExportId) -> Result<ListedExport, PortError> {
        let export = self.open(&id);
        let (begun, state) = tokio::try_join!(export.begun(), export.state())?;
        Ok(ListedExport { id, begun, state })
    }

    /// Removes whatever there is of an export: the manifest first, so that what is left of it is never taken for one; uploads that were
    /// not finished too, which nobody sees and somebody pays for.
    pub async fn remove(&self, id: &ExportId) -> Result<(), PortError> {
        let export = self.open(id);
        export.object(MANIFEST).delete().await?;
        export.give_up_uploads().await?;
        let action = format!("list {}", export.address());
        let request = self.s3.list_objects_v2().bucket(&self.bucket).prefix(&export.prefix);
        let mut pages = request.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(failed(action.clone()))?;
            let keys = page.contents().iter().filter_map(|found| found.key());
            let parts = keys
                .filter(|key| !key.ends_with(BEGUN))
                .map(|key| export.keyed(key.to_owned()));
            let deletions = stream::iter(parts.collect::<Vec<_>>()).map(|part| async move { part.delete().await });
            deletions.buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        }
        // Last, because it says that there is still something to remove.
        export.object(BEGUN).delete().await
    }
}

impl S3Export {
    /// Where it is, for people.
    pub fn address(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.prefix)
    }

    fn object(&self, name: &str) -> Object {
        self.keyed(format!("{}{name}", self.prefix))
    }

    fn keyed(&self, key: String) -> Object {
        Object {
            s3: self.s3.clone(),
            bucket: self.bucket.clone(),
            key,
        }
    }

    async fn begun(&self) -> Result<Option<Begun>, PortError> {
        let mut object = match self.open(BEGUN).await {
            Ok(object) => object,
            Err(StoreError::Absent) => return Ok(None),
            Err(StoreError::Failed(cause)) => return Err(unwrapped(cause)),
        };
        let text = object.whole().await?;
        // One that was written by a later version says nothing to this one.
        Ok(serde_json::from_slice(&text).ok())
    }

    async fn state(&self) -> Result<ExportState, PortError> {
        match read_manifest(self).await {
            Ok(manifest) => Ok(ExportState::Complete(Box::new(manifest))),
            Err(ExportError::Store {
                cause: StoreError::Absent,
                ..
            }) => Ok(ExportState::Unfinished),
            Err(ExportError::Store {
                cause: StoreError::Failed(cause),
                ..
            }) => Err(unwrapped(cause)),
            Err(error) => Ok(ExportState::Damaged {
                why: std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string),
            }),
        }
    }

    async fn give_up_uploads(&self) -> Result<(), PortError> {
        let action = format!("list the unfinished uploads in {}", self.address());
        for _ in 0..ROUNDS {
            let request = self.s3.list_multipart_uploads().bucket(&self.bucket);
            let listed = request
                .prefix(&self.prefix)
                .send()
                .await
                .map_err(failed(action.clone()))?;
            if listed.uploads().is_empty() {
                return Ok(());
            }
            for upload in listed.uploads() {
                let key = upload.key().ok_or_else(|| absent(&action, "key"))?;
                let id = upload.upload_id().ok_or_else(|| absent(&action, "upload id"))?;
                self.keyed(key.to_owned()).abort(id).await?;
            }
        }
        Err(other(
            action,
            PortErrorKind::Other,
            "new ones appear: somebody is still writing this export",
        ))
    }
}

impl Store for S3Export {
    type Upload = Sending;
    type Reading = Receiving;

    async fn create(&self, name: &str) -> Result<Sending, StoreError> {
        Ok(Sending::new(self.object(name)))
    }

    async fn open(&self, name: &str) -> Result<Receiving, StoreError> {
        Receiving::open(self.object(name)).await
    }
}

fn wrapped(error: PortError) -> StoreError {
    StoreError::Failed(Box::new(error))
}

/// What [`wrapped`] has wrapped.
fn unwrapped(cause: Box<dyn std::error::Error + Send + Sync>) -> PortError {
    match cause.downcast::<PortError>() {
        Ok(error) => *error,
        Err(cause) => other("use the exports in S3", PortErrorKind::Other, cause.to_string()),
    }
}
