//! `restore ENV --from-export ID --as DATABASE`.
//!
//! The database is made for the restore, after every part was verified, and gets its name when everything is in it. It is taken away again
//! when the restore does not come to its end; one whose restore was killed goes when the restore is typed again.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tt_aws::{ExportId, S3Exports};
use tt_export::{ExportError, StoreError, Target, fill, read_manifest, verify};

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

pub(in crate::commands) async fn bring_back(
    context: &Context,
    args: &cli::Restore,
    reporter: &Reporter,
) -> Result<Exit, Failure> {
    let Some(id) = &args.from_export else {
        return Err(Failure::new(
            Exit::Usage,
            "say what to restore: `--to` or `--from-export`",
        ));
    };
    let name = args.copy.database()?;
    let connections = usize::from(args.connections);
    let store = S3Exports::new(&context.clients, &context.environment).open(id);
    let manifest = read_manifest(&store)
        .await
        .map_err(|error| unreadable(context, id, &error))?;
    let server = address(context, args.on.as_ref()).await?;
    let target = Target::new(server, name).map_err(|error| Failure::new(Exit::Usage, format!("--as: {error}")))?;
    let standing = target.look().await.map_err(|error| failure(&error))?;
    reporter.import_planned(&context.environment, id, &target, &standing, &manifest);
    if args.plan {
        return Ok(Exit::Done);
    }
    if !args.yes && !reporter.confirm(&format!("Restore it as database {}?", target.name())) {
        return Ok(Exit::Refused);
    }

    let mut interruptions = Interruptions::listen()?;
    let verifying = |heard| verify(&store, connections, heard);
    let verified = match follow(verifying, Moving::verification(id), &mut interruptions, reporter).await {
        Followed::Ended(verified, _) => verified.map_err(|error| failure(&error))?,
        Followed::Interrupted => return Err(Failure::new(Exit::Failed, "interrupted; nothing was written")),
    };
    let of = origin(id);
    let url = target.begin(&of).await.map_err(|error| failure(&error))?;
    let filling = |heard| fill(&url, &store, &verified, connections, heard);
    let moving = Moving::import(id, target.name(), &verified);
    let why = match follow(filling, moving, &mut interruptions, reporter).await {
        Followed::Ended(Ok(restored), took) => {
            target.finish(&of).await.map_err(|error| unnamed(&target, &error))?;
            reporter.imported(&context.environment, id, target.name(), &restored, took);
            return Ok(Exit::Done);
        }
        Followed::Ended(Err(error), _) => failure(&error),
        Followed::Interrupted => Failure::new(Exit::Failed, "the restore was interrupted"),
    };
    Err(taken_back(&target, why).await)
}

/// For the database's comment: of which export, since when, by whom.
fn origin(id: &ExportId) -> String {
    let begun = OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default();
    format!("export {id}, begun {begun} by {}", holder("").name)
}

/// An export without a manifest may be one that somebody still writes.
fn unreadable(context: &Context, id: &ExportId, error: &ExportError) -> Failure {
    let failure = failure(error);
    let ExportError::Store {
        cause: StoreError::Absent,
        ..
    } = error
    else {
        return failure;
    };
    failure.hint(format!(
        "export {id} was never finished, or there is none of this name: `tt-ops backup {} exports` lists them",
        context.environment.name
    ))
}

async fn taken_back(target: &Target, why: Failure) -> Failure {
    let name = target.unfinished();
    match target.remove().await {
        Ok(()) => why.hint(format!("database {name}, which was made for it, is removed")),
        Err(error) => Failure {
            exit: Exit::Partial,
            ..why.hint(format!(
                "database {name} is half full and could not be removed ({}); the same restore removes it and begins anew",
                chain(&error)
            ))
        },
    }
}

/// All of it is there and counted, under a name that says otherwise.
fn unnamed(target: &Target, error: &ExportError) -> Failure {
    let (unfinished, name) = (target.unfinished(), target.name());
    Failure {
        exit: Exit::Partial,
        ..failure(error).hint(format!(
            "everything is restored and counted; when nobody is connected to it any more: ALTER DATABASE \"{unfinished}\" RENAME TO \"{name}\""
        ))
    }
}
