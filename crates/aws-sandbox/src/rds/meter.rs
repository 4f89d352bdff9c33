//! Metrics of an instance, read from the processes of its server (Amazon RDS User Guide, "CloudWatch instance-level metrics").

use std::fs;
use std::time::{Duration, Instant};

use super::{InstanceId, Rds};
use crate::cloudwatch::Unit;

const INTERVAL: Duration = Duration::from_secs(5);
/// Linux reports processor time in hundredths of a second (`proc_pid_stat(5)`, `sysconf(_SC_CLK_TCK)`).
const TICKS_PER_SECOND: f64 = 100.0;

/// Records `DatabaseConnections` and `CPUUtilization` until dropped.
pub(super) async fn measure_forever(rds: &Rds, (region, identifier): &InstanceId, postmaster: u32) {
    let dimensions = [("DBInstanceIdentifier", identifier.clone())];
    let processors =
        std::thread::available_parallelism().map_or(1.0, |count| f64::from(u32::try_from(count.get()).unwrap_or(1)));
    let mut before: Option<(Instant, f64)> = None;
    let mut ticks = tokio::time::interval(INTERVAL);
    loop {
        ticks.tick().await;
        let reading = Reading::of(postmaster);
        let record = |name, value, unit| rds.metrics.record(region, "AWS/RDS", name, &dimensions, value, unit);
        record("DatabaseConnections", reading.connections, Unit::COUNT);
        if let Some((at, used)) = before {
            let passed = at.elapsed().as_secs_f64();
            // Processes that ended took their time with them, so the difference may be negative.
            let share = (reading.processor_seconds - used).max(0.0) / passed / processors;
            record("CPUUtilization", (share * 100.0).min(100.0), Unit::PERCENT);
        }
        before = Some((Instant::now(), reading.processor_seconds));
    }
}

struct Reading {
    connections: f64,
    processor_seconds: f64,
}

impl Reading {
    /// Looks at the server's process group: the postmaster leads it, and its children stay in it.
    fn of(postmaster: u32) -> Self {
        let mut reading = Self {
            connections: 0.0,
            processor_seconds: 0.0,
        };
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(stat) = fs::read_to_string(entry.path().join("stat"))
                .ok()
                .as_deref()
                .and_then(Stat::parse)
            else {
                continue;
            };
            if stat.parent == postmaster || entry.file_name().to_str() == Some(&postmaster.to_string()) {
                reading.processor_seconds += stat.ticks / TICKS_PER_SECOND;
                // A backend's title is `postgres: user database host(port) …`; only it has the client's port.
                let title = fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
                if title.starts_with("postgres: ") && title.contains('(') && !title.contains(" launcher") {
                    reading.connections += 1.0;
                }
            }
        }
        reading
    }
}

/// The fields of /proc/pid/stat that matter here.
struct Stat {
    parent: u32,
    ticks: f64,
}

impl Stat {
    /// The command in brackets may itself hold spaces and brackets.
    fn parse(text: &str) -> Option<Self> {
        let (_, fields) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = fields.split(' ').collect();
        let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            ticks: ticks(11)? + ticks(12)?,
        })
    }
}
