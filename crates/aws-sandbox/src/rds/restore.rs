//! New instances from backups: which files they are made of is decided here, at the time of the call; then they are filled.
//!
//! Never over an existing instance: a restore always makes another one, with an address of its own.

use std::collections::BTreeMap;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::error::RdsError;
use super::instance::{Instance, Replay, Restoration, unique_id};
use super::settings::Settings;
use super::status::Status;
use super::vault::{Automated, AutomatedState, Vault};
use super::window::{self, OutOfWindow};
use crate::clock;

/// What a client may choose for the instance that it restores into.
pub(super) struct Target {
    pub(super) identifier: String,
    pub(super) port: Option<u16>,
    pub(super) settings: Settings,
    pub(super) tags: BTreeMap<String, String>,
}

/// Which moment is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Latest,
    At(OffsetDateTime),
}

/// What a point in time is taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// An instance of this Region that lives, by its identifier.
    Instance(String),
    /// An instance that may be gone, by its resource id.
    Resource(String),
    /// Automated backups, perhaps of another Region's instance, by their `ab-…`.
    Backups(String),
}

impl Target {
    /// The instance that is to be, from what the backup says about its source.
    pub(super) fn instance(self, of: &Instance, from: Restoration) -> Instance {
        Instance {
            identifier: self.identifier,
            resource_id: unique_id("db"),
            slot: 0,
            port: self.port.unwrap_or(of.port),
            settings: Settings {
                // What is encrypted stays so.
                kms_key: self.settings.kms_key.or_else(|| of.settings.kms_key.clone()),
                ..self.settings
            },
            pending: None,
            tags: self.tags,
            created: clock::now(),
            status: Status::Creating,
            restored_from: Some(from),
            ..of.clone()
        }
    }
}

/// The automated backups that a source means.
pub(super) fn find<'v>(
    vault: &'v Vault,
    region: &str,
    source: &Source,
    instance: Option<&Instance>,
) -> Result<&'v Automated, RdsError> {
    let missing = |name: &str| RdsError::AutomatedNotFound(name.to_owned());
    let here = vault.automated.get(region);
    match source {
        Source::Instance(identifier) => {
            let instance = instance.ok_or_else(|| RdsError::NotFound(identifier.clone()))?;
            let enabled = instance.settings.backup_retention_days > 0;
            vault
                .active(region, &instance.resource_id)
                .filter(|_| enabled)
                .ok_or_else(|| RdsError::NoPointInTime(identifier.clone()))
        }
        Source::Resource(id) => here
            .into_iter()
            .flat_map(BTreeMap::values)
            .find(|automated| automated.of.resource_id.eq_ignore_ascii_case(id))
            .ok_or_else(|| missing(id)),
        Source::Backups(id) => here.and_then(|here| here.get(id)).ok_or_else(|| missing(id)),
    }
}

/// The base backup and the end of the log for a moment, or which bound it breaks.
pub(super) fn choose(
    vault: &Vault,
    automated: &Automated,
    moment: Moment,
    now: OffsetDateTime,
    day: time::Duration,
) -> Result<Restoration, RdsError> {
    let name = &automated.of.identifier;
    let not_yet = || {
        let message =
            format!("The specified instance {name} cannot be restored yet: its first automated backup is not complete");
        match automated.state {
            AutomatedState::Active => RdsError::WrongState {
                identifier: name.clone(),
                status: "without a restorable time",
                needed: "backed up once",
            },
            AutomatedState::Replicating | AutomatedState::Retained { .. } => RdsError::Restore(message),
        }
    };
    let window = vault.window(automated, now, day).ok_or_else(not_yet)?;
    let until = match moment {
        Moment::Latest => window.latest,
        Moment::At(at) => {
            window.check(at).map_err(|bound| {
                let (side, bound) = match bound {
                    OutOfWindow::Before(earliest) => ("earlier", earliest),
                    OutOfWindow::After(latest) => ("later", latest),
                };
                let bound = bound.format(&Rfc3339).unwrap_or_default();
                RdsError::Invalid(format!(
                    "The specified instance cannot be restored to a time {side} than {bound}"
                ))
            })?;
            at
        }
    };
    let log = vault.logs.get(&automated.of.resource_id).ok_or_else(not_yet)?;
    let base = window::base_for(&log.times(), until)
        .and_then(|at| log.bases.get(at))
        .ok_or_else(not_yet)?;
    Ok(Restoration {
        files: base.files.clone(),
        replay: Some(Replay {
            log: automated.of.resource_id.clone(),
            until,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::super::instance::InstanceSpec;
    use super::super::vault::{Base, Log};
    use super::*;

    fn at(second: i64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + time::Duration::seconds(second)
    }

    fn vault() -> Vault {
        let spec = InstanceSpec::new("app", "app", "app", "correct-horse");
        let of = Instance::new(&spec, "15.0".to_owned(), at(0));
        let bases = [10, 20].map(|second| Base {
            files: format!("base-{second}"),
            consistent: at(second),
        });
        let log = Log {
            bases: bases.to_vec(),
            latest: Some(at(30)),
        };
        let automated = Automated {
            of: of.clone(),
            source_region: "here".to_owned(),
            retention_days: 7,
            state: AutomatedState::Active,
            kms_key: None,
        };
        let mut vault = Vault::default();
        vault.logs.insert(of.resource_id, log);
        let here = vault.automated.entry("here".to_owned()).or_default();
        here.insert("ab-1".to_owned(), automated);
        vault
    }

    #[test]
    fn a_moment_is_reached_from_the_nearest_base_or_refused_with_its_bound() {
        let vault = vault();
        let automated = find(&vault, "here", &Source::Backups("ab-1".to_owned()), None).unwrap();
        let choose = |moment| choose(&vault, automated, moment, at(40), time::Duration::DAY);
        for (moment, files, until) in [
            (Moment::Latest, "base-20", 30),
            (Moment::At(at(20)), "base-20", 20),
            (Moment::At(at(19)), "base-10", 19),
            (Moment::At(at(10)), "base-10", 10),
        ] {
            let chosen = choose(moment).unwrap();
            assert_eq!(
                (chosen.files.as_str(), chosen.replay.unwrap().until),
                (files, at(until))
            );
        }
        for (moment, words) in [
            (9, "a time earlier than 1970-01-01T00:00:10Z"),
            (31, "a time later than 1970-01-01T00:00:30Z"),
        ] {
            let error = choose(Moment::At(at(moment))).unwrap_err().to_string();
            assert!(error.ends_with(words), "{error}");
        }
    }

    #[test]
    fn a_source_that_is_not_there_is_named() {
        let vault = vault();
        let absent = find(&vault, "here", &Source::Instance("app".to_owned()), None);
        assert!(matches!(absent, Err(RdsError::NotFound(name)) if name == "app"));
        let of = vault.automated["here"]["ab-1"].of.clone();
        let unprotected = find(&vault, "here", &Source::Instance("app".to_owned()), Some(&of));
        assert!(
            matches!(unprotected, Err(RdsError::NoPointInTime(_))),
            "its retention is 0"
        );
        let elsewhere = find(&vault, "there", &Source::Backups("ab-1".to_owned()), None);
        assert!(matches!(elsewhere, Err(RdsError::AutomatedNotFound(_))));
        assert!(find(&vault, "here", &Source::Resource(of.resource_id), None).is_ok());
    }
}
