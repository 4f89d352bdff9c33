use std::collections::BTreeSet;

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    GREY, MOST_LABELS, charge,
    import_json::written,
    require,
    rows::{self, Faults, Row},
    with,
};
use crate::{
    access::Caller,
    database::Database,
    extract::{self, IMPORT, Id},
    problem::Problem,
    project,
    router::Context,
    task::{VIEWERS_LOOK, rank},
    write::{Failed, Write, change},
};

/// What came of a table.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Added {
    tasks: u32,
}

/// Import tasks from a table
///
/// For owners and editors. CSV with a line of names first; only `title` must be among them, and the others are those of
/// `export_tasks`. All rows or none: a problem names each row with something wrong in it. Up to 5000 tasks and 4 MiB. They are placed
/// at the end, in the order of the table; labels that the project does not have yet are made. In the activity of the project it is
/// one entry. Counts as as many changes as it has rows, at most as those of a whole minute.
#[utoipa::path(
    post, path = "/api/v1/projects/{id}/tasks.csv", operation_id = "import_tasks", tag = "transfer",
    params(("id" = Uuid, Path, description = "The project")),
    request_body(content = String, content_type = "text/csv", description = "The table"),
    responses(
        (status = 201, description = "Made", body = Added),
        (status = 409, description = "The project would have too many labels"),
        (status = 415, description = "The body is not text/csv"),
    ),
    security(("session" = []), ("token" = ["tasks:write"])),
)]
pub(crate) async fn import(
    State(context): State<Context>,
    caller: Caller,
    Id(project_id): Id,
    request: Request,
) -> Result<Response, Problem> {
    require(request.headers(), "text/csv")?;
    let _turn = context.heavy.begin(caller.user)?;
    let bytes = extract::read(request.into_body(), IMPORT).await?;
    let rows = rows::read(&bytes)?;
    drop(bytes);
    let mut connection = context.database.connection().await?;
    // Before anything is said of who is a member.
    if !project::role(&mut connection, &caller, project_id).await?.edits() {
        return Err(Problem::Forbidden(VIEWERS_LOOK));
    }
    require_members(&mut connection, project_id, &rows).await?;
    drop(connection);
    let allowance = charge(&context, &caller, rows.len()).await?;
    let place = context.heavy.place().await?;
    let added = insert(&context.database, &caller, project_id, rows).await;
    drop(place);
    match added {
        Ok(Some(done)) => Ok(with(allowance, done.respond_plainly())),
        Ok(None) => {
            // Not an editor any more, or not enough room.
            if project::role(&mut *context.database.connection().await?, &caller, project_id)
                .await?
                .edits()
            {
                Err(Problem::Conflict("the project would have more than 200 labels"))
            } else {
                Err(Problem::Forbidden(VIEWERS_LOOK))
            }
        }
        // The project went away meanwhile.
        Err(Failed::Constraint(constraint)) if constraint.ends_with("_project_id_fkey") => {
            Err(Problem::NoSuch(project::WORD))
        }
        Err(failed) => Err(failed.into()),
    }
}

/// Assignees of a table are members of its project.
async fn require_members(connection: &mut PgConnection, project_id: Uuid, rows: &[Row]) -> Result<(), Problem> {
    let of = |row: &Row| Vec::from(row.assignees.clone());
    let wanted: BTreeSet<Uuid> = rows.iter().flat_map(of).collect();
    let members: Vec<Uuid> =
        sqlx::query_scalar("select user_id from memberships where project_id = $1 and user_id = any($2)")
            .bind(project_id)
            .bind(Vec::from_iter(wanted))
            .fetch_all(connection)
            .await
            .map_err(|cause| Problem::of_database(&cause))?;
    let members = BTreeSet::from_iter(members);
    let mut faults = Faults::default();
    for row in rows {
        if let Some(other) = of(row).into_iter().find(|assignee| !members.contains(assignee)) {
            faults.add(row.number, &format!("`assignees`: {other} is no member of the project"));
        }
    }
    faults.refuse()
}

/// Nothing comes back when the project is not the caller's to change, or would have too many labels. Somebody who leaves at this
/// very moment is left out.
async fn insert(
    database: &Database,
    caller: &Caller,
    project_id: Uuid,
    rows: Vec<Row>,
) -> Result<Option<crate::write::Done<Added>>, Failed> {
    let names: BTreeSet<String> = rows
        .iter()
        .flat_map(|row| &row.labels)
        .map(|name| name.as_str().to_owned())
        .collect();
    let labels: Vec<Value> = names
        .iter()
        .map(|name| json!({ "id": Uuid::now_v7(), "name": name }))
        .collect();
    let mut at = OffsetDateTime::now_utc();
    let mut tasks = Vec::with_capacity(rows.len());
    for row in rows {
        at += Duration::microseconds(1);
        tasks.push(json!({
            "id": Uuid::now_v7(),
            "title": row.title,
            "description": row.description,
            "status": row.status,
            "priority": row.priority,
            "due_at": row.due_at.map(written).transpose()?,
            "rank": rank::at_end(at),
            "assignee_ids": Vec::from(row.assignees),
            "labels": row.labels,
        }));
    }
    Write::new(
        caller,
        "tasks.imported",
        StatusCode::CREATED,
        change!(
            "of as (
                select memberships.project_id as id from memberships
                where memberships.project_id = $9 and memberships.user_id = $1
                  and memberships.role in ('owner', 'editor')
                  and $12 >= (select count(*) from (
                        select name from labels where labels.project_id = $9
                        union select name from jsonb_to_recordset($10) as wanted (name text)) as together)
             ), named as (
                insert into labels (id, project_id, name, colour)
                select wanted.id, of.id, wanted.name, $13 from of, jsonb_to_recordset($10) as wanted (id uuid, name text)
                order by wanted.name
                on conflict on constraint labels_name_once do update set name = excluded.name
                returning id, name
             ), placed as (
                insert into tasks (id, project_id, title, description, status, priority, due_at, rank, assignee_ids, label_ids)
                select one.id, of.id, one.title, one.description, one.status, one.priority, one.due_at, one.rank,
                       array(select user_id from memberships
                             where memberships.project_id = of.id and user_id = any(one.assignee_ids) order by user_id),
                       array(select named.id from named where named.name = any(one.labels) order by named.id)
                from of, jsonb_to_recordset($11) as one (id uuid, title text, description text, status text,
                    priority text, due_at timestamptz, rank text, assignee_ids uuid[], labels text[])
             ), effect as (
                select of.id as project, of.id as target, null::jsonb as before,
                       jsonb_build_object('tasks', jsonb_array_length($11)) as after
                from of
             )"
        ),
    )
    .bind(project_id)
    .bind(Value::Array(labels))
    .bind(Value::Array(tasks))
    .bind(i64::try_from(MOST_LABELS).unwrap_or(i64::MAX))
    .bind(GREY)
    .run(database)
    .await
}
