//! `restore ENV --from-export ID --as DATABASE`.
//!
//! The database is made for the restore, after every part was verified; it is taken away again when the restore does not come to its end.

use tt_aws::S3Exports;
use tt_export::{create_database, drop_database, fill, is_free, read_manifest, verify};

use super::{
    address,
    failure::failure,
    follow::{Followed, Interruptions, follow},
};
use crate::{
    cli,
    context::Context,
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
    let manifest = read_manifest(&store).await.map_err(|error| failure(&error))?;
    let server = address(context, args.on.as_ref()).await?;
    is_free(&server, &name).await.map_err(|error| failure(&error))?;
    reporter.import_planned(&context.environment, id, &name, &manifest);
    if args.plan {
        return Ok(Exit::Done);
    }
    if !args.yes && !reporter.confirm(&format!("Restore it as database {name}?")) {
        return Ok(Exit::Refused);
    }

    let mut interruptions = Interruptions::listen()?;
    let verifying = |heard| verify(&store, connections, heard);
    let verified = match follow(verifying, Moving::verification(id), &mut interruptions, reporter).await {
        Followed::Ended(verified, _) => verified.map_err(|error| failure(&error))?,
        Followed::Interrupted => return Err(Failure::new(Exit::Failed, "interrupted; nothing was written")),
    };
    let url = create_database(&server, &name).await.map_err(|error| failure(&error))?;
    let filling = |heard| fill(&url, &store, &verified, connections, heard);
    let moving = Moving::import(id, &name, &verified);
    let why = match follow(filling, moving, &mut interruptions, reporter).await {
        Followed::Ended(Ok(restored), took) => {
            reporter.imported(&context.environment, id, &name, &restored, took);
            return Ok(Exit::Done);
        }
        Followed::Ended(Err(error), _) => failure(&error),
        Followed::Interrupted => Failure::new(Exit::Failed, "the restore was interrupted"),
    };
    Err(match drop_database(&server, &name).await {
        Ok(()) => why.hint(format!("database {name}, which was made for it, is removed")),
        Err(error) => Failure {
            exit: Exit::Partial,
            ..why.hint(format!(
                "database {name} is half full and could not be removed ({}); drop it before you try again",
                chain(&error)
            ))
        },
    })
}
