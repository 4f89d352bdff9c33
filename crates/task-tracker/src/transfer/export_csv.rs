use std::io;

use axum::{extract::State, response::Response};
use serde::Deserialize;
use serde_json::Value;

use super::{
    cell::{defused, joined},
    outflow::{self, Form},
    rows::COLUMNS,
};
use crate::{access::Caller, extract::Id, problem::Problem, project, router::Context};

/// Export the tasks of a project as a table
///
/// CSV with a line of names first (RFC 4180, UTF-8): title, description, status, priority, `due_at`, labels and assignees, the last two
/// with semicolons between; comments stay behind. A text that a spreadsheet would calculate begins with an apostrophe. A response that
/// breaks off is not whole. A user may have two exports or imports under way at a time.
#[utoipa::path(
    get, path = "/api/v1/projects/{id}/tasks.csv", operation_id = "export_tasks", tag = "transfer",
    params(("id" = Uuid, Path, description = "The project")),
    responses((status = 200, description = "The tasks", body = String, content_type = "text/csv")),
    security(("session" = []), ("token" = ["tasks:read"])),
)]
pub(crate) async fn export(
    State(context): State<Context>,
    caller: Caller,
    Id(project_id): Id,
) -> Result<Response, Problem> {
    let turn = context.heavy.begin(caller.user)?;
    let mut connection = context.database.connection().await?;
    project::role(&mut connection, &caller, project_id).await?;
    drop(connection);
    let mut begun = Vec::new();
    line(&COLUMNS.map(str::to_owned), &mut begun).map_err(|_| Problem::Internal)?;
    let file = ("text/csv; charset=utf-8", format!("tasks-{project_id}.csv"));
    Ok(outflow::respond(
        context,
        (caller, turn),
        project_id,
        (begun, Lines),
        file,
    ))
}

struct Lines;

/// What a line has of a task.
#[derive(Deserialize)]
struct Columns {
    title: String,
    description: String,
    status: String,
    priority: String,
    due_at: Option<String>,
    labels: Vec<String>,
    assignee_ids: Vec<String>,
}

impl Form for Lines {
    fn write(&mut self, task: Value, out: &mut Vec<u8>) -> io::Result<()> {
        let task: Columns = serde_json::from_value(task)?;
        let cells = [
            defused(&task.title),
            defused(&task.description),
            task.status,
            task.priority,
            task.due_at.unwrap_or_default(),
            defused(&joined(task.labels.iter().map(String::as_str))),
            joined(task.assignee_ids.iter().map(String::as_str)),
        ];
        line(&cells, out)
    }

    fn end(&self) -> &'static [u8] {
        b""
    }
}

fn line(cells: &[String; 7], out: &mut Vec<u8>) -> io::Result<()> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(out);
    writer.write_record(cells).map_err(io::Error::other)?;
    writer.flush()
}
