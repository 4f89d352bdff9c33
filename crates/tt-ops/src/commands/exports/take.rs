//! `backup ENV export`.

use time::OffsetDateTime;
use tt_aws::{Begun, ExportId, ExportState, ListedExport, S3Exports};
use tt_execute::PortErrorKind;
use tt_export::{ExportOptions, export, survey};

use super::{
    address,
    failure::failure,
    follow::{Followed, Interruptions, follow},
};
use crate::{
    cli,
    context::{Context, holder},
    exit::Exit,
    failure::{Failure, chain},
    report::{Moving, Reporter},
};

pub(super) async fn take(context: &Context, args: &cli::Export, reporter: &Reporter) -> Result<Exit, Failure> {
    let now = OffsetDateTime::now_utc();
    let id = args.id.clone().unwrap_or_else(|| ExportId::of(now));
    let url = address(context, args.url_secret.as_ref()).await?;
    let exports = S3Exports::new(&context.clients, &context.environment);
    let listed = exports.list().await.map_err(|error| context.failure(error))?;
    reporter.exports_unfinished(&context.environment, &listed);
    if let Some(there) = listed.iter().find(|export| export.id == id) {
        return Err(taken(context, there));
    }
    if args.plan {
        let survey = survey(&url).await.map_err(|error| failure(&error))?;
        reporter.export_planned(&context.environment, &id, &exports.open(&id).address(), &survey);
        return Ok(Exit::Done);
    }
    let begun = Begun {
        at: now,
        by: holder("").name,
    };
    let mut interruptions = Interruptions::listen()?;
    let store = exports.begin(&id, &begun).await.map_err(|error| {
        if error.kind == PortErrorKind::Conflict {
            return Failure::new(Exit::Refused, chain(&error)).hint("take another name for it (`--id`)");
        }
        context.failure(error)
    })?;

    let options = ExportOptions {
        connections: args.connections.into(),
        ..ExportOptions::default()
    };
    let moving = Moving::export(&id, &store.address());
    let exporting = |heard| export(&url, &store, options, heard);
    let why = match follow(exporting, moving, &mut interruptions, reporter).await {
        Followed::Ended(Ok(exported), took) => {
            reporter.exported(&context.environment, &id, &store.address(), &exported, took);
            return Ok(Exit::Done);
        }
        Followed::Ended(Err(error), _) => failure(&error),
        Followed::Interrupted => Failure::new(Exit::Failed, "the export was interrupted"),
    };
    // Half an export is of no use to anybody, and somebody would pay for it.
    Err(match exports.remove(&id).await {
        Ok(()) => why.hint("what had been written of it is removed"),
        Err(error) => why.hint(format!(
            "what was written of it is still there ({}): `{}`",
            chain(&error),
            pruning(context, &id)
        )),
    })
}

/// The name is somebody's. Whether that one still runs nobody can tell from here, so nothing of it is touched.
fn taken(context: &Context, there: &ListedExport) -> Failure {
    let (id, another) = (&there.id, "take another name for it (`--id`)");
    match &there.state {
        ExportState::Complete(_) | ExportState::Damaged { .. } => {
            Failure::new(Exit::Refused, format!("there is an export `{id}` already")).hint(another)
        }
        ExportState::Unfinished => {
            let who = there
                .begun
                .as_ref()
                .map_or_else(String::new, |begun| format!(", begun by {}", begun.by));
            let what = format!("there is an export `{id}` already{who}: never finished, or still being written");
            let hint = format!(
                "{another}, or, when nobody writes it any more: `{}`",
                pruning(context, id)
            );
            Failure::new(Exit::Refused, what).hint(hint)
        }
    }
}

fn pruning(context: &Context, id: &ExportId) -> String {
    format!("tt-ops backup {} prune-exports --id {id}", context.environment.name)
}
