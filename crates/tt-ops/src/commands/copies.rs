//! What `backup`, `restore` and rehearsals have in common: a plan about backups, carried out and reported.

use tt_execute::database::{Database, DatabaseExecutor, DatabaseHalted, DatabaseOutcome};
use tt_plan::{Arn, Caller, database::DatabasePlan};

use crate::{
    commands::deploy::interrupted,
    context::{Context, SystemClock, holder},
    report::Reporter,
};

/// Carries out a plan; `task_definition` names the release whose task looks into databases, unless it is the live one or none is needed.
pub(crate) async fn carry_out(
    context: &Context,
    database: &impl Database,
    plan: &DatabasePlan,
    task_definition: Option<&Arn>,
    caller: &Caller,
    reporter: &Reporter,
) -> Result<DatabaseOutcome, DatabaseHalted> {
    let executor = DatabaseExecutor {
        environment: &context.environment,
        backups: &context.backups(),
        database,
        clock: &SystemClock,
        task_definition,
        holder: &holder(&caller.arn),
        emit: &|event| reporter.database_event(&event),
    };
    Box::pin(executor.execute(plan, interrupted())).await
}
