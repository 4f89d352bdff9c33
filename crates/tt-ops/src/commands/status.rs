//! `status`: where users are, what is in flight, what to do about it.

use std::time::Duration;

use tt_execute::{Clock, Cloud};

use crate::{
    cli::{self, Global},
    context::{Context, SystemClock},
    exit::Exit,
    failure::Failure,
    report::Reporter,
};

pub(crate) async fn run(global: &Global, args: &cli::Status, reporter: &Reporter) -> Result<Exit, Failure> {
    let context = Context::open(global, &args.environment).await?;
    let cloud = context.cloud();
    let pause = (context.environment.aws.minute / 30).max(Duration::from_millis(500));
    loop {
        let observed = cloud.observe().await.map_err(|error| context.failure(error))?;
        let in_flight = observed.service.deployment.as_ref();
        let progress = match in_flight {
            Some(deployment) => Some(
                cloud
                    .progress(&deployment.arn)
                    .await
                    .map_err(|error| context.failure(error))?,
            ),
            None => None,
        };
        reporter.status(&context.environment, &observed, progress.as_ref());
        if !args.watch || in_flight.is_none() {
            return Ok(Exit::Done);
        }
        tokio::select! {
            () = SystemClock.sleep(pause) => {}
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Done),
        }
    }
}
