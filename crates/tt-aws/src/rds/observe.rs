//! Reads everything that a plan of backups or restores stands on; the reads that do not depend on each other run side by side.

use aws_sdk_rds::{
    operation::describe_db_instance_automated_backups::DescribeDBInstanceAutomatedBackupsError,
    types::DbInstanceAutomatedBackup,
};
use time::OffsetDateTime;
use tt_environment::{BackupCopy, Environment, InstanceName};
use tt_execute::PortError;
use tt_plan::database::{Abroad, DatabaseObserved, DatabaseRefusal, Window};

use super::{instance, snapshot};
use crate::{
    clients::Clients,
    ecs::deployment::at,
    error::{failed, not_found},
    identity,
    records::S3Journal,
};

pub(super) async fn observe(
    clients: &Clients,
    environment: &Environment,
    journal: &S3Journal,
) -> Result<DatabaseObserved, PortError> {
    let database = environment.database.as_ref().ok_or_else(|| {
        not_found(
            "find the environment's database",
            DatabaseRefusal::NoDatabase.to_string(),
            DatabaseRefusal::NoDatabase.hint(),
        )
    })?;
    let name = &database.instance;
    let copy = database.backup.as_ref().and_then(|backup| backup.copy.as_ref());
    let (caller, instances, snapshots, manual_snapshots, backups, abroad, drills) = tokio::try_join!(
        identity::caller(clients),
        instance::all(&clients.rds),
        snapshot::of_instance(&clients.rds, name),
        snapshot::manual(&clients.rds),
        automated(&clients.rds, name),
        abroad(clients, environment, name, copy),
        journal.drills(),
    )?;
    let source = instances
        .iter()
        .find(|instance| instance.name == *name)
        .cloned()
        .ok_or_else(|| {
            not_found(
                format!("describe database instance `{name}`"),
                "there is no such instance in this account and region",
                "correct `database.instance` in the environment file",
            )
        })?;
    let window = match backups.iter().find_map(|backup| window(backup).transpose()) {
        Some(window) => Some(window?),
        None => None,
    };
    Ok(DatabaseObserved {
        at: OffsetDateTime::now_utc(),
        caller,
        source,
        instances,
        snapshots,
        manual_snapshots,
        window,
        abroad,
        drills,
    })
}

async fn abroad(
    clients: &Clients,
    environment: &Environment,
    name: &InstanceName,
    copy: Option<&BackupCopy>,
) -> Result<Option<Abroad>, PortError> {
    let Some(copy) = copy else { return Ok(None) };
    let rds = clients.rds_in(&copy.region);
    let (snapshots, backups) = tokio::try_join!(snapshot::of_instance(&rds, name), automated(&rds, name))?;
    // There may be an instance of the same name over there: what is replicated says that it is from home.
    let home = environment.aws.region.as_str();
    let replicated = backups.iter().find(|backup| backup.region() == Some(home));
    Ok(Some(Abroad {
        region: copy.region.clone(),
        snapshots,
        replicated: replicated.map(window).transpose()?.flatten(),
        replicating: replicated.is_some(),
    }))
}

async fn automated(
    rds: &aws_sdk_rds::Client,
    name: &InstanceName,
) -> Result<Vec<DbInstanceAutomatedBackup>, PortError> {
    let request = rds
        .describe_db_instance_automated_backups()
        .db_instance_identifier(name.as_str());
    match request.send().await {
        Ok(answer) => Ok(answer.db_instance_automated_backups.unwrap_or_default()),
        Err(error)
            if error.as_service_error().is_some_and(
                DescribeDBInstanceAutomatedBackupsError::is_db_instance_automated_backup_not_found_fault,
            ) =>
        {
            Ok(Vec::new())
        }
        Err(error) => Err(failed(format!("describe the automated backups of `{name}`"))(error)),
    }
}

/// Nothing while there is nothing to restore yet.
fn window(backup: &DbInstanceAutomatedBackup) -> Result<Option<Window>, PortError> {
    let Some(window) = backup.restore_window() else {
        return Ok(None);
    };
    let (Some(earliest), Some(latest)) = (window.earliest_time(), window.latest_time()) else {
        return Ok(None);
    };
    Ok(Some(Window {
        earliest: at(earliest)?,
        latest: at(latest)?,
    }))
}
