//! An empty database for every test, in the PostgreSQL of this process.

use std::sync::OnceLock;

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tt_fixture::postgres::Server;
use tt_migrate::PgConnectOptions;

/// The database of one test.
pub(crate) struct Database {
    server: &'static Server,
    name: String,
}

impl Database {
    pub(crate) async fn empty() -> Self {
        Self::made(Server::shared(), "").await
    }

    /// On a server of its own, with a tablespace `small` of 4 MB. `Err` says why this user may not mount a disk.
    #[allow(dead_code, reason = "the benchmark, which shares this file, has room enough")]
    pub(crate) async fn with_a_small_disk() -> Result<Self, &'static str> {
        static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
        let server = SERVER.get_or_init(|| Server::with_a_small_disk(4 << 20)).as_ref();
        let database = Self::made(server.map_err(String::as_str)?, "").await;
        let small = database.server.small_disk();
        database
            .execute(&format!("create tablespace small location '{}'", small.display()))
            .await;
        Ok(database)
    }

    /// A copy of everything in it.
    #[allow(dead_code, reason = "only the benchmark, which shares this file, needs copies")]
    pub(crate) async fn copy(&self) -> Self {
        Self::made(self.server, &format!("template {}", self.name)).await
    }

    /// Takes it away, for room on the disk.
    #[allow(
        dead_code,
        reason = "only the benchmark, which shares this file, makes databases that large"
    )]
    pub(crate) async fn drop(self) {
        let mut connection = connect(self.server, "postgres").await;
        execute(&mut connection, &format!("drop database {} with (force)", self.name)).await;
        connection.close().await.unwrap();
    }

    async fn made(server: &'static Server, options: &str) -> Self {
        let name = format!("t_{:016x}", rand::random::<u64>());
        let mut connection = connect(server, "postgres").await;
        execute(
            &mut connection,
            &format!("create database {name} {options} strategy file_copy"),
        )
        .await;
        connection.close().await.unwrap();
        Self { server, name }
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
        self.server.url(&self.name)
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
        connect(self.server, &self.name).await
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

async fn connect(server: &Server, database: &str) -> PgConnection {
    PgConnection::connect(&server.url(database)).await.unwrap()
}
