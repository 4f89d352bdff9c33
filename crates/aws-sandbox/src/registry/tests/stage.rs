//! A registry behind HTTP, and what a client does with it.

use std::collections::BTreeMap;
use std::convert::Infallible;

use http_body_util::{BodyExt as _, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::super::unpack::{ImageDescription, PullError};
use super::super::*;

pub(super) struct Stage {
    pub(super) registry: Arc<Registry>,
    pub(super) address: String,
    pub(super) folder: tempfile::TempDir,
    client: hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>,
    _server: AbortOnDropHandle<()>,
}

/// An image as a folder, and what it says about itself.
#[derive(Debug)]
pub(super) struct Unpacked {
    pub(super) rootfs: PathBuf,
    pub(super) image: ImageDescription,
}

impl Stage {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(folder.path()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let serving = Arc::clone(&registry);
        let server = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let registry = Arc::clone(&serving);
                let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    let registry = Arc::clone(&registry);
                    let (parts, body) = request.into_parts();
                    async move { Ok::<_, Infallible>(registry.answer(parts, body).await) }
                });
                tokio::spawn(async move {
                    drop(
                        http1::Builder::new()
                            .serve_connection(TokioIo::new(stream), service)
                            .await,
                    );
                });
            }
        });
        Self {
            registry,
            address,
            folder,
            client: hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http(),
            _server: AbortOnDropHandle::new(server),
        }
    }

    pub(super) fn program(&self, text: &str) -> Program {
        let file = self.folder.path().join("serve");
        fs::write(&file, text).unwrap();
        Program {
            file,
            arguments: vec![String::from("--port"), String::from("8080")],
            environment: BTreeMap::from([(String::from("LEVEL"), String::from("a=b"))]),
            labels: BTreeMap::new(),
            ports: vec![8080],
        }
    }

    pub(super) async fn push(&self, text: &str, name: &str) -> Digest {
        let image = pack(&self.program(text)).unwrap();
        let destination = format!("{}/{name}", self.address).parse().unwrap();
        push(&image, &destination, None).await.unwrap()
    }

    pub(super) async fn unpack(&self, reference: &str) -> Result<Unpacked, PullError> {
        self.unpack_of("team/web", reference).await
    }

    pub(super) async fn unpack_of(&self, repository: &str, reference: &str) -> Result<Unpacked, PullError> {
        let into = self.folder.path().join("images");
        let image = self.registry.describe(repository, reference)?;
        let rootfs = self.registry.unpack(repository, reference, &into).await?;
        Ok(Unpacked { rootfs, image })
    }

    pub(super) async fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Response<Bytes> {
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = self
            .client
            .request(request.body(Full::new(body.into())).unwrap())
            .await
            .unwrap();
        let (parts, body) = answer.into_parts();
        Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
    }
}

pub(super) fn location(answer: &Response<Bytes>) -> String {
    answer.headers()[http::header::LOCATION].to_str().unwrap().to_owned()
}

pub(super) fn code(answer: &Response<Bytes>) -> (u16, String) {
    let body: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
    (
        answer.status().as_u16(),
        body["errors"][0]["code"].as_str().unwrap().to_owned(),
    )
}
