use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    access::Caller,
    effect::changed,
    extract::{Body, Ids, present},
    label::{Colour, Label, json, refusal, refused},
    problem::Problem,
    router::Context,
    text::Name,
    version::IfMatch,
    write::{Write, change},
};

/// What to change; at least one field.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LabelChange, min_properties = 1)]
pub(crate) struct Change {
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    name: Option<Name>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    colour: Option<Colour>,
}

/// Change a label
///
/// For owners and editors.
#[utoipa::path(
    patch, path = "/api/v1/projects/{id}/labels/{label_id}", operation_id = "update_label", tag = "labels",
    params(
        ("id" = Uuid, Path, description = "The project"),
        ("label_id" = Uuid, Path, description = "The label"),
        ("if-match" = String, Header, description = "Its ETag: the label's version in double quotes"),
    ),
    request_body = Change,
    responses(
        (status = 200, description = "As it is now", body = Label),
        (status = 409, description = "The project has a label of this name"),
    ),
    security(("session" = []), ("token" = ["tasks:write"])),
)]
pub(crate) async fn update(
    State(context): State<Context>,
    caller: Caller,
    Ids(project_id, id): Ids,
    if_match: IfMatch,
    Body(change): Body<Change>,
) -> Result<Response, Problem> {
    if change.name.is_none() && change.colour.is_none() {
        return Err(Problem::no_field());
    }
    let changed = Write::<Label>::new(
        &caller,
        "label.changed",
        StatusCode::OK,
        change!(
            "old as (
                select labels.* from labels join memberships on memberships.project_id = labels.project_id
                where labels.id = $9 and labels.project_id = $10 and memberships.user_id = $1
                  and memberships.role in ('owner', 'editor') and ($11::bigint[] is null or labels.version = any($11))
                for update of labels
             ), new as (
                update labels
                set name = coalesce($12, labels.name), colour = coalesce($13, labels.colour),
                    version = labels.version + 1, updated_at = now()
                from old where labels.id = old.id
                returning labels.*
             )",
            changed!("new.project_id", json!("old"), json!("new"))
        ),
    )
    .bind(id)
    .bind(project_id)
    .bind(if_match.versions())
    .bind(change.name.map(String::from))
    .bind(change.colour.map(|colour| colour.0))
    .run(&context.database)
    .await
    .map_err(refused)?;
    match changed {
        Some(done) => Ok(done.respond()),
        None => Err(refusal(&mut *context.database.connection().await?, &caller, project_id, id).await),
    }
}
