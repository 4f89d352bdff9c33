//! An empty database for every test, in the PostgreSQL of this process.

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tt_fixture::postgres::Server;
use tt_migrate::PgConnectOptions;

/// The database of one test.
pub(crate) struct Database {
    name: String,
}

impl Database {
    pub(crate) async fn empty() -> Self {
        Self::made("").await
    }

    /// A copy of everything in it.
    #[allow(dead_code, reason = "only the benchmark, which shares this file, needs copies")]
    pub(crate) async fn copy(&self) -> Self {
        Self::made(&format!("template {}", self.name)).await
    }

    /// Takes it away, for room on the disk.
    #[allow(
        dead_code,
        reason = "only the benchmark, which shares this file, makes databases that large"
    )]
    pub(crate) async fn drop(self) {
        let mut connection = connect("postgres").await;
        execute(&mut connection, &format!("drop database {} with (force)", self.name)).await;
        connection.close().await.unwrap();
    }

    async fn made(options: &str) -> Self {
        let name = format!("t_{:016x}", rand::random::<u64>());
        let mut connection = connect("postgres").await;
        execute(
            &mut connection,
            &format!("create database {name} {options} strategy file_copy"),
        )
        .await;
        connection.close().await.unwrap();
        Self { name }
    }

    /// With a table `t (id, a)` of so many rows.
    #[allow(dead_code, reason = "the benchmark, which shares this file, has a table of its own")]
    pub(crate) async fn with_rows(rows: u32) -> Self {
        let database = Self::empty().await;
        database
            .execute(&format!(
                "create table t (id bigint primary key, a int);\
                 insert into t select n, n from generate_series(1, {rows}) n; analyze t"
            ))
            .await;
        database
    }

    pub(crate) fn url(&self) -> String {
        url(&self.name)
    }

    pub(crate) fn target(&self) -> PgConnectOptions {
        tt_migrate::target(&self.url()).unwrap()
    }

    /// The same database by way of an address that leads to the server.
    #[allow(
        dead_code,
        reason = "the benchmark, which shares this file, goes straight to the server"
    )]
    pub(crate) fn target_by(&self, address: std::net::SocketAddr) -> PgConnectOptions {
        tt_migrate::target(&format!("postgres://postgres@{address}/{}?sslmode=disable", self.name)).unwrap()
    }

    /// A session that the engine knows nothing of.
    pub(crate) async fn connect(&self) -> PgConnection {
        connect(&self.name).await
    }

    pub(crate) async fn execute(&self, sql: &str) {
        let mut connection = self.connect().await;
        execute(&mut connection, sql).await;
        connection.close().await.unwrap();
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let mut connection = self.connect().await;
        let number = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
            .fetch_one(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        number
    }
}

pub(crate) async fn execute(connection: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(connection)
        .await
        .unwrap();
}

async fn connect(database: &str) -> PgConnection {
    PgConnection::connect(&url(database)).await.unwrap()
}

fn url(database: &str) -> String {
    Server::shared().url(database)
}
