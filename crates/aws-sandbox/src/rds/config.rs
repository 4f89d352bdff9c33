//! The configuration that a server is started with. Pure; written anew before every start, so that it follows the settings.

use time::OffsetDateTime;
use time::macros::format_description;

use super::instance::Replay;

/// Without fsync a commit is in the page cache when it is acknowledged, which a killed process cannot take back. Full pages
/// are still logged while a base backup runs, because PostgreSQL insists on them.
const BASE: &str = "\
unix_socket_directories = ''
fsync = off
full_page_writes = off
max_connections = 200
max_wal_size = '1GB'
log_min_messages = warning
timezone = 'UTC'
archive_mode = on
";

/// Every user needs a password, even from this machine; base backups come over a replication connection.
pub(super) const WHO_MAY_CONNECT: &str = "\
host all all 127.0.0.0/8 scram-sha-256
host replication rdsadmin 127.0.0.0/8 scram-sha-256
";

/// Where finished pieces of the log go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Archiving {
    /// No point in time is asked for.
    Off,
    /// Into the folder of this resource id.
    Into(String),
}

/// The text of `postgresql.auto.conf`. The paths are relative to the data folder, where the server runs its commands: a state
/// folder may have any name, and these have plain ones.
pub(super) fn text(archiving: &Archiving, replay: Option<&Replay>) -> String {
    let archive = match archiving {
        Archiving::Off => "/bin/true".to_owned(),
        // Most of a piece that was closed early is empty and takes no room; a killed copy leaves nothing under the name.
        Archiving::Into(log) => {
            let file = format!("{LOGS}/{log}/%f");
            format!("cp --sparse=always \"%p\" {file}.new && mv {file}.new {file}")
        }
    };
    let replay = replay.map_or_else(String::new, |Replay { log, until }| {
        let until = moment(*until);
        format!(
            "restore_command = 'cp {LOGS}/{log}/%f \"%p\"'\n\
             recovery_target_time = '{until}'\n\
             recovery_target_action = 'promote'\n\
             hot_standby = off\n"
        )
    });
    format!("{BASE}archive_command = '{archive}'\n{replay}")
}

/// From a data folder, where the logs are.
const LOGS: &str = "../../wal";

/// PostgreSQL keeps microseconds.
fn moment(at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    at.format(format_description!(
        "[year]-[month]-[day] [hour]:[minute]:[second].[subsecond digits:6]+00"
    ))
    .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn the_log_goes_where_it_is_kept_and_comes_from_where_it_was() {
        assert!(text(&Archiving::Off, None).contains("archive_command = '/bin/true'\n"));
        let replay = Replay {
            log: "db-OLD".to_owned(),
            until: datetime!(2026-01-31 01:02:03.000004 +01:00),
        };
        let text = text(&Archiving::Into("db-NEW".to_owned()), Some(&replay));
        expect_test::expect![[r#"
            archive_command = 'cp --sparse=always "%p" ../../wal/db-NEW/%f.new && mv ../../wal/db-NEW/%f.new ../../wal/db-NEW/%f'
            restore_command = 'cp ../../wal/db-OLD/%f "%p"'
            recovery_target_time = '2026-01-31 00:02:03.000004+00'
            recovery_target_action = 'promote'
            hot_standby = off
        "#]]
        .assert_eq(text.strip_prefix(BASE).unwrap());
    }
}
