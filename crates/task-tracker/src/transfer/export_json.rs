use std::io;

use axum::{extract::State, response::Response};
use serde_json::Value;
use sqlx::types::Json;

use super::{
    document::{Document, Format},
    outflow::{self, Form},
};
use crate::{access::Caller, extract::Id, problem::Problem, project, router::Context};

/// Export a project
///
/// With its labels, tasks and comments, as `import_project` takes it; members, reminders and attachments stay behind. Written
/// while it is read: a task that changes meanwhile is there as it was before or after. A response that breaks off is not whole.
/// A user may have two exports or imports under way at a time.
#[utoipa::path(
    get, path = "/api/v1/projects/{id}/export", operation_id = "export_project", tag = "transfer",
    params(("id" = Uuid, Path, description = "The project")),
    responses((status = 200, description = "The project", body = Document)),
    security(("session" = []), ("token" = ["tasks:read"])),
)]
pub(crate) async fn export(
    State(context): State<Context>,
    caller: Caller,
    Id(project_id): Id,
) -> Result<Response, Problem> {
    let turn = context.heavy.begin(caller.user)?;
    let mut connection = context.database.connection().await?;
    let head: Option<Json<Value>> = sqlx::query_scalar(
        "select jsonb_build_object(
            'project', jsonb_build_object('name', projects.name, 'description', projects.description),
            'labels', (select coalesce(jsonb_agg(jsonb_build_object('name', name, 'colour', colour) order by name), '[]')
                       from labels where labels.project_id = projects.id))
         from projects join memberships on memberships.project_id = projects.id
         where projects.id = $1 and memberships.user_id = $2",
    )
    .bind(project_id)
    .bind(caller.user)
    .fetch_optional(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    let Json(head) = head.ok_or(Problem::NoSuch(project::WORD))?;
    drop(connection);
    let begun = format!(
        "{{\"format\":\"{}\",\"project\":{},\"labels\":{},\"tasks\":[",
        Format::WRITTEN,
        head["project"],
        head["labels"]
    );
    let file = ("application/json", format!("project-{project_id}.json"));
    let form = (begun.into_bytes(), Items::default());
    Ok(outflow::respond(context, (caller, turn), project_id, form, file))
}

/// Tasks in a list that is open already.
#[derive(Default)]
struct Items {
    written: usize,
}

impl Form for Items {
    fn write(&mut self, task: Value, out: &mut Vec<u8>) -> io::Result<()> {
        if self.written > 0 {
            out.push(b',');
        }
        self.written += 1;
        serde_json::to_writer(out, &task).map_err(io::Error::from)
    }

    fn end(&self) -> &'static [u8] {
        b"]}\n"
    }
}
