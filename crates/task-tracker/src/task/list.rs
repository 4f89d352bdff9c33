use axum::{Json, extract::State};
use time::{OffsetDateTime, macros::datetime};
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
        any_of::AnyOf,
        fields::Moment,
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
        Sort::DueAt => list.by_due_date(database).await?,
        Sort::Priority => list.by_priority(database).await?,
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

/// Nothing is due before.
const FIRST: OffsetDateTime = datetime!(0001-01-01 00:00:00 UTC);

/// The tasks that are asked for, wherever the page begins. A list and a search are two statements: one that could be either
/// would be planned without the index of words.
macro_rules! fitting {
    ($words:expr) => {
        concat!(
            "tasks.project_id = $1
               and exists (select from memberships where memberships.project_id = $1 and memberships.user_id = $2)
               and ($4::text[] is null or tasks.status = any($4))
               and ($5::uuid is null or $5 = any(assignee_ids))
               and ($6::uuid is null or $6 = any(label_ids))
               and ($8::text[] is null or priority = any($8))
               and ($9::uuid is null
                    or case when $9 = '00000000-0000-0000-0000-000000000000'
                       then not exists (select from subtasks where subtasks.task_id = tasks.id)
                       else tasks.id in (select subtasks.task_id from subtasks where subtasks.parent_id = $9) end)
               and ($10::timestamptz is null or tasks.due_at >= $10)
               and ($11::timestamptz is null or tasks.due_at < $11)
               and ",
            $words
        )
    };
}

/// A page in the order of the ids, which is that of an index.
macro_rules! by_id {
    ($words:expr) => {
        concat!(
            "select ",
            columns!("tasks"),
            " from tasks",
            around!("tasks"),
            " where ",
            fitting!($words),
            " and tasks.id > $12 order by tasks.id limit $3"
        )
    };
}

/// A page in the order of `$key`, and among equals in that of the ids; it begins behind `$behind` and the id `$13`. What is around a
/// task is looked up for those on the page only: to sort all of them along with it takes several times as long. `$within` says
/// where an index may stop.
macro_rules! by_key {
    ($words:expr, $key:expr, $behind:expr $(, $within:expr)?) => {
        concat!(
            "select ",
            columns!("tasks"),
            " from (
                select tasks.* from tasks where ",
            fitting!($words),
            " and (",
            $key,
            ", tasks.id) > (",
            $behind,
            ", $13)",
            $(" and ", $within,)?
            " order by ",
            $key,
            ", tasks.id limit $3
             ) as tasks",
            around!("tasks"),
            " order by ",
            $key,
            ", tasks.id"
        )
    };
}

macro_rules! statements {
    ($made:ident $(, $more:expr)*) => {
        Statements {
            listed: $made!("$7::text is null" $(, $more)*),
            searched: $made!(found!("$1", "$7") $(, $more)*),
        }
    };
}

/// A list, and the search in it.
struct Statements {
    listed: &'static str,
    searched: &'static str,
}

const BY_ID: Statements = statements!(by_id);
const BY_RANK: Statements = statements!(by_key, rank::of!("tasks"), "$12 collate \"C\"");
/// Nothing that is due is due as late as never. The key is that of the index `tasks_due`, letter by letter, and the next one that of
/// `tasks_urgency`.
const BY_DUE_DATE: Statements = statements!(
    by_key,
    "coalesce(tasks.due_at, 'infinity')",
    "coalesce($12::timestamptz, 'infinity')",
    "coalesce(tasks.due_at, 'infinity') <= coalesce($11::timestamptz, 'infinity')"
);
const BY_PRIORITY: Statements = statements!(
    by_key,
    "array_position(array['urgent', 'high', 'medium', 'low', 'none'], tasks.priority)",
    "$12"
);

impl List<'_> {
    async fn by_id(self, database: &Database) -> Result<Page<Task>, Problem> {
        let after = page::start(self.cursor, &self.name)?;
        let tasks = self.read(database, &BY_ID, &[&after]).await?;
        Ok(Page::cut(tasks, self.limit, &self.name, |task| task.id))
    }

    async fn by_rank(self, database: &Database) -> Result<Page<Task>, Problem> {
        let (rank, id): (String, Uuid) = page::behind(self.cursor, &self.name)?.unwrap_or_default();
        let rank = rank.replace('\0', "");
        let tasks = self.read(database, &BY_RANK, &[&rank, &id]).await?;
        Ok(Page::cut(tasks, self.limit, &self.name, |task| {
            (task.rank.clone(), task.id)
        }))
    }

    async fn by_due_date(self, database: &Database) -> Result<Page<Task>, Problem> {
        let behind: Option<(Option<Moment>, Uuid)> = page::behind(self.cursor, &self.name)?;
        // Nothing that is asked for is due before: an index is entered there.
        let first = self.filter.due_after.unwrap_or(Moment::kept(FIRST));
        let (due, id) = behind.unwrap_or((Some(first), Uuid::nil()));
        let tasks = self
            .read(database, &BY_DUE_DATE, &[&due.map(OffsetDateTime::from), &id])
            .await?;
        Ok(Page::cut(tasks, self.limit, &self.name, |task| {
            (task.due_at.map(Moment::kept), task.id)
        }))
    }

    async fn by_priority(self, database: &Database) -> Result<Page<Task>, Problem> {
        let (place, id): (i32, Uuid) = page::behind(self.cursor, &self.name)?.unwrap_or_default();
        let tasks = self.read(database, &BY_PRIORITY, &[&place, &id]).await?;
        Ok(Page::cut(tasks, self.limit, &self.name, |task| {
            (task.priority.place(), task.id)
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
            due_after,
            due_before,
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
        let (status, priority) = (status.as_ref().map(AnyOf::words), priority.as_ref().map(AnyOf::words));
        let (due_after, due_before) = (
            due_after.map(OffsetDateTime::from),
            due_before.map(OffsetDateTime::from),
        );
        let words = q.as_ref().map(Words::as_str);
        let common: [&dyn Parameter; 11] = [
            &self.project_id,
            &self.caller.user,
            &limit,
            &status,
            &assignee,
            label,
            &words,
            &priority,
            &parent,
            &due_after,
            &due_before,
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
