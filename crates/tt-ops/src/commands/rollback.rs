//! `rollback`: no question, no waiting for a lock, an honest word about what it trades.

use tt_execute::{Cloud, Executor, Intent, Takeover, Until};
use tt_plan::Target;

use crate::{
    cli::{self, Global},
    commands::deploy::interrupted,
    context::{Context, HttpProbe, SystemClock, holder},
    exit::Exit,
    failure::Failure,
    report::Reporter,
};

pub(crate) async fn run(global: &Global, args: &cli::Rollback, reporter: &Reporter) -> Result<Exit, Failure> {
    let context = Context::open(global, &args.environment).await?;
    let cloud = context.cloud();
    let observed = cloud.observe().await.map_err(|error| context.failure(error))?;
    let target = args.to.clone().map_or(Target::Previous, Target::Release);
    let rollback = tt_plan::rollback(&context.environment, &observed, &target)?;

    reporter.trade(&context.environment, &rollback, &observed);
    if args.plan {
        return Ok(Exit::Done);
    }

    let executor = Executor {
        environment: &context.environment,
        cloud: &cloud,
        journal: &context.journal,
        probe: &HttpProbe::new()?,
        clock: &SystemClock,
    };
    let intent = Intent {
        holder: holder(&observed.caller.arn),
        takeover: Takeover::Any,
        until: Until::Done,
    };
    let ended =
        Box::pin(executor.execute(&rollback.plan, &intent, interrupted(), &|event| reporter.event(&event))).await;
    Ok(reporter.ended(&context.environment, &rollback.plan, &ended))
}
