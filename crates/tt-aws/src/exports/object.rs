//! One object of an export, and the calls that concern it.

use aws_sdk_s3::{
    Client,
    operation::get_object::{GetObjectError, GetObjectOutput},
    primitives::ByteStream,
    types::{CompletedMultipartUpload, CompletedPart},
};
use tt_execute::PortError;

use super::Multipart;
use crate::error::{absent, failed};

#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) s3: Client,
    pub(super) bucket: String,
    pub(super) key: String,
}

impl Object {
    pub(super) fn action(&self, what: &str) -> String {
        format!("{what} s3://{}/{}", self.bucket, self.key)
    }

    /// Nothing when there is no such object.
    pub(super) async fn get(&self) -> Result<Option<GetObjectOutput>, PortError> {
        let get = self.s3.get_object().bucket(&self.bucket).key(&self.key);
        match get.send().await {
            Ok(got) => Ok(Some(got)),
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => Ok(None),
            Err(error) => Err(failed(self.action("read"))(error)),
        }
    }

    /// The rest of the very object that was being read.
    pub(super) async fn get_from(&self, at: u64, etag: &str) -> Result<GetObjectOutput, PortError> {
        let get = self.s3.get_object().bucket(&self.bucket).key(&self.key);
        let get = get.range(format!("bytes={at}-")).if_match(etag);
        get.send().await.map_err(failed(self.action("go on reading")))
    }

    pub(super) async fn put(&self, body: Vec<u8>) -> Result<(), PortError> {
        let put = self.s3.put_object().bucket(&self.bucket).key(&self.key);
        let put = put.body(ByteStream::from(body)).send().await;
        put.map(drop).map_err(failed(self.action("write")))
    }

    /// One that is not there is deleted as well (Amazon S3 API Reference, `DeleteObject`).
    pub(super) async fn delete(&self) -> Result<(), PortError> {
        let delete = self.s3.delete_object().bucket(&self.bucket).key(&self.key);
        delete.send().await.map(drop).map_err(failed(self.action("delete")))
    }

    pub(super) async fn begin(&self) -> Result<Multipart, PortError> {
        let action = self.action("begin to write");
        let begun = self.s3.create_multipart_upload().bucket(&self.bucket).key(&self.key);
        let begun = begun.send().await.map_err(failed(action.clone()))?;
        let id = begun.upload_id().ok_or_else(|| absent(&action, "upload id"))?;
        Ok(Multipart {
            id: id.to_owned(),
            sent: Vec::new(),
        })
    }

    pub(super) async fn send(&self, multipart: &mut Multipart, piece: Vec<u8>) -> Result<(), PortError> {
        let action = self.action("write a piece of");
        let number = i32::try_from(multipart.sent.len())
            .unwrap_or(i32::MAX)
            .saturating_add(1);
        let call = self.s3.upload_part().bucket(&self.bucket).key(&self.key);
        let call = call.upload_id(&multipart.id).part_number(number);
        let answer = call.body(ByteStream::from(piece)).send().await;
        let answer = answer.map_err(failed(action.clone()))?;
        let etag = answer.e_tag().ok_or_else(|| absent(&action, "ETag"))?;
        // What S3 has checked of a piece it wants to hear again (Amazon S3 API Reference, `CompleteMultipartUpload`).
        let done = CompletedPart::builder()
            .part_number(number)
            .e_tag(etag)
            .set_checksum_crc32(answer.checksum_crc32().map(ToOwned::to_owned))
            .build();
        multipart.sent.push(done);
        Ok(())
    }

    pub(super) async fn join(&self, multipart: &Multipart) -> Result<(), PortError> {
        let parts = multipart.sent.clone();
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let join = self.s3.complete_multipart_upload().bucket(&self.bucket).key(&self.key);
        let joined = join.upload_id(&multipart.id).multipart_upload(parts).send().await;
        joined.map(drop).map_err(failed(self.action("complete")))
    }

    pub(super) async fn abort(&self, id: &str) -> Result<(), PortError> {
        let abort = self.s3.abort_multipart_upload().bucket(&self.bucket).key(&self.key);
        let aborted = abort.upload_id(id).send().await;
        aborted.map(drop).map_err(failed(self.action("give up")))
    }
}
