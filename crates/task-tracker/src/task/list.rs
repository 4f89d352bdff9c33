use axum::{Json, extract::State};
use uuid::Uuid;

use crate::{
    access::{Caller, secret::Fingerprint},
    database::{Database, Parameter},
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
        rank,
        row::{around, columns},
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
    let database = &context.database;
    let filter = match paging.saved {
        Some(id) => filter.over(saved_filter::load(&mut *database.connection().await?, &caller, project_id, id).await?),
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
        Sort::Id => list.by_id(database).await?,
        Sort::Rank => list.by_rank(database).await?,
    };
    if page.is_empty() {
        // An empty page of a project is not the same as no project.
        project::role(&mut *database.connection().await?, &caller, project_id).await?;
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
            columns!("tasks"),
            " from tasks",
            around!("tasks"),
            " where tasks.project_id = $1
               and exists (select from memberships where memberships.project_id = $1 and memberships.user_id = $2)
               and ($4::text is null or tasks.status = $4)
               and ($5::uuid is null or $5 = any(assignee_ids))
               and ($6::uuid is null or $6 = any(label_ids))
               and ($8::text is null or priority = $8)
               and ($9::uuid is null
                    or case when $9 = '00000000-0000-0000-0000-000000000000'
                       then not exists (select from subtasks where subtasks.task_id = tasks.id)
                       else tasks.id in (select subtasks.task_id from subtasks where subtasks.parent_id = $9) end)
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
            ", tasks.id) > ($10 collate \"C\", $11) order by ",
            rank::of!("tasks"),
            ", tasks.id limit $3"
        )
    };
}

/// A list, and the search in it.
struct Statements {
    listed: &'static str,
    searched: &'static str,
}

impl List<'_> {
    async fn by_id(self, database: &Database) -> Result<Page<Task>, Problem> {
        let after = page::start(self.cursor, &self.name)?;
        let statements = Statements {
            listed: listed!(" and tasks.id > $10 order by tasks.id limit $3"),
            searched: searched!(" and tasks.id > $10 order by tasks.id limit $3"),
        };
        let tasks = self.read(database, &statements, &[&after]).await?;
        Ok(Page::cut(tasks, self.limit, &self.name, |task| task.id))
    }

    async fn by_rank(self, database: &Database) -> Result<Page<Task>, Problem> {
        let (rank, id): (String, Uuid) = page::behind(self.cursor, &self.name)?.unwrap_or_default();
        let rank = rank.replace('\0', "");
        let statements = Statements {
            listed: listed!(behind_rank!()),
            searched: searched!(behind_rank!()),
        };
        let tasks = self.read(database, &statements, &[&rank, &id]).await?;
        Ok(Page::cut(tasks, self.limit, &self.name, |task| {
            (task.rank.clone(), task.id)
        }))
    }

    /// What all lists have in common; `behind` is where the page begins.
    async fn read(
        &self,
        database: &Database,
        statements: &Statements,
        behind: &[&dyn Parameter],
    ) -> Result<Vec<Task>, Problem> {
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
        let limit = self.limit.and_one();
        let (status, priority) = (status.map(Status::as_str), priority.map(Priority::as_str));
        let words = q.as_ref().map(Words::as_str);
        let common: [&dyn Parameter; 9] = [
            &self.project_id,
            &self.caller.user,
            &limit,
            &status,
            &assignee,
            label,
            &words,
            &priority,
            &parent,
        ];
        let sql = if words.is_some() {
            statements.searched
        } else {
            statements.listed
        };
        let rows = database.rows(sql, &[&common, behind].concat()).await?;
        rows.iter().map(Task::read).collect()
    }
}
