//! `deploy`: observe, plan, execute.

use tt_execute::{Cloud, Executor, Intent, Takeover, Until};
use tt_plan::Consent;

use crate::{
    cli::{self, Global},
    commands::release,
    context::{Context, HttpProbe, SystemClock, holder},
    exit::Exit,
    failure::Failure,
    report::Reporter,
};

pub(crate) async fn run(global: &Global, args: &cli::Deploy, reporter: &Reporter) -> Result<Exit, Failure> {
    let context = Context::open(global, &args.environment).await?;
    let cloud = context.cloud();
    let observed = cloud.observe().await.map_err(|error| context.failure(error))?;
    let release = release::resolve(&context, &args.image, args.release.as_deref(), args.commit.as_deref()).await?;
    let consent = if args.adopt { Consent::Drift } else { Consent::None };
    let plan = tt_plan::deploy(&context.environment, &release, &observed, consent)?;

    reporter.plan(&context.environment, &plan);
    if args.plan || plan.steps.is_empty() {
        return Ok(Exit::Done);
    }
    if !args.yes && !reporter.confirm(&format!("Deploy {} to {}?", plan.brings, context.environment.name)) {
        return Ok(Exit::Refused);
    }

    let executor = Executor {
        environment: &context.environment,
        cloud: &cloud,
        journal: &context.journal,
        probe: &HttpProbe::new()?,
        clock: &SystemClock,
    };
    let until = match args.until {
        cli::Until::Shifted => Until::Shifted,
        cli::Until::Done => Until::Done,
    };
    let intent = Intent {
        holder: holder(&observed.caller.arn),
        takeover: Takeover::Expired,
        until,
    };
    let ended = Box::pin(executor.execute(&plan, &intent, interrupted(), &|event| reporter.event(&event))).await;
    Ok(reporter.ended(&context.environment, &plan, &ended))
}

/// Ctrl-C, or the SIGTERM of a cancelled CI job.
pub(crate) async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminated) = signal(SignalKind::terminate()) else {
        let _ctrl_c_alone = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated.recv() => {}
    }
}
