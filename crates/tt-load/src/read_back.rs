//! Reads everything back when the load has ended, and compares it with the ledger.
//!
//! Pages of a hundred tasks first; only a task that no page shows is asked for by itself before it counts as lost.

use std::time::Duration;

use hyper::StatusCode;
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    client::{Answer, Client, Question, User},
    ledger::{Audit, Balance, Ledger, Row},
};

const TRIES: u32 = 10;
const AGAIN: Duration = Duration::from_millis(200);

#[derive(Deserialize)]
struct Page {
    items: Vec<Row>,
    next_cursor: Option<String>,
}

/// Every acknowledged write is verified, lost, or (when the service stays silent) neither.
pub(crate) async fn compare(client: &Client, user: &User, project: Uuid, ledger: Ledger) -> Balance {
    let mut audit = ledger.audit();
    if compare_pages(client, user, project, &mut audit).await.is_some() {
        compare_missing(client, user, &mut audit).await;
    }
    audit.balance()
}

async fn compare_pages(client: &Client, user: &User, project: Uuid, audit: &mut Audit) -> Option<()> {
    let mut cursor = String::new();
    loop {
        let path = format!("/api/v1/projects/{project}/tasks?limit=100{cursor}");
        let answer = insist(client, user, &path).await?;
        if answer.status == StatusCode::NOT_FOUND {
            // The project itself is gone; its tasks are asked for one by one.
            return Some(());
        }
        let page: Page = serde_json::from_slice(&answer.body).ok()?;
        page.items.iter().for_each(|row| audit.compare(row));
        match page.next_cursor {
            Some(next) if !page.items.is_empty() => cursor = format!("&cursor={next}"),
            _ => return Some(()),
        }
    }
}

async fn compare_missing(client: &Client, user: &User, audit: &mut Audit) {
    for task in audit.unseen() {
        let Some(answer) = insist(client, user, &format!("/api/v1/tasks/{task}")).await else {
            return;
        };
        if answer.status == StatusCode::NOT_FOUND {
            audit.missing(task);
        } else if let Ok(row) = serde_json::from_slice(&answer.body) {
            audit.compare(&row);
        }
    }
}

/// Reading may be repeated, and is: the load is over, only the truth is wanted. None when the service never answers.
async fn insist(client: &Client, user: &User, path: &str) -> Option<Answer> {
    for _ in 0..TRIES {
        let exchange = client.ask(Question::get(path.to_owned()).by(user)).await;
        if let Ok(answer) = exchange.outcome
            && matches!(answer.status, StatusCode::OK | StatusCode::NOT_FOUND)
        {
            return Some(answer);
        }
        tokio::time::sleep(AGAIN).await;
    }
    None
}
