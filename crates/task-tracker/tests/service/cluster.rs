//! A fresh database for every test, in the PostgreSQL of this process.

use std::{fs, time::Duration};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use task_tracker::{DatabaseUrl, migrate};
use tokio::sync::OnceCell;
use tt_fixture::postgres::Server;
use uuid::Uuid;

/// A database of one test.
pub(crate) struct Database {
    name: String,
}

/// A database without any tables.
pub(crate) async fn empty() -> Database {
    create("template1").await
}

/// A database with the schema of this release.
pub(crate) async fn migrated() -> Database {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    let template = TEMPLATE
        .get_or_init(async || {
            let template = empty().await;
            migrate::to_latest(&template.parsed_url(), Duration::from_secs(30))
                .await
                .unwrap();
            template.name
        })
        .await;
    create(template).await
}

/// What a release without its schema says: which version it needs is the number of its newest migration.
pub(crate) fn needs_its_schema() -> String {
    let files = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap();
    let numbers = files.map(|file| file.unwrap().file_name().to_string_lossy()[..4].parse::<u32>().unwrap());
    let newest = numbers.max().unwrap();
    format!("the schema is at version 0 and this release needs {newest}: run `task-tracker migrate` first")
}

async fn create(template: &str) -> Database {
    let name = format!("t_{}", Uuid::now_v7().simple());
    let mut connection = connect("postgres").await;
    sqlx::query(AssertSqlSafe(format!(
        "create database {name} template {template} strategy file_copy"
    )))
    .execute(&mut connection)
    .await
    .unwrap();
    connection.close().await.unwrap();
    Database { name }
}

async fn connect(database: &str) -> PgConnection {
    PgConnection::connect(&url(database)).await.unwrap()
}

fn url(database: &str) -> String {
    Server::shared().url(database)
}

impl Database {
    pub(crate) fn url(&self) -> String {
        url(&self.name)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn parsed_url(&self) -> DatabaseUrl {
        DatabaseUrl::parse(&self.url()).unwrap()
    }

    /// The same database by way of a TCP address that leads to the server.
    pub(crate) fn url_by(&self, address: std::net::SocketAddr) -> DatabaseUrl {
        DatabaseUrl::parse(&format!("postgres://postgres@{address}/{}", self.name)).unwrap()
    }

    /// A user with a session, as registering would leave them but without the time that a password takes: the id, and
    /// the session's secret.
    pub(crate) async fn user(&self, name: &str) -> (Uuid, String) {
        let (id, secret) = (Uuid::now_v7(), Uuid::new_v4().to_string());
        let mut connection = self.connect().await;
        sqlx::query(
            "with made as (
                insert into users (id, email, name, password_hash) values ($1, $2, $3, '') returning id
             )
             insert into sessions (id, user_id, token_sha256, expires_at)
             select $4, id, sha256(convert_to($5, 'UTF8')), now() + interval '1 day' from made",
        )
        .bind(id)
        .bind(format!("{name}.{}@example.com", secret.split_once('-').unwrap().0))
        .bind(name)
        .bind(Uuid::now_v7())
        .bind(&secret)
        .execute(&mut connection)
        .await
        .unwrap();
        (id, secret)
    }

    /// A connection that the service knows nothing of.
    pub(crate) async fn connect(&self) -> PgConnection {
        connect(&self.name).await
    }
}
