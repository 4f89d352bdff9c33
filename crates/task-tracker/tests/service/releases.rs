//! Two releases on one schema: what the release before wrote and read goes on, and nobody is shown what it left.

use serde::Deserialize;
use sqlx::{AssertSqlSafe, PgConnection, Row, error::DatabaseError, raw_sql};
use uuid::Uuid;

use crate::{cluster::migrated, instance::start};

/// What the binary of a release asked of PostgreSQL while its whole API was used once, in order (`releases/record.py`). Its
/// own schema was at version 3.
const OF_SCHEMA_3: &str = include_str!("releases/schema_0003.jsonl");

#[derive(Deserialize)]
struct Asked {
    sql: String,
    values: Vec<Option<String>>,
    /// How many it found, or changed, on its own schema. Not said of what follows transactions by number, nor of what is other
    /// after a few milliseconds.
    rows: Option<u64>,
    /// The SQLSTATE by which its own schema refused it.
    refused: Option<String>,
}

#[tokio::test]
async fn what_a_release_asked_of_its_own_schema_it_gets_from_this_one() {
    let database = migrated().await;
    let mut connection = database.connect().await;
    let lines: Vec<&str> = OF_SCHEMA_3.lines().collect();
    assert!(lines.len() > 100, "a recording of the whole API");
    for line in lines {
        let asked: Asked = serde_json::from_str(line).unwrap();
        match asked.send(&mut connection).await {
            Ok(found) => assert!(
                asked.rows.is_none_or(|rows| rows == found),
                "{found} rows: {}",
                asked.sql
            ),
            Err(cause) => {
                let code = cause.as_database_error().and_then(DatabaseError::code);
                assert_eq!(code.as_deref(), asked.refused.as_deref(), "{cause}: {}", asked.sql);
            }
        }
    }
}

impl Asked {
    async fn send(&self, connection: &mut PgConnection) -> Result<u64, sqlx::Error> {
        let values: Vec<String> = self.values.iter().map(|value| literal(value.as_deref())).collect();
        let arguments = if values.is_empty() {
            String::new()
        } else {
            format!("({})", values.join(", "))
        };
        let send = async |connection: &mut PgConnection, statement: String| {
            raw_sql(AssertSqlSafe(statement)).execute(connection).await
        };
        send(connection, format!("prepare statement as {}", self.sql)).await?;
        let outcome = send(connection, format!("execute statement{arguments}")).await;
        send(connection, "deallocate statement".to_owned()).await?;
        Ok(outcome?.rows_affected())
    }
}

fn literal(value: Option<&str>) -> String {
    value.map_or_else(|| "null".to_owned(), |value| format!("'{}'", value.replace('\'', "''")))
}

/// The statements of the release that knew neither users nor anything but titles, descriptions and states of tasks.
#[tokio::test]
async fn the_statements_of_the_first_release_work_on_this_schema() {
    let service = start("").await;
    let mut connection = service.database.connect().await;
    let (project, task) = (Uuid::now_v7(), Uuid::now_v7());
    let made = sqlx::query(
        "insert into projects (id, name, description) values ($1, 'garden', '') on conflict (id) do nothing
         returning id, name, description, version, created_at, updated_at",
    )
    .bind(project)
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!(made.get::<i64, _>("version"), 1);
    let statements = [
        "insert into tasks (id, project_id, title, description, status)
         select $1, projects.id, 'dig', '', 'open' from projects where projects.id = $2 on conflict (id) do nothing
         returning id, project_id, title, description, status, version, created_at, updated_at",
        "update tasks set title = coalesce(null, title), status = 'done', version = version + 1, updated_at = now()
         where id = $1 and project_id = $2
         returning id, project_id, title, description, status, version, created_at, updated_at",
        "select id, project_id, title, description, status, version, created_at, updated_at from tasks
         where id = $1 and project_id = $2",
    ];
    for statement in statements {
        let row = sqlx::query(statement)
            .bind(task)
            .bind(project)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(row.get::<Uuid, _>("id"), task, "{statement}");
    }

    // Nobody is a member of it, so nobody sees it.
    service
        .api
        .get(&format!("/api/v1/projects/{project}"))
        .await
        .expect(404);
    service.api.get(&format!("/api/v1/tasks/{task}")).await.expect(404);
    // It becomes somebody's, and what this release adds is there with its defaults.
    let owner = service.api.get("/api/v1/me").await.expect(200).id();
    sqlx::query("insert into memberships (project_id, user_id, role) values ($1, $2, 'owner')")
        .bind(project)
        .bind(owner.parse::<Uuid>().unwrap())
        .execute(&mut connection)
        .await
        .unwrap();
    let found = service.api.get(&format!("/api/v1/tasks/{task}")).await.expect(200).body;
    assert_eq!((&found["priority"], &found["status"]), (&"none".into(), &"done".into()));
    assert!(found["rank"].as_str().unwrap().starts_with('a'));

    for statement in [
        "delete from tasks where id = $1 and project_id = $2",
        "delete from projects where id = $2 and $1::uuid is not null",
    ] {
        let deleted = sqlx::query(statement)
            .bind(task)
            .bind(project)
            .execute(&mut connection)
            .await
            .unwrap();
        assert_eq!(deleted.rows_affected(), 1, "{statement}");
    }
}
