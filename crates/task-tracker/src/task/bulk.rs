//! Many tasks of a project in one request: all of them change, or none does.
//!
//! However many there are, it is one statement, each task with an event of its own; a refusal takes one more to say why.

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
    access::{
        Caller,
        throttle::{self, Allowance},
    },
    extract::{Body, Id, Whole, present},
    problem::{Problem, Refused},
    project,
    router::Context,
    task::{
        VIEWERS_LOOK,
        fields::{Few, Moment, Priority, Status, of_elsewhere, of_the_project},
        json,
        move_to::{Beside, places},
        tree::{self, freed, parent, placed},
    },
    version::Version,
    write::{Done, Failed, Write, changes},
};

/// Which tasks, and one thing to do with them.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(min_properties = 2, max_properties = 2)]
pub(crate) struct BulkChange {
    /// Each once.
    tasks: Chosen,
    /// What all of them are to be.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    change: Option<BulkFields>,
    /// Where all of them are to stand, in the order in which they are named.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    r#move: Option<BulkMove>,
    /// That they are to be deleted.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    delete: Option<BulkDelete>,
}

/// One of them.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChosenTask {
    id: Uuid,
    /// The version it must have, as `If-Match` would say; any when left out.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i64>, nullable = false, minimum = 1, maximum = 9_007_199_254_740_991_i64)]
    version: Option<Whole<1, 9_007_199_254_740_991>>,
}

/// 1 to 100 of them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(try_from = "Vec<ChosenTask>")]
#[schema(value_type = Vec<ChosenTask>, min_items = 1, max_items = 100)]
pub(crate) struct Chosen(Vec<ChosenTask>);

impl TryFrom<Vec<ChosenTask>> for Chosen {
    type Error = &'static str;

    fn try_from(tasks: Vec<ChosenTask>) -> Result<Self, Self::Error> {
        if (1..=100).contains(&tasks.len()) {
            Ok(Self(tasks))
        } else {
            Err("name 1 to 100 tasks")
        }
    }
}

impl Chosen {
    fn ids(&self) -> Vec<Uuid> {
        self.0.iter().map(|task| task.id).collect()
    }

    fn versions(&self) -> Vec<Option<i64>> {
        self.0.iter().map(|task| task.version.map(Whole::get)).collect()
    }
}

/// What is to change; at least one field.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(min_properties = 1)]
pub(crate) struct BulkFields {
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    status: Option<Status>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    priority: Option<Priority>,
    /// Null takes the due date away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Moment>)]
    #[expect(
        clippy::option_option,
        reason = "absent, null and a value are three things in a change"
    )]
    due_at: Option<Option<Moment>>,
    /// The task of the same project to be a part of; null lets them stand by themselves.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Uuid>)]
    #[expect(
        clippy::option_option,
        reason = "absent, null and a value are three things in a change"
    )]
    parent_id: Option<Option<Uuid>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    add_assignee_ids: Option<Few>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    remove_assignee_ids: Option<Few>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    add_label_ids: Option<Few>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    remove_label_ids: Option<Few>,
}

impl BulkFields {
    fn is_empty(&self) -> bool {
        let Self {
            status,
            priority,
            due_at,
            parent_id,
            add_assignee_ids,
            remove_assignee_ids,
            add_label_ids,
            remove_label_ids,
        } = self;
        let sets = [add_assignee_ids, remove_assignee_ids, add_label_ids, remove_label_ids];
        let states = status.is_none() && priority.is_none() && due_at.is_none() && parent_id.is_none();
        states && sets.into_iter().all(Option::is_none)
    }
}

/// Right behind one task, right before another, or at the end when neither is named.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BulkMove {
    /// A task of the same project to stand behind, which is none of them.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    after: Option<Uuid>,
    /// A task of the same project to stand before, which is none of them; not together with `after`.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    before: Option<Uuid>,
    /// The column to move to.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    status: Option<Status>,
}

/// Nothing more is to be said.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BulkDelete {}

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
    let mut connection = context.database.connection().await?;
    let allowance = charge(&context, &caller, &asked.tasks, &mut connection).await?;
    let bulk = Bulk {
        caller: &caller,
        project_id,
        tasks: &asked.tasks,
    };
    let mut response = bulk.carry_out(&mut connection, what).await.into_response();
    if let Some(allowance) = allowance {
        allowance.write(response.headers_mut());
    }
    Ok(response)
}

/// The guard has counted one change; the others are counted here, before anything happens. None when there are no others.
async fn charge(
    context: &Context,
    caller: &Caller,
    tasks: &Chosen,
    connection: &mut PgConnection,
) -> Result<Option<Allowance>, Problem> {
    let others = u32::try_from(tasks.0.len().saturating_sub(1)).unwrap_or(u32::MAX);
    if others == 0 {
        return Ok(None);
    }
    let key = throttle::writes_of(caller.user);
    context.limits.writes.take(others, &key, connection).await.map(Some)
}

/// The one thing to do.
#[derive(Clone, Copy)]
enum What<'b> {
    Set(&'b BulkFields),
    Put(&'b BulkMove),
    Delete,
}

impl BulkChange {
    fn what(&self) -> Result<What<'_>, Problem> {
        match (&self.change, &self.r#move, &self.delete) {
            (Some(fields), None, None) if !fields.is_empty() => Ok(What::Set(fields)),
            (None, Some(place), None) => Ok(What::Put(place)),
            (None, None, Some(BulkDelete {})) => Ok(What::Delete),
            _ => Err(Problem::Invalid {
                detail: "name one of `change`, `move` and `delete`, and in a change at least one field".into(),
            }),
        }
    }
}

struct Bulk<'b> {
    caller: &'b Caller,
    project_id: Uuid,
    tasks: &'b Chosen,
}

/// The tasks as they were asked for, locked in an order that two such requests share, and whether that is all of them.
macro_rules! all_of {
    ($columns:literal, $more:expr, $fits:literal) => {
        concat!(
            "asked as (
                select * from unnest($10::uuid[], $11::bigint[]) with ordinality as asked (id, version, place)
             ), old as (
                select tasks.*, asked.place",
            $columns,
            " from asked join tasks on tasks.id = asked.id
                join memberships on memberships.project_id = tasks.project_id
                where tasks.project_id = $9 and memberships.user_id = $1 and memberships.role in ('owner', 'editor')
                  and (asked.version is null or asked.version = tasks.version)",
            $more,
            "
                order by tasks.id
                for no key update of tasks
             ), whole as (
                select count(*) = cardinality($10) and ",
            $fits,
            " as fits from old
             )"
        )
    };
}

/// What the client is told of them.
macro_rules! told {
    () => {
        ", answer as (
            select jsonb_build_object('tasks', coalesce(
                jsonb_agg(jsonb_build_object('id', effect.after -> 'id', 'version', effect.after -> 'version',
                                             'status', effect.after -> 'status', 'rank', effect.after -> 'rank')
                          order by effect.place) filter (where effect.after is not null), '[]')) as after
            from effect having count(*) > 0
         )"
    };
}

type Outcome = Result<Option<Done<BulkChanged>>, Failed>;

impl Bulk<'_> {
    async fn carry_out(&self, connection: &mut PgConnection, what: What<'_>) -> Result<Response, Problem> {
        let done = match what {
            What::Set(fields) => self.set(connection, fields).await,
            What::Put(place) => self.put(connection, place).await,
            What::Delete => self.delete(connection).await,
        };
        match done.map_err(tree::refused)? {
            Some(done) => Ok(done.respond_plainly()),
            None => Err(self.refusal(connection, what).await),
        }
    }

    async fn set(&self, connection: &mut PgConnection, fields: &BulkFields) -> Outcome {
        let ids = |few: &Option<Few>| few.clone().map(Vec::from).unwrap_or_default();
        self.write("task.changed", SET)
            .bind(fields.status.map(Status::as_str))
            .bind(fields.priority.map(Priority::as_str))
            .bind(fields.due_at.is_some())
            .bind(fields.due_at.flatten().map(OffsetDateTime::from))
            .bind(ids(&fields.add_assignee_ids))
            .bind(ids(&fields.remove_assignee_ids))
            .bind(ids(&fields.add_label_ids))
            .bind(ids(&fields.remove_label_ids))
            .bind(fields.parent_id.is_some())
            .bind(fields.parent_id.flatten())
            .run(connection)
            .await
    }

    async fn put(&self, connection: &mut PgConnection, place: &BulkMove) -> Outcome {
        let beside = Beside {
            after: place.after,
            before: place.before,
        };
        project::role(connection, self.caller, self.project_id).await?;
        let ranks = places(connection, self.caller, &self.tasks.ids(), beside).await?;
        self.write("task.moved", PUT)
            .bind(ranks)
            .bind(place.status.map(Status::as_str))
            .run(connection)
            .await
    }

    async fn delete(&self, connection: &mut PgConnection) -> Outcome {
        self.write("task.deleted", DELETE).run(connection).await
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
                .bind(fields.parent_id.flatten())
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

const SET: &str = changes!(
    all_of!(
        ", array(select one from unnest(tasks.assignee_ids || $16::uuid[]) as one
                 where one <> all($17::uuid[]) group by one order by one) as assigned,
           array(select one from unnest(tasks.label_ids || $18::uuid[]) as one
                 where one <> all($19::uuid[]) group by one order by one) as labelled",
        concat!(" and ", of_the_project!("$9", "$16", "$18", "$21")),
        "bool_and(cardinality(assigned) <= 20 and cardinality(labelled) <= 20)"
    ),
    ", new as (
        update tasks
        set status = coalesce($12, tasks.status), priority = coalesce($13, tasks.priority),
            due_at = case when $14 then $15 else tasks.due_at end,
            assignee_ids = old.assigned, label_ids = old.labelled,
            version = tasks.version + 1, updated_at = now()
        from old, whole where whole.fits and tasks.id = old.id
        returning tasks.*, old.place
     ), ",
    placed!("$20", "$21"),
    ", effect as (
        select new.project_id as project, new.id as target, new.place, ",
    json!("old"),
    " as before, ",
    json!("new", parent!("new", "$20", "$21")),
    " as after from old join new on new.id = old.id
     )",
    told!()
);

const PUT: &str = changes!(
    all_of!("", "", "true"),
    ", new as (
        update tasks
        set rank = ($12::text[])[old.place], status = coalesce($13, tasks.status),
            version = tasks.version + 1, updated_at = now()
        from old, whole where whole.fits and tasks.id = old.id
        returning tasks.*, old.place
     ), effect as (
        select new.project_id as project, new.id as target, new.place, ",
    json!("old"),
    " as before, ",
    json!("new"),
    " as after from old join new on new.id = old.id
     )",
    told!()
);

const DELETE: &str = changes!(
    all_of!("", "", "true"),
    ", gone as (
        delete from tasks using old, whole where whole.fits and tasks.id = old.id
        returning tasks.*, old.place
     ), ",
    freed!("$10"),
    ", effect as (
        select project_id as project, id as target, place, ",
    json!("gone"),
    " as before, null::jsonb as after from gone
     )",
    told!()
);
