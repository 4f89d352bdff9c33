use axum::{Json, extract::State};
use serde::Serialize;
use sqlx::{PgConnection, types::Json as Row};
use uuid::Uuid;

use crate::{
    access::{Caller, secret::Fingerprint},
    extract::Id,
    page::{self, Limit, Page},
    problem::Problem,
    project,
    router::Context,
    saved_filter,
    task::{
        Task,
        fields::{Priority, Status},
        filter::{Asked, Assignee, Filter, Paging, Parent, Sort},
        json, rank,
        words::{Words, found},
    },
};

/// List the tasks of a project
///
/// Subtasks among them, each on its own; `parent` tells them apart.
#[utoipa::path(
    get, path = "/api/v1/projects/{id}/tasks", operation_id = "list_tasks", tag = "tasks",
    params(("id" = Uuid, Path, description = "The project"), Paging, Filter),
    responses((status = 200, description = "A page of them", body = Page<Task>)),
    security(("session" = []), ("token" = ["tasks:read"])),
)]
pub(crate) async fn list(
    State(context): State<Context>,
    caller: Caller,
    Id(project_id): Id,
    Asked { paging, filter }: Asked,
) -> Result<Json<Page<Task>>, Problem> {
    let mut connection = context.database.connection().await?;
    let filter = match paging.saved {
        Some(id) => filter.over(saved_filter::load(&mut connection, &caller, project_id, id).await?),
        None => filter,
    };
    // A cursor holds for the order and the filters it was given out with, whoever or whatever named them.
    let bound = Fingerprint::of(&serde_json::to_string(&filter).map_err(|_| Problem::Internal)?);
    let list = List {
        caller: &caller,
        project_id,
        name: format!("tasks/{project_id}/{}", hex::encode(&bound.as_bytes()[..8])),
        cursor: paging.cursor.as_deref(),
        limit: paging.limit,
        filter: &filter,
    };
    let page = match filter.sort.unwrap_or_default() {
        Sort::Id => list.by_id(&mut connection).await?,
        Sort::Rank => list.by_rank(&mut connection).await?,
    };
    if page.is_empty() {
        // An empty page of a project is not the same as no project.
        project::role(&mut connection, &caller, project_id).await?;
    }
    Ok(Json(page))
}

struct List<'a> {
    caller: &'a Caller,
    project_id: Uuid,
    name: String,
    cursor: Option<&'a str>,
    limit: Limit,
    filter: &'a Filter,
}

/// The tasks that are asked for, wherever the page begins. A list and a search are two statements: one that could be either
/// would be planned without the index of words.
macro_rules! asked {
    ($words:expr) => {
        concat!(
            "select ",
            json!("tasks"),
            " from tasks
             where project_id = $1
               and exists (select from memberships where memberships.project_id = $1 and memberships.user_id = $2)
               and ($4::text is null or status = $4)
               and ($5::uuid is null or $5 = any(assignee_ids))
               and ($6::uuid is null or $6 = any(label_ids))
               and ($8::text is null or priority = $8)
               and ($9::uuid is null
                    or case when $9 = '00000000-0000-0000-0000-000000000000'
                       then not exists (select from subtasks where subtasks.task_id = tasks.id)
                       else id in (select subtasks.task_id from subtasks where subtasks.parent_id = $9) end)
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
            ", id) > ($10 collate \"C\", $11) order by ",
            rank::of!("tasks"),
            ", id limit $3"
        )
    };
}

type Query = sqlx::query::QueryScalar<'static, sqlx::Postgres, Row<Task>, sqlx::postgres::PgArguments>;

impl List<'_> {
    async fn by_id(self, connection: &mut PgConnection) -> Result<Page<Task>, Problem> {
        let after = page::start(self.cursor, &self.name)?;
        let query = self.asked(
            listed!(" and id > $10 order by id limit $3"),
            searched!(" and id > $10 order by id limit $3"),
        );
        let rows = query.bind(after).fetch_all(connection).await;
        self.cut(rows, |task| task.id)
    }

    async fn by_rank(self, connection: &mut PgConnection) -> Result<Page<Task>, Problem> {
        let (rank, id): (String, Uuid) = page::behind(self.cursor, &self.name)?.unwrap_or_default();
        let query = self.asked(listed!(behind_rank!()), searched!(behind_rank!()));
        let rows = query.bind(rank.replace('\0', "")).bind(id).fetch_all(connection).await;
        self.cut(rows, |task| (task.rank.clone(), task.id))
    }

    /// What all lists have in common; where the page begins is still to be said.
    fn asked(&self, listed: &'static str, searched: &'static str) -> Query {
        let Filter {
            status,
            priority,
            assignee,
            label,
            parent,
            q,
            sort: _,
        } = self.filter;
        let assignee = assignee.map(|assignee| match assignee {
            Assignee::Me => self.caller.user,
            Assignee::User(id) => id,
        });
        let parent = parent.map(|parent| match parent {
            Parent::None => Uuid::nil(),
            Parent::Task(id) => id,
        });
        sqlx::query_scalar(if q.is_some() { searched } else { listed })
            .bind(self.project_id)
            .bind(self.caller.user)
            .bind(self.limit.and_one())
            .bind(status.map(Status::as_str))
            .bind(assignee)
            .bind(*label)
            .bind(q.as_ref().map(|words| Words::as_str(words).to_owned()))
            .bind(priority.map(Priority::as_str))
            .bind(parent)
    }

    fn cut<K: Serialize>(
        &self,
        rows: Result<Vec<Row<Task>>, sqlx::Error>,
        key: impl Fn(&Task) -> K,
    ) -> Result<Page<Task>, Problem> {
        let rows = rows.map_err(|cause| Problem::of_database(&cause))?;
        let rows = rows.into_iter().map(|row| row.0).collect();
        Ok(Page::cut(rows, self.limit, &self.name, key))
    }
}
