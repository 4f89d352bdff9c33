//! What the section `database` means: how the database is backed up, and what that promises.

use std::path::Path;
use std::time::Duration;

use crate::validate::{Check, beside};
use crate::{BackupCopy, BackupPolicy, Database, Reach, Region, raw};

const DAY: Duration = Duration::from_hours(24);

impl Check<'_> {
    pub(crate) fn database(&mut self, database: Option<raw::Database>, home: &Region, file: &Path) -> Option<Database> {
        let database = database?;
        let reach = self.reach(database.reach, database.direct, file);
        let backup = database.backup.map(|backup| self.backup(backup, home));
        Some(Database {
            instance: database.instance,
            reach,
            backup,
        })
    }

    fn reach(&mut self, reach: raw::Reach, direct: Option<raw::Direct>, file: &Path) -> Reach {
        match (reach, direct) {
            (raw::Reach::Direct, Some(direct)) => {
                return Reach::Direct {
                    url: direct.url.secret,
                    migrations: beside(file, &direct.migrations),
                };
            }
            (raw::Reach::Direct, None) => self.missing(
                "database",
                "database.direct".to_owned(),
                "the way there, such as {url: {secret: NAME}, migrations: FOLDER}".to_owned(),
            ),
            (raw::Reach::Task, Some(_)) => {
                self.refuse(
                    "database.direct",
                    "goes with `reach: direct` only: add that, or remove this",
                );
            }
            (raw::Reach::Task, None) => {}
        }
        Reach::Task
    }

    fn backup(&mut self, backup: raw::Backup, home: &Region) -> BackupPolicy {
        let retention = backup.retention.0;
        // Amazon RDS API Reference, ModifyDBInstance: BackupRetentionPeriod is 0 to 35, and 0 switches backups off.
        self.within(
            "database.backup.retention",
            retention,
            DAY,
            DAY * 35,
            "1d to 35d, as RDS has it",
        );
        if !retention.as_millis().is_multiple_of(DAY.as_millis()) {
            self.refuse("database.backup.retention", "must be whole days");
        }
        self.positive("database.backup.rpo", backup.rpo.0);
        self.positive("database.backup.rto", backup.rto.0);
        BackupPolicy {
            retention_days: u32::try_from(retention.as_secs() / DAY.as_secs()).unwrap_or(u32::MAX),
            keep_tested: backup.keep_tested,
            quota_warning: backup.quota_warning,
            rpo: backup.rpo.0,
            rto: backup.rto.0,
            copy: backup.copy.map(|copy| self.copy(copy, home)),
        }
    }

    fn copy(&mut self, copy: raw::BackupCopy, home: &Region) -> BackupCopy {
        if copy.region == *home {
            self.refuse(
                "database.backup.copy.region",
                "is the Region that the database is in: a copy there is lost with it",
            );
        }
        self.positive("database.backup.copy.rpo", copy.rpo.0);
        BackupCopy {
            region: copy.region,
            kms_key: copy.kms_key,
            rpo: copy.rpo.0,
        }
    }
}
