//! One running instance of the service inside the test process.

use std::net::SocketAddr;

use axum::Router;
use clap::Parser;
use serde_json::json;
use task_tracker::{DatabaseUrl, Lifecycle, Secrets, Service, Settings, Unfinished};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::{
    api::Api,
    cluster::{self, Database},
    line::within,
};

/// Where the environment has keys.
pub(crate) const WEBHOOK_KEYS: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    settings: Settings,
}

/// Settings as a command line would give them, on ports of the system's choice.
pub(crate) fn settings(flags: &str) -> Settings {
    let always = "serve --host 127.0.0.1 --port 0 --metrics-port 0 --release 1.2.3 --drain-seconds 0";
    // A flag given twice counts by its last value only where that is asked for; here the test's own comes instead.
    let own: Vec<&str> = flags.split_whitespace().collect();
    let mut words: Vec<&str> = own.clone();
    words.insert(0, "serve");
    for pair in always.split_whitespace().skip(1).collect::<Vec<_>>().chunks(2) {
        if !own.contains(&pair[0]) {
            words.extend(pair);
        }
    }
    let mut settings = Arguments::parse_from(words).settings;
    settings.secrets = Secrets::read(secret).unwrap();
    settings
}

/// What stands in the environment of this instance.
fn secret(name: &str) -> Option<String> {
    let value = match name {
        "WEBHOOK_KEYS" => WEBHOOK_KEYS,
        // A pair whose signatures a sandbox checks.
        "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => "sandbox",
        _ => return None,
    };
    Some(value.to_owned())
}

/// With a user, Ann, whose session `api` has.
pub(crate) struct Instance {
    pub(crate) api: Api,
    pub(crate) database: Database,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) address: SocketAddr,
    pub(crate) metrics: SocketAddr,
    running: JoinHandle<Result<(), Unfinished>>,
}

/// Starts the service on a fresh database.
pub(crate) async fn start(flags: &str) -> Instance {
    let database = cluster::migrated().await;
    let url = database.parsed_url();
    start_on(database, &url, flags).await
}

pub(crate) async fn start_on(database: Database, url: &DatabaseUrl, flags: &str) -> Instance {
    start_as(database, url, settings(flags)).await
}

/// Starts the service on a fresh database.
pub(crate) async fn start_with(settings: Settings) -> Instance {
    let database = cluster::migrated().await;
    let url = database.parsed_url();
    start_as(database, &url, settings).await
}

/// Starts the service on a fresh database, with something around its routes.
pub(crate) async fn start_dressed(flags: &str, dress: impl FnOnce(Router) -> Router) -> Instance {
    let database = cluster::migrated().await;
    let url = database.parsed_url();
    start_as_dressed(database, &url, settings(flags), dress).await
}

/// A process beside another on its database, as during a deploy.
pub(crate) struct Another {
    pub(crate) address: SocketAddr,
    pub(crate) lifecycle: Lifecycle,
    running: JoinHandle<Result<(), Unfinished>>,
}

pub(crate) async fn another_on(url: &DatabaseUrl, flags: &str) -> Another {
    let service = Service::start(settings(flags), url, |routes| routes).await.unwrap();
    Another {
        address: service.address(),
        lifecycle: service.lifecycle(),
        running: tokio::spawn(service.run()),
    }
}

impl Another {
    /// How the process ended; it must do so soon.
    pub(crate) async fn ended(self) -> Result<(), Unfinished> {
        within(self.running).await.unwrap()
    }
}

/// Starts the service on this database with these settings.
pub(crate) async fn start_as(database: Database, url: &DatabaseUrl, settings: Settings) -> Instance {
    start_as_dressed(database, url, settings, |routes| routes).await
}

async fn start_as_dressed(
    database: Database,
    url: &DatabaseUrl,
    settings: Settings,
    dress: impl FnOnce(Router) -> Router,
) -> Instance {
    let (_, secret) = database.user("ann").await;
    let service = Service::start(settings, url, dress).await.unwrap();
    let (address, metrics, lifecycle) = (service.address(), service.metrics_address(), service.lifecycle());
    let running = tokio::spawn(service.run());
    Instance {
        api: Api::at(address).with_session(&secret),
        database,
        lifecycle,
        address,
        metrics,
        running,
    }
}

impl Instance {
    /// Another user, and a client that is logged in as this user.
    pub(crate) async fn user(&self, name: &str) -> (Uuid, Api) {
        let (id, secret) = self.database.user(name).await;
        (id, self.api.with_session(&secret))
    }

    /// Another user whom Ann invited into her project.
    pub(crate) async fn member(&self, project: &str, name: &str, role: &str) -> (Uuid, Api) {
        let (id, api) = self.user(name).await;
        let path = format!("/api/v1/projects/{project}/invitations");
        let invited = self.api.post(&path, json!({ "role": role })).await.expect(201);
        let token = json!({ "token": invited.body["token"] });
        api.post("/api/v1/invitations/accept", token).await.expect(200);
        (id, api)
    }

    /// How the process ended; it must do so soon.
    pub(crate) async fn ended(self) -> Result<(), Unfinished> {
        within(self.running).await.unwrap()
    }
}
