//! `ModifyDBInstance`: what takes effect at once, and what waits for `ApplyImmediately`.

use std::sync::Arc;
use std::time::Instant;

use super::super::error::RdsError;
use super::super::instance::{Instance, InstanceSpec};
use super::super::keeper::{Restart, Wanted};
use super::super::settings::Settings;
use super::super::status::Status;
use super::super::vault::Leftover;
use super::super::{InstanceId, Rds, pace};
use super::instances::{find, settings};
use super::{Answered, Request};

pub(super) fn modify(request: &Request<'_>) -> Answered {
    let rds = request.rds;
    for absent in ["NewDBInstanceIdentifier", "EngineVersion", "DBPortNumber"] {
        if request.parameters.has(absent) {
            let message = format!("The sandbox cannot change {absent} of an instance.");
            return Err(RdsError::Combination(message).into());
        }
    }
    let (id, before) = find(request)?;
    let wanted = settings(
        request,
        before.pending.clone().unwrap_or_else(|| before.settings.clone()),
    )?;
    rds.check_groups(request.region(), &wanted)?;
    let password = request.parameters.text("MasterUserPassword");
    if let Some(password) = password {
        let spec = InstanceSpec {
            identifier: before.identifier.clone(),
            db_name: None,
            username: before.username.clone(),
            password: password.to_owned(),
            port: before.port,
            settings: wanted.clone(),
            tags: before.tags.clone(),
        };
        spec.check()?;
    }
    let at_once = request.parameters.parsed::<bool>("ApplyImmediately")? == Some(true);
    let now = if at_once {
        wanted.clone()
    } else {
        without_disruption(&before.settings, &wanted)
    };
    rds.set_status_if(&id, &Status::Available, Status::Modifying)?;
    rds.change(&id, |instance| {
        instance.pending = (now != wanted).then(|| wanted.clone());
        instance.settings = now.clone();
    });
    apply(rds, &id, before.clone(), now.clone(), password.map(str::to_owned));
    let instance = Instance {
        settings: now.clone(),
        pending: (now != wanted).then_some(wanted),
        status: Status::Modifying,
        ..before
    };
    Ok(request.one(&instance))
}

/// Amazon RDS User Guide, "Settings for DB instances": these are changed without an outage whenever they are asked for; class,
/// storage, zones and the parameter group wait.
fn without_disruption(before: &Settings, wanted: &Settings) -> Settings {
    Settings {
        class: before.class.clone(),
        allocated_gigabytes: before.allocated_gigabytes,
        zones: before.zones,
        parameter_group: before.parameter_group.clone(),
        ..wanted.clone()
    }
}

fn apply(rds: &Arc<Rds>, id: &InstanceId, before: Instance, now: Settings, password: Option<String>) {
    let (rds, id) = (Arc::clone(rds), id.clone());
    tokio::spawn(async move {
        let began = Instant::now();
        if before.settings.backup_retention_days > 0 && now.backup_retention_days == 0 {
            rds.end_automated(&id, &before, Leftover::Deleted);
        }
        rds.prepare_log(&id);
        let applied = async {
            rds.cluster(&id)?.reload().await?;
            match &password {
                Some(password) => rds.set_password(&id, password).await,
                None => Ok(()),
            }
        };
        if let Err(error) = applied.await {
            let reason = crate::front::chain(&error);
            tracing::error!(instance = %id.1, %reason, "the change of the database instance failed");
        }
        pace::at_least(rds.clock, pace::CHANGE_MINUTES, began).await;
        if before.settings.class == now.class {
            rds.settle(&id, &Status::Modifying);
        } else {
            // Another class is another machine; the keeper makes the instance available again.
            rds.want(&id, Wanted::Restarted(Restart::Reboot));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::super::settings::Zones;
    use super::*;

    #[test]
    fn what_would_disturb_the_users_waits() {
        let before = Settings::new("db.t4g.micro", 20);
        let wanted = Settings {
            class: "db.m7g.large".to_owned(),
            allocated_gigabytes: 40,
            zones: Zones::multi_az(true),
            backup_retention_days: 7,
            deletion_protection: true,
            ..before.clone()
        };
        let now = without_disruption(&before, &wanted);
        let expected = Settings {
            backup_retention_days: 7,
            deletion_protection: true,
            ..before
        };
        assert_eq!(now, expected);
    }
}
