//! `backup ENV export`.

use time::OffsetDateTime;
use tt_aws::{Begun, ExportId, S3Exports};
use tt_execute::PortErrorKind;
use tt_export::{ExportOptions, export};

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
            "what was written of it is still there ({}): `tt-ops backup {} prune-exports --id {id}`",
            chain(&error),
            context.environment.name
        )),
    })
}
