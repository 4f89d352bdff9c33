//! `backup`: snapshots, and what they promise; what is about exports is in `exports`.

use time::OffsetDateTime;
use tt_environment::{InstanceName, SnapshotName};
use tt_plan::database::{self, DatabaseObserved, DatabasePlan, Extent};

use crate::{
    cli::{self, BackupCommand, BackupKind, Global},
    commands::{copies::carry_out, exports},
    context::Context,
    exit::Exit,
    failure::Failure,
    report::Reporter,
};

pub(crate) async fn run(global: &Global, args: &cli::Backup, reporter: &Reporter) -> Result<Exit, Failure> {
    let context = Context::open(global, &args.environment).await?;
    let command = match &args.command {
        BackupKind::Snapshots(command) => command,
        BackupKind::Exports(command) => return exports::run(&context, command, reporter).await,
    };
    let environment = &context.environment;
    let observed = context
        .backups()
        .observe()
        .await
        .map_err(|error| context.failure(error))?;
    match command {
        BackupCommand::Create { name, plan } => {
            let name = match name {
                Some(name) => name.clone(),
                None => snapshot_name(&observed.source.name, "", observed.at)?,
            };
            let planned = database::backup(environment, &observed, &name, Extent::Policy)?;
            reporter.database_plan(environment, &planned);
            if *plan {
                return Ok(Exit::Done);
            }
            walk(&context, &planned, &observed, reporter).await
        }
        BackupCommand::Prune { plan, yes } => {
            let planned = database::prune(environment, &observed)?;
            reporter.database_plan(environment, &planned);
            let question = format!("Delete {} of these for good?", planned.steps.len());
            if *plan || planned.steps.is_empty() {
                return Ok(Exit::Done);
            }
            if !yes && !reporter.confirm(&question) {
                return Ok(Exit::Refused);
            }
            walk(&context, &planned, &observed, reporter).await
        }
        BackupCommand::List => {
            reporter.backups(environment, &observed);
            Ok(Exit::Done)
        }
        BackupCommand::Verify => {
            let findings = database::verify(environment, &observed)?;
            reporter.backups_verified(environment, &findings);
            let good = findings.iter().all(|finding| finding.found.is_ok());
            Ok(if good { Exit::Done } else { Exit::Backup })
        }
        BackupCommand::Report => {
            let regions = database::report(environment, &observed)?;
            reporter.backups_report(environment, &regions, observed.drills.first());
            let kept = regions
                .iter()
                .all(|region| region.rpo.is_kept() && region.rto.is_kept());
            Ok(if kept { Exit::Done } else { Exit::Backup })
        }
    }
}

async fn walk(
    context: &Context,
    plan: &DatabasePlan,
    observed: &DatabaseObserved,
    reporter: &Reporter,
) -> Result<Exit, Failure> {
    let ended = carry_out(context, &context.cloud(), plan, None, &observed.caller, reporter).await;
    Ok(reporter.database_ended(&context.environment, plan, &ended))
}

/// `task-tracker-20260301-030000`: sorts by time, and says of what it is.
pub(crate) fn snapshot_name(
    instance: &InstanceName,
    infix: &str,
    now: OffsetDateTime,
) -> Result<SnapshotName, Failure> {
    let name = format!(
        "{instance}{infix}-{:04}{:02}{:02}-{:02}{:02}{:02}",
        now.year(),
        u8::from(now.month()),
        now.day(),
        now.hour(),
        now.minute(),
        now.second()
    );
    SnapshotName::parse(&name).map_err(|error| Failure::new(Exit::Internal, error.to_string()))
}
