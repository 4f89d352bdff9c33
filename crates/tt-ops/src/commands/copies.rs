//! What `backup`, `restore` and rehearsals have in common: a plan about backups, carried out and reported.

use tt_execute::{
    Cloud,
    database::{DatabaseExecutor, DatabaseHalted, DatabaseOutcome, TaskDatabase},
};
use tt_plan::{Arn, Caller, database::DatabasePlan};

use crate::{
    commands::deploy::interrupted,
    context::{Context, SystemClock, holder},
    report::Reporter,
};

/// Carries out a plan; `task_definition` names the release whose image looks into databases, unless it is the live one.
pub(crate) async fn carry_out(
    context: &Context,
    cloud: &impl Cloud,
    plan: &DatabasePlan,
    task_definition: Option<&Arn>,
    caller: &Caller,
    reporter: &Reporter,
) -> Result<DatabaseOutcome, DatabaseHalted> {
    let executor = DatabaseExecutor {
        environment: &context.environment,
        backups: &context.backups(),
        database: &TaskDatabase {
            environment: &context.environment,
            cloud,
            clock: &SystemClock,
        },
        clock: &SystemClock,
        task_definition,
        holder: &holder(&caller.arn),
        emit: &|event| reporter.database_event(&event),
    };
    Box::pin(executor.execute(plan, interrupted())).await
}
