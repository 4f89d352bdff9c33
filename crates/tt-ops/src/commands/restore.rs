//! `restore`: beside, to keep or as a drill; an export goes into a database of its own.

use tt_plan::database::{DatabaseCommand, restore};

use crate::{
    cli::{self, Global},
    commands::{copies::carry_out, exports},
    context::Context,
    exit::Exit,
    failure::Failure,
    report::Reporter,
};

pub(crate) async fn run(global: &Global, args: &cli::Restore, reporter: &Reporter) -> Result<Exit, Failure> {
    let context = Context::open(global, &args.environment).await?;
    let Some(target) = &args.to else {
        return exports::bring_back(&context, args, reporter).await;
    };
    let copy = args.copy.instance()?;
    let environment = &context.environment;
    let observed = context
        .backups()
        .observe()
        .await
        .map_err(|error| context.failure(error))?;
    let command = if args.drill {
        DatabaseCommand::Drill
    } else {
        DatabaseCommand::Restore
    };
    let plan = restore(environment, &observed, target, &copy, command)?;

    reporter.database_plan(environment, &plan);
    if args.plan {
        return Ok(Exit::Done);
    }
    if !args.yes && !reporter.confirm(&format!("Restore as {copy}?")) {
        return Ok(Exit::Refused);
    }
    let ended = carry_out(&context, &context.cloud(), &plan, None, &observed.caller, reporter).await;
    Ok(reporter.database_ended(environment, &plan, &ended))
}
