//! `backup ENV exports` and `prune-exports`.

use std::time::Duration;

use time::OffsetDateTime;
use tt_aws::{ExportId, ListedExport, S3Exports};

use super::due::{Policy, due};
use crate::{context::Context, exit::Exit, failure::Failure, report::Reporter};

const DAY: Duration = Duration::from_hours(24);

pub(super) async fn list(context: &Context, reporter: &Reporter) -> Result<Exit, Failure> {
    let listed = all(context).await?;
    reporter.exports(&context.environment, &listed);
    Ok(Exit::Done)
}

/// What would be deleted: the one that is named, or whatever the policy no longer keeps.
pub(super) async fn plan(
    context: &Context,
    id: Option<&ExportId>,
    reporter: &Reporter,
) -> Result<Vec<ListedExport>, Failure> {
    let listed = all(context).await?;
    let planned = match id {
        Some(id) => vec![named(context, listed, id)?],
        None => due(listed, policy(context)?, OffsetDateTime::now_utc()),
    };
    reporter.exports_going(&context.environment, &planned);
    Ok(planned)
}

fn named(context: &Context, listed: Vec<ListedExport>, id: &ExportId) -> Result<ListedExport, Failure> {
    listed.into_iter().find(|export| export.id == *id).ok_or_else(|| {
        Failure::new(Exit::Refused, format!("there is no export `{id}`")).hint(format!(
            "`tt-ops backup {} exports` lists them",
            context.environment.name
        ))
    })
}

fn policy(context: &Context) -> Result<Policy, Failure> {
    let database = context.environment.database.as_ref();
    let backup = database.and_then(|database| database.backup.as_ref()).ok_or_else(|| {
        Failure::new(Exit::Refused, "the environment does not say how long backups are kept")
            .hint("give `database.backup.retention` in the environment file, or name an export with `--id`")
    })?;
    Ok(Policy {
        retention: DAY * backup.retention_days,
    })
}

pub(super) async fn prune(context: &Context, planned: &[ListedExport], reporter: &Reporter) -> Result<Exit, Failure> {
    let exports = S3Exports::new(&context.clients, &context.environment);
    for export in planned {
        exports
            .remove(&export.id)
            .await
            .map_err(|error| context.failure(error))?;
        reporter.export_gone(&context.environment, &export.id);
    }
    Ok(Exit::Done)
}

async fn all(context: &Context) -> Result<Vec<ListedExport>, Failure> {
    let exports = S3Exports::new(&context.clients, &context.environment);
    exports.list().await.map_err(|error| context.failure(error))
}
