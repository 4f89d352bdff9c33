//! Uploads: in one request, in one after a POST, or chunk by chunk. A content becomes one only when its digest is right.

use std::fs;
use std::io;
use std::path::PathBuf;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::Body;
use tokio::io::{AsyncWriteExt as _, BufWriter};
use uuid::Uuid;

use super::super::digest::Digest;
use super::super::error::Refusal;
use super::super::name::Repository;
use super::super::{Answer, Registry};
use super::{empty, parameter, set, stored};

const WRITTEN_AT_ONCE: usize = 1024 * 1024;
const UPLOAD_ID: HeaderName = HeaderName::from_static("docker-upload-uuid");

/// An upload that has begun.
pub(super) struct Upload {
    repository: Repository,
    id: Uuid,
    file: PathBuf,
}

impl Registry {
    /// An upload that must be there.
    pub(super) fn upload(&self, name: &str, id: &str) -> Result<Upload, Refusal> {
        let repository: Repository = name.parse()?;
        // Only the form of an id that was given out is a file name.
        let id: Uuid = id.parse().map_err(|_| Refusal::UploadUnknown(id.to_owned()))?;
        let upload = self.upload_of(repository, id);
        if upload.file.is_file() {
            Ok(upload)
        } else {
            Err(Refusal::UploadUnknown(id.to_string()))
        }
    }

    fn upload_of(&self, repository: Repository, id: Uuid) -> Upload {
        let file = self.layout(&repository).uploads().join(id.to_string());
        Upload { repository, id, file }
    }

    /// Takes a content from another repository, takes it whole, or says where to send it.
    pub(super) async fn begin_upload<B>(
        &self,
        repository: &Repository,
        parts: &Parts,
        body: B,
    ) -> Result<Answer, Refusal>
    where
        B: Body<Data = Bytes> + Send + Unpin,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        self.layout(repository).create()?;
        if let (Some(digest), Some(from)) = (parameter(parts, "mount"), parameter(parts, "from"))
            && let Some(mounted) = self.mount(repository, &digest.parse()?, &from)?
        {
            return Ok(mounted);
        }
        let upload = self.upload_of(repository.clone(), Uuid::new_v4());
        fs::write(&upload.file, b"")?;
        if parameter(parts, "digest").is_some() {
            return self.finish_upload(&upload, parts, body).await;
        }
        Ok(upload.progress(StatusCode::ACCEPTED, 0))
    }

    /// The same content in two repositories is one file with two names.
    fn mount(&self, repository: &Repository, digest: &Digest, from: &str) -> Result<Option<Answer>, Refusal> {
        let Ok(from) = from.parse::<Repository>() else {
            return Ok(None);
        };
        match fs::hard_link(self.layout(&from).blob(digest), self.layout(repository).blob(digest)) {
            Ok(()) => {}
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {}
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(cause.into()),
        }
        Ok(Some(stored(&format!("/v2/{repository}/blobs/{digest}"), digest)))
    }

    pub(super) async fn add_chunk<B>(&self, upload: &Upload, parts: &Parts, body: B) -> Result<Answer, Refusal>
    where
        B: Body<Data = Bytes> + Send + Unpin,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        upload.check_order(parts)?;
        let size = upload.append(body).await?;
        Ok(upload.progress(StatusCode::ACCEPTED, size))
    }

    pub(super) async fn finish_upload<B>(&self, upload: &Upload, parts: &Parts, body: B) -> Result<Answer, Refusal>
    where
        B: Body<Data = Bytes> + Send + Unpin,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let promised: Digest = parameter(parts, "digest").ok_or(Refusal::NoDigest)?.parse()?;
        upload.check_order(parts)?;
        upload.append(body).await?;
        let file = upload.file.clone();
        let hashing = tokio::task::spawn_blocking(move || Digest::of_all(fs::File::open(file)?));
        let found = hashing.await.map_err(io::Error::other)??;
        if found != promised {
            fs::remove_file(&upload.file)?;
            return Err(Refusal::WrongDigest { promised, found });
        }
        fs::rename(&upload.file, self.layout(&upload.repository).blob(&found))?;
        Ok(stored(&format!("/v2/{}/blobs/{found}", upload.repository), &found))
    }
}

impl Upload {
    /// How much is here.
    pub(super) fn report(&self) -> Result<Answer, Refusal> {
        Ok(self.progress(StatusCode::NO_CONTENT, self.size()?))
    }

    pub(super) fn cancel(&self) -> Result<Answer, Refusal> {
        fs::remove_file(&self.file)?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    fn size(&self) -> io::Result<u64> {
        fs::metadata(&self.file).map(|file| file.len())
    }

    /// A chunk that says where it begins must begin where the others end.
    fn check_order(&self, parts: &Parts) -> Result<(), Refusal> {
        let range = parts
            .headers
            .get(header::CONTENT_RANGE)
            .and_then(|range| range.to_str().ok());
        let begins = range.and_then(|range| range.trim_start_matches("bytes ").split('-').next()?.parse().ok());
        let have = self.size()?;
        match begins {
            Some(begins) if begins != have => Err(Refusal::OutOfOrder { begins, have }),
            Some(_) | None => Ok(()),
        }
    }

    /// Adds what arrives. Answers how much is here now.
    async fn append<B>(&self, mut body: B) -> Result<u64, Refusal>
    where
        B: Body<Data = Bytes> + Send + Unpin,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let file = tokio::fs::OpenOptions::new().append(true).open(&self.file).await?;
        // Every write to the file is a trip to another thread, so not one per network packet.
        let mut file = BufWriter::with_capacity(WRITTEN_AT_ONCE, file);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|cause| Refusal::BrokeOff(crate::front::chain(&cause)))?;
            if let Ok(piece) = frame.into_data() {
                file.write_all(&piece).await?;
            }
        }
        file.flush().await?;
        Ok(self.size()?)
    }

    fn progress(&self, status: StatusCode, size: u64) -> Answer {
        let mut answer = empty(status);
        let Self { repository, id, .. } = self;
        set(
            &mut answer,
            header::LOCATION,
            &format!("/v2/{repository}/blobs/uploads/{id}"),
        );
        set(&mut answer, header::RANGE, &format!("0-{}", size.saturating_sub(1)));
        set(&mut answer, UPLOAD_ID, &id.to_string());
        answer
    }
}
