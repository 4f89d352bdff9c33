//! `history`: the deploy records.

use tt_execute::Cloud;

use crate::{
    cli::{self, Global},
    context::Context,
    exit::Exit,
    failure::Failure,
    report::Reporter,
};

pub(crate) async fn run(global: &Global, args: &cli::History, reporter: &Reporter) -> Result<Exit, Failure> {
    let context = Context::open(global, &args.environment).await?;
    // Observing, not just listing: ECS knows how a deployment ended whose job left early.
    let observed = context
        .cloud()
        .observe()
        .await
        .map_err(|error| context.failure(error))?;
    let newest = observed.history.len().min(args.limit);
    reporter.history(&context.environment, &observed.history[..newest]);
    Ok(Exit::Done)
}
