//! `verify`: everything a deploy would refuse on, seen before there is a release.

use tt_aws::{DatabaseState, Reachability};
use tt_execute::Cloud;
use tt_plan::preflight;

use crate::{
    cli::{self, Global},
    commands::release,
    context::Context,
    exit::Exit,
    failure::Failure,
    report::{Line, Reporter},
};

pub(crate) async fn run(global: &Global, args: &cli::Verify, reporter: &Reporter) -> Result<Exit, Failure> {
    let context = Context::open(global, &args.environment).await?;
    let observed = context
        .cloud()
        .observe()
        .await
        .map_err(|error| context.failure(error))?;
    let mut lines: Vec<Line> = Vec::new();
    for finding in preflight(&context.environment, &observed) {
        let name = finding.check.name();
        if finding.refusals.is_empty() {
            lines.push(Line::good(name, "in order"));
        }
        lines.extend(
            finding
                .refusals
                .iter()
                .map(|refusal| Line::bad(name, refusal.to_string(), refusal.hint())),
        );
    }
    lines.push(image(&context, args.image.as_deref(), &observed.service.live.image).await);
    if let Some(database) = &context.environment.database {
        lines.push(match context.clients.database(&database.instance).await {
            Ok(state) => judged(&state),
            Err(error) => {
                let failure = context.failure(error);
                Line::bad("database", failure.what.join("; "), failure.hints.join("; "))
            }
        });
    }
    let refused = lines.iter().any(Line::is_bad);
    reporter.verified(&context.environment, &observed, &lines);
    Ok(if refused { Exit::Refused } else { Exit::Done })
}

async fn image(context: &Context, wanted: Option<&str>, live: &str) -> Line {
    let Some(wanted) = wanted else {
        return Line::good("image", format!("none asked for; the live one is {live}"));
    };
    match release::resolve(context, wanted, None, None).await {
        Ok(release) => Line::good("image", release.image.to_string()),
        Err(failure) => Line::bad("image", failure.what.join("; "), failure.hints.join("; ")),
    }
}

fn judged(state: &DatabaseState) -> Line {
    let endpoint = state.endpoint.as_deref().unwrap_or("no endpoint");
    match &state.reachability {
        _ if state.status != "available" => Line::bad(
            "database",
            format!("its status is {}", state.status),
            "wait until RDS says available".to_owned(),
        ),
        Reachability::Reached => Line::good("database", format!("available, reached at {endpoint}")),
        // Databases sit in private subnets: only the tasks have to reach them.
        Reachability::NotFromHere { reason } => Line::good(
            "database",
            format!("available at {endpoint}; not reachable from here ({reason})"),
        ),
        Reachability::NoEndpoint => Line::bad(
            "database",
            "RDS gives it no endpoint",
            "look at the instance's events in RDS".to_owned(),
        ),
    }
}
