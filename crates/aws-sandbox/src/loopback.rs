//! A server for unit tests: hands every request to one service, as the front does, so that the AWS SDK can drive it.

use std::future::Future;
use std::sync::Arc;

use aws_credential_types::Credentials;
use http_body_util::BodyExt as _;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use crate::front::call::{Call, Reply};

pub(crate) const ACCOUNT: &str = "000000000000";
pub(crate) const REGION: &str = "eu-central-1";

/// Serves on a free port until the test's runtime ends; gives the endpoint's URL.
pub(crate) async fn serve<F, A>(answer: F) -> String
where
    F: Fn(Call) -> A + Send + Sync + 'static,
    A: Future<Output = Reply> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let answer = Arc::clone(&answer);
            let service = service_fn(move |request| {
                let answer = Arc::clone(&answer);
                async move { Ok::<_, std::convert::Infallible>(answer(call(request).await).await) }
            });
            tokio::spawn(async move {
                // A client that goes away ends its connection with an error.
                drop(
                    http1::Builder::new()
                        .timer(TokioTimer::new())
                        .serve_connection(TokioIo::new(stream), service)
                        .await,
                );
            });
        }
    });
    endpoint
}

pub(crate) fn credentials() -> Credentials {
    Credentials::new("test", "test", None, None, "unit test")
}

async fn call(request: http::Request<hyper::body::Incoming>) -> Call {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let target = parts
        .headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok()?.rsplit('.').next());
    let form = url::form_urlencoded::parse(&body)
        .find(|(name, _)| name == "Action")
        .map(|(_, action)| action.into_owned());
    let path = parts
        .uri
        .path()
        .rsplit_once("/operation/")
        .map(|(_, operation)| operation.to_owned());
    Call {
        region: REGION.to_owned(),
        account: ACCOUNT.to_owned(),
        operation: path.or(target.map(str::to_owned)).or(form).unwrap_or_default(),
        request_id: uuid::Uuid::new_v4().to_string(),
        parts,
        body,
    }
}
