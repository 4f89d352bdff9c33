//! `backup ENV export`, `exports`, `prune-exports` and `restore ENV --from-export`: a database's definitions and rows in S3, for another
//! place.
//!
//! This process itself goes to the database, so it runs where that can be reached; the address comes from Secrets Manager and goes
//! nowhere else.

mod bring_back;
mod due;
mod failure;
mod follow;
mod take;
mod tidy;

use secrecy::ExposeSecret;
use tt_environment::{Reach, SecretName};
use tt_export::DatabaseUrl;

pub(super) use self::bring_back::bring_back;
use crate::{cli::ExportCommand, context::Context, exit::Exit, failure::Failure, report::Reporter};

/// The variable in which the service reads its database's address.
const VARIABLE: &str = "DATABASE_URL";

pub(super) async fn run(context: &Context, command: &ExportCommand, reporter: &Reporter) -> Result<Exit, Failure> {
    match command {
        ExportCommand::Take(args) => take::take(context, args, reporter).await,
        ExportCommand::List => tidy::list(context, reporter).await,
        ExportCommand::Prune { id, plan, yes } => {
            let planned = tidy::plan(context, id.as_ref(), reporter).await?;
            if *plan || planned.is_empty() {
                return Ok(Exit::Done);
            }
            let question = format!("Delete {} of these for good?", planned.len());
            if !yes && !reporter.confirm(&question) {
                return Ok(Exit::Refused);
            }
            tidy::prune(context, &planned, reporter).await
        }
    }
}

/// Of the server that is meant: what a secret holds, by default the one by which the environment goes straight to the database, or else the
/// one that the service itself reads.
async fn address(context: &Context, secret: Option<&SecretName>) -> Result<DatabaseUrl, Failure> {
    let environment = &context.environment;
    let direct = match environment.database.as_ref().map(|database| &database.reach) {
        Some(Reach::Direct { url, .. }) => Some(url),
        Some(Reach::Task) | None => None,
    };
    let Some(secret) = secret.or(direct).or_else(|| environment.secrets.get(VARIABLE)) else {
        let what =
            format!("the container of this environment reads no {VARIABLE}, so no secret is known that holds it");
        let hint =
            "name the secret: `--url-secret`, `--on` for a restore, or `database.direct.url` in the environment file";
        return Err(Failure::new(Exit::Usage, what).hint(hint));
    };
    let text = context.clients.database_url(secret).await;
    let text = text.map_err(|error| context.failure(error))?;
    DatabaseUrl::parse(text.expose_secret())
        .map_err(|error| Failure::new(Exit::Usage, format!("secret `{secret}`: {error}")))
}
