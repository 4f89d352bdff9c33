//! An empty database for every test, in the PostgreSQL of this process.

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tt_export::DatabaseUrl;
use tt_fixture::postgres::Server;
use uuid::Uuid;

/// A database of one test.
pub(crate) struct Database(String);

pub(crate) async fn database() -> Database {
    let name = format!("t_{}", Uuid::new_v4().simple());
    let mut connection = PgConnection::connect(&address("postgres")).await.unwrap();
    run(&mut connection, &format!("CREATE DATABASE {name}")).await;
    Database(name)
}

impl Database {
    pub(crate) fn url(&self) -> DatabaseUrl {
        DatabaseUrl::parse(&address(&self.0)).unwrap()
    }

    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect(&address(&self.0)).await.unwrap()
    }

    pub(crate) async fn run(&self, statements: &str) {
        run(&mut self.connect().await, statements).await;
    }

    /// The text of the one value that a statement answers.
    pub(crate) async fn ask(&self, statement: &str) -> String {
        let statement = format!("SELECT coalesce(({statement})::text, 'nothing')");
        let mut connection = self.connect().await;
        sqlx::query_scalar(AssertSqlSafe(statement))
            .fetch_one(&mut connection)
            .await
            .unwrap()
    }
}

async fn run(connection: &mut PgConnection, statements: &str) {
    connection
        .execute(sqlx::raw_sql(AssertSqlSafe(statements.to_owned())))
        .await
        .unwrap();
}

fn address(database: &str) -> String {
    Server::shared().url(database)
}
