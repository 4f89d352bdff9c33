use std::collections::{BTreeMap, BTreeSet};

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, error::Category, json};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    GREY, MOST_LABELS, TOO_MANY_LABELS, charge,
    document::{Document, Format, Item, Said},
    require, with,
};
use crate::{
    access::Caller,
    extract::{self, IMPORT},
    problem::Problem,
    router::Context,
    task::{Moment, rank, tree},
    text::Name,
    write::{Write, change},
};

/// What came of a document.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Imported {
    /// The project that was made.
    project_id: Uuid,
    labels: u32,
    tasks: u32,
    comments: u32,
    /// Assignments to others, who are no members of the new project.
    assignments_left_out: u32,
    /// Tasks that are no part of another one any more, since the document does not have that one.
    parents_left_out: u32,
}

/// Import a project
///
/// Makes a new project out of what `export_project` wrote, all of it or nothing; the caller becomes its owner. Up to 5000 tasks and
/// 4 MiB. Of assignees and of authors of comments only the caller is kept: nobody else is a member, and nobody can be made to have
/// said something. A problem names the number of the task that it is about. Counts as as many changes as it has tasks and comments, at most as
/// those of a whole minute.
#[utoipa::path(
    post, path = "/api/v1/projects/import", operation_id = "import_project", tag = "transfer",
    request_body = Document,
    responses((status = 201, description = "Made", body = Imported)),
    security(("session" = []), ("token" = ["projects:write"])),
)]
pub(crate) async fn import(
    State(context): State<Context>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    require(request.headers(), "application/json")?;
    let _turn = context.heavy.begin(caller.user)?;
    let bytes = extract::read(request.into_body(), IMPORT).await?;
    let document: Document = serde_json::from_slice(&bytes).map_err(|cause| {
        let detail = cause.to_string();
        match cause.classify() {
            Category::Data => Problem::Invalid { detail },
            Category::Syntax | Category::Eof | Category::Io => Problem::Malformed { detail },
        }
    })?;
    drop(bytes);
    // What is of another form was refused while it was read, and what the second has more than the first may be left out.
    let (Format::One | Format::Two) = document.format;
    let (name, description) = (document.project.name.clone(), document.project.description.clone());
    let rows = Rows::of(document, &caller, OffsetDateTime::now_utc())?;
    let allowance = charge(&context, &caller, rows.tasks.len() + rows.comments.len()).await?;
    let place = context.heavy.place().await?;
    let made = Write::<Imported>::new(
        &caller,
        "project.imported",
        StatusCode::CREATED,
        change!(
            "made as (
                insert into projects (id, name, description) values ($9, $10, $11) returning *
             ), owned as (
                insert into memberships (project_id, user_id, role) select id, $1, 'owner' from made
             ), named as (
                insert into labels (id, project_id, name, colour)
                select one.id, made.id, one.name, one.colour
                from made, jsonb_to_recordset($12) as one (id uuid, name text, colour text)
             ), placed as (
                insert into tasks (id, project_id, title, description, status, priority, due_at, rank, assignee_ids, label_ids)
                select one.id, made.id, one.title, one.description, one.status, one.priority, one.due_at, one.rank,
                       one.assignee_ids, one.label_ids
                from made, jsonb_to_recordset($13) as one (id uuid, title text, description text, status text,
                    priority text, due_at timestamptz, rank text, assignee_ids uuid[], label_ids uuid[])
                returning id
             ), below as (
                insert into subtasks (task_id, parent_id, project_id)
                select one.task_id, one.parent_id, made.id
                -- Once all the tasks are there: the rules of the tree look for both ends.
                from made, (select count(*) from placed) as there, jsonb_to_recordset($16) as one (task_id uuid, parent_id uuid)
                where there.count > 0
             ), said as (
                insert into comments (id, task_id, author_id, body, created_at)
                select one.id, one.task_id, one.author_id, one.body, least(one.created_at, now())
                from made, jsonb_to_recordset($14)
                    as one (id uuid, task_id uuid, author_id uuid, body text, created_at timestamptz)
             ), effect as (
                select made.id as project, made.id as target, null::jsonb as before, jsonb_build_object(
                    'project_id', made.id, 'labels', jsonb_array_length($12), 'tasks', jsonb_array_length($13),
                    'comments', jsonb_array_length($14), 'assignments_left_out', $15::bigint,
                    'parents_left_out', $17::bigint) as after
                from made
             )"
        ),
    )
    .bind(Uuid::now_v7())
    .bind(String::from(name))
    .bind(String::from(description))
    .bind(Value::Array(rows.labels))
    .bind(Value::Array(rows.tasks))
    .bind(Value::Array(rows.comments))
    .bind(rows.left_out)
    .bind(Value::Array(rows.links))
    .bind(rows.parents_left_out)
    .run(&context.database)
    .await
    .map_err(tree::refused)?;
    drop(place);
    let there = |imported: &Imported| format!("/api/v1/projects/{}", imported.project_id);
    made.map(|done| with(allowance, done.respond_plainly_at(there)))
        .ok_or(Problem::Internal)
}

/// What is to be written, with the ids it will have.
struct Rows {
    labels: Vec<Value>,
    tasks: Vec<Value>,
    comments: Vec<Value>,
    /// Which task is a part of which.
    links: Vec<Value>,
    parents_left_out: i64,
    left_out: i64,
}

/// The ids that tasks will have, by those that the document gives them.
fn renamed(tasks: &[Item], ids: &[Uuid]) -> Result<BTreeMap<Uuid, Uuid>, Problem> {
    let mut renamed = BTreeMap::new();
    for (number, (task, id)) in (1..).zip(tasks.iter().zip(ids)) {
        if let Some(given) = task.id
            && renamed.insert(given, *id).is_some()
        {
            return Err(Problem::Invalid {
                detail: format!("task {number}: an earlier one has the same `id`"),
            });
        }
    }
    Ok(renamed)
}

impl Rows {
    fn of(document: Document, caller: &Caller, now: OffsetDateTime) -> Result<Self, Problem> {
        let mut colours = BTreeMap::new();
        for label in document.labels {
            colours
                .entry(String::from(label.name))
                .or_insert_with(|| (Uuid::now_v7(), String::from(label.colour)));
        }
        for name in document.tasks.iter().flat_map(|task| &task.labels) {
            colours
                .entry(name.as_str().to_owned())
                .or_insert_with(|| (Uuid::now_v7(), GREY.to_owned()));
        }
        if colours.len() > MOST_LABELS {
            return Err(Problem::Rule(TOO_MANY_LABELS));
        }
        let mut rows = Self {
            labels: Vec::with_capacity(colours.len()),
            tasks: Vec::with_capacity(document.tasks.len()),
            comments: Vec::new(),
            links: Vec::new(),
            parents_left_out: 0,
            left_out: 0,
        };
        let ids: Vec<Uuid> = document.tasks.iter().map(|_| Uuid::now_v7()).collect();
        let renamed = renamed(&document.tasks, &ids)?;
        let mut at = now;
        for (id, task) in ids.into_iter().zip(document.tasks) {
            // In the order of the document.
            at += Duration::microseconds(1);
            match task.parent_id.map(|parent| renamed.get(&parent)) {
                None => {}
                Some(Some(parent)) => rows.links.push(json!({ "task_id": id, "parent_id": parent })),
                // Deleted while the document was written.
                Some(None) => rows.parents_left_out += 1,
            }
            rows.add((id, task), caller, at, |name| {
                colours.get(name.as_str()).map(|(id, _)| *id)
            })?;
        }
        for (name, (id, colour)) in colours {
            rows.labels.push(json!({ "id": id, "name": name, "colour": colour }));
        }
        Ok(rows)
    }

    fn add(
        &mut self,
        (id, task): (Uuid, Item),
        caller: &Caller,
        at: OffsetDateTime,
        label: impl Fn(&Name) -> Option<Uuid>,
    ) -> Result<(), Problem> {
        let mut assignees = Vec::from(task.assignee_ids);
        let all = assignees.len();
        assignees.retain(|assignee| *assignee == caller.user);
        self.left_out += i64::try_from(all - assignees.len()).unwrap_or_default();
        let labels: BTreeSet<Uuid> = task.labels.iter().filter_map(label).collect();
        self.tasks.push(json!({
            "id": id,
            "title": task.title,
            "description": task.description,
            "status": task.status,
            "priority": task.priority,
            "due_at": task.due_at.map(written).transpose()?,
            "rank": task.rank.map_or_else(|| rank::at_end(at), |rank| rank.0),
            "assignee_ids": assignees,
            "label_ids": labels,
        }));
        for Said {
            author_id,
            body,
            created_at,
        } in task.comments
        {
            self.comments.push(json!({
                "id": Uuid::now_v7(),
                "task_id": id,
                "author_id": author_id.filter(|author| *author == caller.user),
                "body": String::from(body),
                "created_at": written(created_at)?,
            }));
        }
        Ok(())
    }
}

/// As PostgreSQL reads it.
pub(super) fn written(moment: Moment) -> Result<String, Problem> {
    OffsetDateTime::from(moment)
        .format(&Rfc3339)
        .map_err(|_| Problem::Internal)
}
