//! Many tasks of a project in one request: all of them change, or none does.
//!
//! However many there are, it is one statement, each task with an event of its own; a refusal takes one more to say why.

mod asked;
mod statement;

use std::collections::BTreeSet;

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::{Caller, throttle},
    database::Database,
    extract::{Body, Id},
    problem::{Problem, Refused},
    project,
    router::Context,
    task::{
        VIEWERS_LOOK,
        fields::{Few, Priority, Status, of_elsewhere, of_the_project},
        move_to::{Beside, places},
        tree,
    },
    version::Version,
    write::{self, Done, Failed, Write},
};
use asked::{BulkChange, BulkFields, BulkMove, Chosen, What};
use statement::{DELETE, PUT, SET};

/// What became of them, in the order in which they were named; of those that were deleted there is nothing to tell.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct BulkChanged {
    tasks: Vec<ChangedTask>,
}

/// What the service chose for a task; the rest is what was asked for.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ChangedTask {
    id: Uuid,
    version: Version,
    status: Status,
    rank: String,
}

/// Change many tasks
///
/// For owners and editors. Up to 100 of one project, all or none: their fields, their place, or that they are there. When one
/// is not there or has another version than was named, nothing happens, and the answer says which. Counts as as many changes as
/// it names tasks.
#[utoipa::path(
    post, path = "/api/v1/projects/{id}/tasks/bulk", operation_id = "change_tasks", tag = "tasks",
    params(("id" = Uuid, Path, description = "The project")),
    request_body = BulkChange,
    responses(
        (status = 200, description = "All of them are changed", body = BulkChanged),
        (status = 404, description = "There is no such project for the caller, or not each of these tasks in it"),
        (status = 412, description = "Some of them were changed since"),
    ),
    security(("session" = []), ("token" = ["tasks:write"])),
)]
pub(crate) async fn change(
    State(context): State<Context>,
    caller: Caller,
    Id(project_id): Id,
    Body(asked): Body<BulkChange>,
) -> Result<Response, Problem> {
    let ids = asked.tasks.ids();
    if ids.iter().collect::<BTreeSet<_>>().len() < ids.len() {
        return Err(Problem::Rule("name each task once"));
    }
    let what = asked.what()?;
    let allowance = throttle::charge_others(&context, &caller, ids.len()).await?;
    let bulk = Bulk {
        caller: &caller,
        project_id,
        tasks: &asked.tasks,
    };
    let mut response = bulk.carry_out(&context.database, what).await.into_response();
    if let Some(allowance) = allowance {
        allowance.write(response.headers_mut());
    }
    Ok(response)
}

struct Bulk<'b> {
    caller: &'b Caller,
    project_id: Uuid,
    tasks: &'b Chosen,
}

type Outcome = Result<Option<Done<BulkChanged>>, Failed>;

impl Bulk<'_> {
    async fn carry_out(&self, database: &Database, what: What<'_>) -> Result<Response, Problem> {
        let done = match what {
            What::Set(fields) => self.set(database, fields).await,
            What::Put(place) => self.put(database, place).await,
            What::Delete => self.delete(database).await,
        };
        match done.map_err(tree::refused)? {
            Some(done) => Ok(done.respond_plainly()),
            None => Err(self.refusal(&mut *database.connection().await?, what).await),
        }
    }

    async fn set(&self, database: &Database, fields: &BulkFields) -> Outcome {
        let ids = |few: &Option<Few>| few.clone().map(Vec::from).unwrap_or_default();
        self.write("task.changed", SET)
            .bind(fields.status.map(Status::as_str))
            .bind(fields.priority.map(Priority::as_str))
            .bind(!fields.due_at.is_absent())
            .bind(fields.due_at.value().map(OffsetDateTime::from))
            .bind(ids(&fields.add_assignee_ids))
            .bind(ids(&fields.remove_assignee_ids))
            .bind(ids(&fields.add_label_ids))
            .bind(ids(&fields.remove_label_ids))
            .bind(!fields.parent_id.is_absent())
            .bind(fields.parent_id.value())
            .run(database)
            .await
    }

    async fn put(&self, database: &Database, place: &BulkMove) -> Outcome {
        // The neighbour may have gone since the move that this may be a repetition of.
        if let Some(done) = write::before(self.caller, database).await? {
            return Ok(Some(done));
        }
        let beside = Beside {
            after: place.after,
            before: place.before,
        };
        project::role(&mut *database.connection().await?, self.caller, self.project_id).await?;
        let ranks = places(database, self.caller, &self.tasks.ids(), beside).await?;
        self.write("task.moved", PUT)
            .bind(ranks)
            .bind(place.status.map(Status::as_str))
            .run(database)
            .await
    }

    async fn delete(&self, database: &Database) -> Outcome {
        self.write("task.deleted", DELETE).run(database).await
    }

    fn write(&self, action: &'static str, sql: &'static str) -> Write<'_, BulkChanged> {
        Write::new(self.caller, action, StatusCode::OK, sql)
            .bind(self.project_id)
            .bind(self.tasks.ids())
            .bind(self.tasks.versions())
    }

    /// Why nothing was touched.
    async fn refusal(&self, connection: &mut PgConnection, what: What<'_>) -> Problem {
        match project::role(connection, self.caller, self.project_id).await {
            Ok(role) if role.edits() => {}
            Ok(_) => return Problem::Forbidden(VIEWERS_LOOK),
            Err(problem) => return problem,
        }
        let refused: Result<Vec<(Uuid, Option<i64>)>, sqlx::Error> = sqlx::query_as(
            "select asked.id, tasks.version
             from unnest($2::uuid[], $3::bigint[]) with ordinality as asked (id, version, place)
             left join tasks on tasks.id = asked.id and tasks.project_id = $1
             where tasks.id is null or tasks.version <> asked.version order by asked.place",
        )
        .bind(self.project_id)
        .bind(self.tasks.ids())
        .bind(self.tasks.versions())
        .fetch_all(&mut *connection)
        .await;
        match refused {
            Err(cause) => Problem::of_database(&cause),
            Ok(refused) if !refused.is_empty() => among(refused),
            Ok(_) => match what {
                What::Set(fields) => self.misfit(connection, fields).await,
                // They were as asked for the second time only.
                What::Put(_) | What::Delete => Problem::Busy,
            },
        }
    }

    /// Every task could be changed, and not into what was asked.
    async fn misfit(&self, connection: &mut PgConnection, fields: &BulkFields) -> Problem {
        let ids = |few: &Option<Few>| few.clone().map(Vec::from).unwrap_or_default();
        let fits: Result<bool, sqlx::Error> =
            sqlx::query_scalar(concat!("select ", of_the_project!("$1", "$2", "$3", "$4")))
                .bind(self.project_id)
                .bind(ids(&fields.add_assignee_ids))
                .bind(ids(&fields.add_label_ids))
                .bind(fields.parent_id.value())
                .fetch_one(connection)
                .await;
        match fits {
            Ok(true) => Problem::Rule("a task has at most 20 assignees and 20 labels"),
            Ok(false) => of_elsewhere(),
            Err(cause) => Problem::of_database(&cause),
        }
    }
}

fn among(refused: Vec<(Uuid, Option<i64>)>) -> Problem {
    let refused: Vec<Refused> = refused
        .into_iter()
        .map(|(id, version)| Refused {
            id,
            version: version.map(Version::from),
        })
        .collect();
    if refused.iter().all(|one| one.version.is_some()) {
        Problem::StaleAmong { refused }
    } else {
        Problem::NoSuchAmong { refused }
    }
}
