//! Makes the project that the load works in, and its first tasks.

use std::time::Duration;

use hyper::{Method, StatusCode};
use serde::Serialize;
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    client::{Client, Exchange, NotAUrl, Question},
    ledger::{Ledger, title},
};

/// Enough for the first second of reads and changes to spread over.
const FIRST_TASKS: u64 = 50;
const PATIENCE: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(100);
/// Numbers below this belong to the load itself.
const FIRST_NUMBER: u64 = 1 << 48;

/// Why no load was sent.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The base URL cannot be used.
    #[error("could not tell where to send the load")]
    Url(#[source] NotAUrl),
    /// The histogram of latencies refused its bounds.
    #[error("could not set up the counting")]
    Counting(#[source] hdrhistogram::CreationError),
    /// The service did not take the project or its first tasks.
    #[error("could not prepare the load: {method} {path} failed for 10 s: {last}")]
    Prepare {
        /// The request that failed.
        method: Method,
        /// Its path.
        path: String,
        /// The last status or error.
        last: String,
    },
    /// It was told to stop before the load had begun.
    #[error("stopped before the load had begun")]
    Stopped,
}

#[derive(Serialize)]
struct NewProject {
    id: Uuid,
    name: &'static str,
}

#[derive(Serialize)]
struct NewTask {
    id: Uuid,
    title: String,
}

/// Creates are repeated under the same id until they are acknowledged, so one lost answer does no harm.
pub(crate) async fn project(client: &Client) -> Result<(Uuid, Ledger), LoadError> {
    let project = Uuid::now_v7();
    insist(
        client,
        "/api/v1/projects".to_owned(),
        &NewProject {
            id: project,
            name: "load",
        },
    )
    .await?;
    let mut ledger = Ledger::default();
    for number in FIRST_NUMBER..FIRST_NUMBER + FIRST_TASKS {
        let task = Uuid::now_v7();
        let new = NewTask {
            id: task,
            title: title(task, number),
        };
        insist(client, format!("/api/v1/projects/{project}/tasks"), &new).await?;
        ledger.created(task, number);
    }
    Ok((project, ledger))
}

async fn insist(client: &Client, path: String, new: &impl Serialize) -> Result<(), LoadError> {
    let begun = Instant::now();
    let body = serde_json::to_vec(new).unwrap_or_default();
    loop {
        let question = Question {
            method: Method::POST,
            path: path.clone(),
            if_match: None,
            body: Some(body.clone()),
        };
        let exchange = client.ask(question).await;
        let Some(last) = refusal(exchange) else {
            return Ok(());
        };
        if begun.elapsed() >= PATIENCE {
            return Err(LoadError::Prepare {
                method: Method::POST,
                path,
                last,
            });
        }
        tokio::time::sleep(AGAIN).await;
    }
}

fn refusal(exchange: Exchange) -> Option<String> {
    match exchange.outcome {
        Ok(answer) if matches!(answer.status, StatusCode::CREATED | StatusCode::OK) => None,
        Ok(answer) => Some(answer.status.to_string()),
        Err(error) => Some(error),
    }
}
