use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::Caller,
    effect::made,
    extract::{Body, Id},
    label::{Colour, Label, json, refused, require_editor},
    problem::Problem,
    router::Context,
    text::Name,
    write::{Write, change},
};

/// More than anybody can tell apart.
const MOST: i64 = 200;

/// A new label.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewLabel {
    name: Name,
    colour: Colour,
}

/// Make a label
///
/// For owners and editors.
#[utoipa::path(
    post, path = "/api/v1/projects/{id}/labels", operation_id = "create_label", tag = "labels",
    params(("id" = Uuid, Path, description = "The project")),
    request_body = NewLabel,
    responses(
        (status = 201, description = "Made", body = Label),
        (status = 409, description = "The project has a label of this name, or too many"),
    ),
    security(("session" = []), ("token" = ["tasks:write"])),
)]
pub(crate) async fn create(
    State(context): State<Context>,
    caller: Caller,
    Id(project_id): Id,
    Body(new): Body<NewLabel>,
) -> Result<Response, Problem> {
    let made = Write::<Label>::new(
        &caller,
        "label.created",
        StatusCode::CREATED,
        change!(
            "made as (
                insert into labels (id, project_id, name, colour)
                select $9, memberships.project_id, $11, $12 from memberships
                where memberships.project_id = $10 and memberships.user_id = $1
                  and memberships.role in ('owner', 'editor')
                  and (select count(*) from labels where labels.project_id = $10) < $13
                returning *
             )",
            made!("project_id", json!("made"))
        ),
    )
    .bind(Uuid::now_v7())
    .bind(project_id)
    .bind(String::from(new.name))
    .bind(new.colour.0)
    .bind(MOST)
    .run(&context.database)
    .await
    .map_err(refused)?;
    if let Some(done) = made {
        return Ok(done.respond_at(|label| format!("/api/v1/projects/{}/labels/{}", label.project_id, label.id)));
    }
    require_editor(&mut *context.database.connection().await?, &caller, project_id).await?;
    Err(Problem::Conflict("the project has 200 labels already"))
}
