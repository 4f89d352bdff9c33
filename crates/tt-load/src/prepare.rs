//! Makes the users that the load comes from, the project they work in, and its first tasks.

use std::time::Duration;

use hyper::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    client::{Answer, Client, NotAUrl, Question, User},
    ledger::{Ledger, title},
};

/// Enough for the first second of reads and changes to spread over.
const FIRST_TASKS: u64 = 50;
const PATIENCE: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(100);
/// A user may make 6000 changes a minute (the service's own limit), and three requests of ten are changes, so one user
/// more for so many requests a second stays well below it.
const REQUESTS_OF_ONE_USER: u32 = 200;
const MOST_USERS: u32 = 50;
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
    /// The service did not take the users, the project or its first tasks.
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

#[derive(Serialize)]
struct NewAccount {
    email: String,
    name: &'static str,
    password: String,
}

#[derive(Serialize)]
struct NewInvitation {
    role: &'static str,
}

/// Of an invitation as it is made, and of its acceptance.
#[derive(Serialize, Deserialize)]
struct Token {
    token: String,
}

/// What the load works on.
pub(crate) struct Stage {
    pub(crate) project: Uuid,
    /// At least one; the first owns the project, the others edit it.
    pub(crate) users: Vec<User>,
    pub(crate) ledger: Ledger,
}

/// Creates are repeated under the same id until they are acknowledged, so one lost answer does no harm.
pub(crate) async fn stage(client: &Client, rate_per_second: u32) -> Result<Stage, LoadError> {
    let owner = register(client).await?;
    let project = Uuid::now_v7();
    let new = NewProject {
        id: project,
        name: "load",
    };
    insist(client, &owner, "/api/v1/projects".to_owned(), &new).await?;
    let mut users = vec![owner];
    for _ in 0..(rate_per_second / REQUESTS_OF_ONE_USER).min(MOST_USERS) {
        let editor = invite(client, &users[0], project).await?;
        users.push(editor);
    }
    let mut ledger = Ledger::default();
    for number in FIRST_NUMBER..FIRST_NUMBER + FIRST_TASKS {
        let task = Uuid::now_v7();
        let new = NewTask {
            id: task,
            title: title(task, number),
        };
        insist(client, &users[0], format!("/api/v1/projects/{project}/tasks"), &new).await?;
        ledger.created(task, number);
    }
    Ok(Stage { project, users, ledger })
}

/// A new user each time: an account whose answer was lost is left behind.
async fn register(client: &Client) -> Result<User, LoadError> {
    let path = "/api/v1/accounts";
    let registered = until_accepted(client, path, || Question {
        body: Some(json(&NewAccount {
            email: format!("{}@load.example", Uuid::now_v7().simple()),
            name: "load",
            password: Uuid::new_v4().to_string(),
        })),
        ..post(path.to_owned())
    });
    registered.await?.user().ok_or_else(|| odd(path, "no session"))
}

async fn invite(client: &Client, owner: &User, project: Uuid) -> Result<User, LoadError> {
    let path = format!("/api/v1/projects/{project}/invitations");
    let invited = insist(client, owner, path.clone(), &NewInvitation { role: "editor" }).await?;
    let token: Token = serde_json::from_slice(&invited.body).map_err(|_| odd(&path, "no token"))?;
    let editor = register(client).await?;
    // Under a key, or a second try after a lost answer would find the invitation used.
    insist(client, &editor, "/api/v1/invitations/accept".to_owned(), &token).await?;
    Ok(editor)
}

fn odd(path: &str, what: &str) -> LoadError {
    LoadError::Prepare {
        method: Method::POST,
        path: path.to_owned(),
        last: format!("an answer with {what}"),
    }
}

fn post(path: String) -> Question {
    Question {
        method: Method::POST,
        ..Question::get(path)
    }
}

fn json(new: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(new).unwrap_or_default()
}

async fn insist(client: &Client, user: &User, path: String, new: &impl Serialize) -> Result<Answer, LoadError> {
    let body = json(new);
    let key = Uuid::new_v4();
    until_accepted(client, &path, || {
        Question {
            body: Some(body.clone()),
            key: Some(key),
            ..post(path.clone())
        }
        .by(user)
    })
    .await
}

async fn until_accepted(client: &Client, path: &str, question: impl Fn() -> Question) -> Result<Answer, LoadError> {
    let begun = Instant::now();
    loop {
        let last = match client.ask(question()).await.outcome {
            Ok(answer) if matches!(answer.status, StatusCode::CREATED | StatusCode::OK) => return Ok(answer),
            Ok(answer) => answer.status.to_string(),
            Err(error) => error,
        };
        if begun.elapsed() >= PATIENCE {
            return Err(LoadError::Prepare {
                method: Method::POST,
                path: path.to_owned(),
                last,
            });
        }
        tokio::time::sleep(AGAIN).await;
    }
}
