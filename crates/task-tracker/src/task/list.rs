use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, types::Json as Row};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::{Caller, secret::Fingerprint},
    extract::{Id, Params},
    page::{self, Limit, Page},
    problem::Problem,
    project,
    router::Context,
    task::{
        Task,
        fields::Status,
        rank, shown,
        words::{Words, found},
    },
};

/// In what order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Sort {
    /// By id: those that the service chose sort by the time they were made.
    #[default]
    Id,
    /// As they were placed among each other.
    Rank,
}

#[derive(Deserialize, Serialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    /// How many at most.
    #[serde(default, skip_serializing)]
    #[param(value_type = u32, minimum = 1, maximum = 100, default = 50)]
    limit: Limit,
    /// From the page before.
    #[serde(skip_serializing)]
    cursor: Option<String>,
    #[serde(default)]
    #[param(inline)]
    sort: Sort,
    /// Only those of this status.
    #[param(inline)]
    status: Option<Status>,
    /// Only those of this assignee.
    assignee: Option<Uuid>,
    /// Only those with this label.
    label: Option<Uuid>,
    /// Only those whose title or description has these words; quotes keep words together, a minus excludes one.
    #[param(value_type = Option<String>, max_length = 200)]
    q: Option<Words>,
}

/// List the tasks of a project
#[utoipa::path(
    get, path = "/api/v1/projects/{id}/tasks", operation_id = "list_tasks", tag = "tasks",
    params(("id" = Uuid, Path, description = "The project"), Which),
    responses((status = 200, description = "A page of them", body = Page<Task>)),
    security(("session" = []), ("token" = ["tasks:read"])),
)]
pub(crate) async fn list(
    State(context): State<Context>,
    caller: Caller,
    Id(project_id): Id,
    Params(which): Params<Which>,
) -> Result<Json<Page<Task>>, Problem> {
    // A cursor holds for the order and the filters it was given out with.
    let filters = Fingerprint::of(&serde_json::to_string(&which).map_err(|_| Problem::Internal)?);
    let list = format!("tasks/{project_id}/{}", hex::encode(&filters.as_bytes()[..8]));
    let mut connection = context.database.connection().await?;
    let asked = Asked {
        caller: &caller,
        project_id,
        which: &which,
        list: &list,
    };
    let page = match which.sort {
        Sort::Id => by_id(&mut connection, asked).await?,
        Sort::Rank => by_rank(&mut connection, asked).await?,
    };
    if page.is_empty() {
        // An empty page of a project is not the same as no project.
        project::role(&mut connection, &caller, project_id).await?;
    }
    Ok(Json(page))
}

#[derive(Clone, Copy)]
struct Asked<'a> {
    caller: &'a Caller,
    project_id: Uuid,
    which: &'a Which,
    list: &'a str,
}

/// The tasks that are asked for, wherever the page begins. A list and a search are two statements: one that could be either
/// would be planned without the index of words.
macro_rules! asked {
    ($words:expr) => {
        concat!(
            "select ",
            shown!("tasks"),
            " from tasks
             where project_id = $1
               and exists (select from memberships where memberships.project_id = $1 and memberships.user_id = $2)
               and ($4::text is null or status = $4)
               and ($5::uuid is null or $5 = any(assignee_ids))
               and ($6::uuid is null or $6 = any(label_ids))
               and ",
            $words
        )
    };
}

macro_rules! listed {
    ($rest:expr) => {
        concat!(asked!("$7::text is null"), $rest)
    };
}

macro_rules! searched {
    ($rest:expr) => {
        concat!(asked!(found!("$1", "$7")), $rest)
    };
}

macro_rules! behind_rank {
    () => {
        concat!(
            " and (",
            rank::of!("tasks"),
            ", id) > ($8 collate \"C\", $9) order by ",
            rank::of!("tasks"),
            ", id limit $3"
        )
    };
}

async fn by_id(connection: &mut PgConnection, asked: Asked<'_>) -> Result<Page<Task>, Problem> {
    let after = page::start(asked.which.cursor.as_deref(), asked.list)?;
    let sql = match asked.which.q {
        Some(_) => searched!(" and id > $8 order by id limit $3"),
        None => listed!(" and id > $8 order by id limit $3"),
    };
    let rows = sqlx::query_scalar(sql)
        .bind(asked.project_id)
        .bind(asked.caller.user)
        .bind(asked.which.limit.and_one())
        .bind(asked.which.status.map(Status::as_str))
        .bind(asked.which.assignee)
        .bind(asked.which.label)
        .bind(asked.which.q.as_ref().map(Words::as_str))
        .bind(after)
        .fetch_all(connection)
        .await;
    cut(rows, asked, |task| task.id)
}

async fn by_rank(connection: &mut PgConnection, asked: Asked<'_>) -> Result<Page<Task>, Problem> {
    let after: (String, Uuid) = page::behind(asked.which.cursor.as_deref(), asked.list)?.unwrap_or_default();
    let sql = match asked.which.q {
        Some(_) => searched!(behind_rank!()),
        None => listed!(behind_rank!()),
    };
    let rows = sqlx::query_scalar(sql)
        .bind(asked.project_id)
        .bind(asked.caller.user)
        .bind(asked.which.limit.and_one())
        .bind(asked.which.status.map(Status::as_str))
        .bind(asked.which.assignee)
        .bind(asked.which.label)
        .bind(asked.which.q.as_ref().map(Words::as_str))
        .bind(after.0.replace('\0', ""))
        .bind(after.1)
        .fetch_all(connection)
        .await;
    cut(rows, asked, |task| (task.rank.clone(), task.id))
}

fn cut<K: Serialize>(
    rows: Result<Vec<Row<Task>>, sqlx::Error>,
    asked: Asked<'_>,
    key: impl Fn(&Task) -> K,
) -> Result<Page<Task>, Problem> {
    let rows = rows.map_err(|cause| Problem::of_database(&cause))?;
    let rows = rows.into_iter().map(|row| row.0).collect();
    Ok(Page::cut(rows, asked.which.limit, asked.list, key))
}
