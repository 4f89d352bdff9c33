//! Open files: every connection is one, and a process may have only so many (getrlimit(2), `RLIMIT_NOFILE`).

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Settings;

/// Connections that the service takes when nobody says how many.
pub(crate) const USUAL: usize = 10_000;
/// Connections that are answered although there is no place left: health checks, and others who are told so.
pub(crate) const SPARE: usize = 64;
/// Scrapers need a handful of connections; more is somebody else.
pub(crate) const SCRAPERS: usize = 64;
/// Listeners, the runtime's own, messages of webhooks, the bucket, Secrets Manager, traces, names being looked up.
const OWN: usize = 128;

/// There are not enough for what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "MAX_CONNECTIONS is {asked}, and of the {limit} files that this process may open {beside} are for the database and for itself; lower it to {} or less, or raise the limit (`ulimits` of a task definition, `LimitNOFILE` of a unit, `ulimit -n`)",
    .limit.saturating_sub(*.beside)
)]
pub struct TooFewFiles {
    asked: usize,
    limit: usize,
    beside: usize,
}

/// Lets this process open as many as it may at all: what a shell sets as the soft limit is for programs that use `select`.
pub(crate) fn raise() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: maximum,
        maximum,
    };
    if let Err(cause) = setrlimit(Resource::Nofile, most) {
        tracing::warn!(%cause, "could not raise the limit of open files");
    }
}

/// How many this process may open by now.
pub(crate) fn limit() -> usize {
    let Rlimit { current, .. } = getrlimit(Resource::Nofile);
    current
        .and_then(|most| usize::try_from(most).ok())
        .unwrap_or(usize::MAX)
}

/// How many users' connections to take: as asked for, or as many as fit, `USUAL` at most.
pub(crate) fn places(settings: &Settings, limit: usize) -> Result<usize, TooFewFiles> {
    // Beside the pool, `/readyz` has a connection of its own.
    let pool = usize::try_from(settings.database_pool).unwrap_or(usize::MAX);
    let beside = pool.saturating_add(1 + SCRAPERS + SPARE + OWN);
    let room = limit.saturating_sub(beside);
    let asked = settings.max_connections.unwrap_or(USUAL.min(room).max(1));
    if asked > room {
        return Err(TooFewFiles { asked, limit, beside });
    }
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        settings: Settings,
    }

    #[test]
    fn connections_leave_room_for_everything_else() {
        for (flags, limit, expected) in [
            // What Fargate gives a container.
            ("", 65_535, Some(10_000)),
            ("", 10_265, Some(10_000)),
            ("", 10_264, Some(9_999)),
            ("", 1_024, Some(759)),
            ("", usize::MAX, Some(10_000)),
            ("--max-connections 60000", 65_535, Some(60_000)),
            ("--max-connections 10000", 10_264, None),
            ("--max-connections 10000 --database-pool 100", 10_265, None),
            ("", 200, None),
        ] {
            let words = ["serve"].into_iter().chain(flags.split_whitespace());
            let settings = Arguments::parse_from(words).settings;
            assert_eq!(places(&settings, limit).ok(), expected, "{flags} {limit}");
        }
        let settings = Arguments::parse_from(["serve", "--max-connections", "1000"]).settings;
        let refusal = places(&settings, 1_024).unwrap_err().to_string();
        assert!(refusal.contains("lower it to 759 or less"), "{refusal}");
    }
}
