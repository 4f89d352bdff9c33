//! The database that is moved: wide and narrow rows, text that compresses as people's does, indexes and a foreign key.

use std::process::Command;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tt_fixture::postgres::Server;

use crate::Failure;

/// As an RDS instance of this size would have them, and no wait for the disk on either side.
const SETTINGS: [&str; 6] = [
    "listen_addresses=",
    "shared_buffers=512MB",
    "maintenance_work_mem=128MB",
    "max_wal_size=4GB",
    "fsync=off",
    "synchronous_commit=off",
];

/// Rows for a megabyte of tables and indexes, as measured with `pg_database_size`.
const TASKS_A_MEGABYTE: u32 = 1300;
const EVENTS_A_MEGABYTE: u32 = 2600;

/// A server with the database `source`.
pub(crate) struct Bench(Server);

impl Bench {
    pub(crate) async fn filled(megabytes: u32) -> Result<Self, Failure> {
        let bench = Self(Server::start(&SETTINGS));
        run(&bench.url("postgres"), "CREATE DATABASE source").await?;
        let (tasks, events) = (megabytes * TASKS_A_MEGABYTE, megabytes * EVENTS_A_MEGABYTE);
        let fill = format!(
            "CREATE TABLE tasks (id bigint PRIMARY KEY, owner uuid NOT NULL, title text NOT NULL, note text, state text NOT NULL, \
             made timestamptz NOT NULL, due date, weight numeric(8, 2));
             INSERT INTO tasks SELECT i, md5((i % 5000)::text)::uuid, 'Task number ' || i || ' of project ' || i % 977, \
             repeat('Somebody has to look at ' || md5(i::text) || ' before it is done. ', 1 + i % 4), \
             (ARRAY['open', 'doing', 'done'])[1 + i % 3], '2026-01-01'::timestamptz + i * '7 s'::interval, \
             '2026-06-01'::date + i % 90, i % 10000 / 7.0 FROM generate_series(1, {tasks}) i;
             CREATE TABLE events (id bigint PRIMARY KEY, task bigint NOT NULL, kind smallint NOT NULL, at timestamptz NOT NULL, detail jsonb);
             INSERT INTO events SELECT i, 1 + i::bigint * 7919 % {tasks}, i % 12, '2026-01-01'::timestamptz + i * '3 s'::interval, \
             jsonb_build_object('from', i % 3, 'to', (i + 1) % 3, 'by', md5((i % 5000)::text)) FROM generate_series(1, {events}) i;
             CREATE INDEX tasks_of_owner ON tasks (owner, state);
             CREATE INDEX tasks_due ON tasks (due) WHERE state <> 'done';
             CREATE INDEX events_of_task ON events (task, at);
             ALTER TABLE events ADD FOREIGN KEY (task) REFERENCES tasks;
             VACUUM ANALYZE"
        );
        for statement in fill.split(";\n") {
            run(&bench.url("source"), statement).await?;
        }
        Ok(bench)
    }

    pub(crate) fn url(&self, database: &str) -> String {
        self.0.url(database)
    }

    /// A client program that is pointed at the server.
    pub(crate) fn client(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let socket = self.0.socket();
        command
            .env("PGHOST", socket.parent().unwrap_or(&socket))
            .env("PGUSER", "postgres");
        command
    }

    pub(crate) async fn bytes(&self) -> Result<i64, Failure> {
        let mut connection = PgConnection::connect(&self.url("source")).await?;
        let size = sqlx::query_scalar("SELECT pg_database_size('source')");
        Ok(size.fetch_one(&mut connection).await?)
    }
}

async fn run(url: &str, statement: &str) -> Result<(), Failure> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
        .execute(&mut connection)
        .await?;
    Ok(())
}
