use std::io;

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;

use crate::{access::Caller, personal::Export, problem::Problem, router::Context};

/// Get everything that is kept about oneself
///
/// With the tasks of the projects that one owns, those that one is assigned elsewhere, and what one did and wrote. Written while
/// it is read: what changes meanwhile is there as it was before or after. A response that breaks off is not whole. A user may have
/// two exports or imports under way at a time.
#[utoipa::path(
    get, path = "/api/v1/me/export", operation_id = "export_me", tag = "accounts",
    responses((status = 200, description = "The account, sessions, tokens, projects, labels, tasks, comments, attachments, invitations, webhooks, filters, reminders, notifications and activity", body = Object)),
    security(("session" = [])),
)]
pub(crate) async fn export(State(context): State<Context>, caller: Caller) -> Result<Response, Problem> {
    let turn = context.heavy.begin(caller.user)?;
    let place = context.heavy.place().await?;
    let export = Export::begin(context.database.clone(), caller.user)
        .await?
        .ok_or(Problem::Unauthenticated)?;
    drop(place);
    // The turn is over when the last page has gone, or whoever reads them.
    let pages = stream::try_unfold((context, export, turn), async |(context, mut export, turn)| {
        let page = async {
            let _place = context.heavy.place().await?;
            export.next().await
        };
        let page = page
            .await
            .map_err(|_| io::Error::other("the export ended in the middle"))?;
        Ok::<_, io::Error>(page.map(|page| (Bytes::from(page), (context, export, turn))))
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static("attachment; filename=\"task-tracker.json\""),
        ),
    ];
    Ok((headers, Body::from_stream(pages)).into_response())
}
