//! `diff`: what a deploy would change in the service.

use tt_execute::Cloud;
use tt_plan::{Consent, Step, deploy};

use crate::{
    cli::{self, Global},
    commands::release,
    context::Context,
    exit::Exit,
    failure::Failure,
    report::{Change, Reporter},
};

pub(crate) async fn run(global: &Global, args: &cli::Diff, reporter: &Reporter) -> Result<Exit, Failure> {
    let context = Context::open(global, &args.environment).await?;
    let observed = context
        .cloud()
        .observe()
        .await
        .map_err(|error| context.failure(error))?;
    let release = release::resolve(&context, &args.image, None, None).await?;
    let plan = deploy(&context.environment, &release, &observed, Consent::Drift)?;
    let live = &observed.service.live;
    let mut changes = vec![
        Change::new("image", &live.image, &release.image.to_string()),
        Change::new("release", &live.label(), release.name.as_str()),
    ];
    for step in &plan.steps {
        if let Step::Start {
            strategy, bake, pauses, ..
        } = step
        {
            changes.extend(Change::of_rollout(&observed.service.rollout, *strategy, *bake, pauses));
        }
    }
    changes.retain(Change::is_real);
    reporter.diff(&context.environment, &changes);
    Ok(if args.check && !changes.is_empty() {
        Exit::Differs
    } else {
        Exit::Done
    })
}
