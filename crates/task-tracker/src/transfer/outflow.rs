//! A project written page by page, as fast as the client takes it: never more than a page is held, and no connection while
//! the client is busy.
//!
//! The pages are of one moment each, not of one for all. A project that the caller is sent out of meanwhile ends the
//! response in the middle, which a client cannot take for its end.

use std::io;

use axum::{
    body::{Body, Bytes},
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    access::{Caller, turns::Turn},
    problem::Problem,
    project,
    router::Context,
};

/// Tasks of a page, with all their comments.
const AT_ONCE: usize = 200;

/// How a page is written; the texts around belong to the whole.
pub(super) trait Form: Send + Sync + 'static {
    /// Of one task, as `read` of the statement gives it.
    fn write(&mut self, task: serde_json::Value, out: &mut Vec<u8>) -> io::Result<()>;
    /// Behind the last one.
    fn end(&self) -> &'static [u8];
}

struct Outflow<F> {
    context: Context,
    caller: Caller,
    /// For as long as the client takes.
    _turn: Turn,
    project: Uuid,
    form: F,
    after: Uuid,
    begun: Vec<u8>,
    has_ended: bool,
}

/// Answers with `begun`, every task of the project, and the end. The caller was let in before.
pub(super) fn respond<F: Form>(
    context: Context,
    (caller, turn): (Caller, Turn),
    project: Uuid,
    (begun, form): (Vec<u8>, F),
    (kind, file): (&'static str, String),
) -> Response {
    let outflow = Outflow {
        context,
        caller,
        _turn: turn,
        project,
        form,
        after: Uuid::nil(),
        begun,
        has_ended: false,
    };
    let pages = stream::try_unfold(outflow, next);
    let named = format!("attachment; filename=\"{file}\"");
    let headers: [(HeaderName, HeaderValue); 2] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_str(&named).unwrap_or(HeaderValue::from_static("attachment")),
        ),
    ];
    (headers, Body::from_stream(pages)).into_response()
}

async fn next<F: Form>(mut outflow: Outflow<F>) -> io::Result<Option<(Bytes, Outflow<F>)>> {
    if outflow.has_ended {
        return Ok(None);
    }
    let mut out = std::mem::take(&mut outflow.begun);
    let tasks = outflow
        .read()
        .await
        .map_err(|_| io::Error::other("the export ended in the middle"))?;
    outflow.has_ended = tasks.len() < AT_ONCE;
    if let Some((last, _)) = tasks.last() {
        outflow.after = *last;
    }
    for (_, task) in tasks {
        outflow.form.write(task.0, &mut out)?;
    }
    if outflow.has_ended {
        out.extend_from_slice(outflow.form.end());
    }
    Ok(Some((out.into(), outflow)))
}

impl<F> Outflow<F> {
    async fn read(&self) -> Result<Vec<(Uuid, Json<serde_json::Value>)>, Problem> {
        let _place = self.context.heavy.place().await?;
        let mut connection = self.context.database.connection().await?;
        let tasks = page(&mut connection, &self.caller, self.project, self.after)
            .await
            .map_err(|cause| Problem::of_database(&cause))?;
        if tasks.len() < AT_ONCE {
            // Nothing more to see may also mean that the caller may not see it any more.
            project::role(&mut connection, &self.caller, self.project).await?;
        }
        Ok(tasks)
    }
}

async fn page(
    connection: &mut PgConnection,
    caller: &Caller,
    project: Uuid,
    after: Uuid,
) -> Result<Vec<(Uuid, Json<serde_json::Value>)>, sqlx::Error> {
    sqlx::query_as(concat!(
        "select tasks.id, jsonb_build_object('id', tasks.id,
                'parent_id', (select link.parent_id from subtasks as link where link.task_id = tasks.id), 'title', title, 'description', description, 'status', status,
                'priority', priority, 'due_at', due_at, 'rank', ",
        crate::task::rank::of!("tasks"),
        ", 'assignee_ids', assignee_ids,
                'labels', (select coalesce(jsonb_agg(name order by name), '[]') from labels
                           where labels.project_id = tasks.project_id and labels.id = any(tasks.label_ids)),
                'comments', (select coalesce(jsonb_agg(jsonb_build_object('author_id', author_id, 'body', body,
                                    'created_at', comments.created_at) order by comments.id), '[]')
                             from comments where task_id = tasks.id))
         from tasks
         where project_id = $1 and tasks.id > $3
           and exists (select from memberships where memberships.project_id = $1 and memberships.user_id = $2)
         order by tasks.id limit $4"
    ))
    .bind(project)
    .bind(caller.user)
    .bind(after)
    .bind(i64::try_from(AT_ONCE).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await
}
