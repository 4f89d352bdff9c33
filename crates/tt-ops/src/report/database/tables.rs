//! Tables about backups that fit 80 columns.

use console::style;
use tt_environment::{Environment, Region};
use tt_plan::database::{
    BackupFact, BackupFinding, DatabaseObserved, DrillRecord, Measured, RegionReport, Snapshot, SnapshotKind,
};

use super::{
    super::words::{age, span},
    words,
};

pub(super) fn backups(environment: &Environment, observed: &DatabaseObserved) -> String {
    let source = &observed.source;
    let mut text = vec![format!(
        "{}  {} ({}, {})",
        style(&environment.name).bold(),
        source.name,
        source.engine,
        source.status
    )];
    text.push(match observed.window {
        Some(window) => format!(
            "  any moment from {} to {} UTC ({} ago)",
            words::moment(window.earliest),
            words::moment(window.latest),
            age(window.latest, observed.at)
        ),
        None => "  no moment: the instance keeps no automated backups".to_owned(),
    });
    text.push(snapshots(&environment.aws.region, &observed.snapshots, observed));
    if let Some(abroad) = &observed.abroad {
        text.push(match (abroad.replicated, abroad.replicating) {
            (Some(window), _) => format!(
                "  {}: any moment up to {} UTC ({} ago)",
                abroad.region,
                words::moment(window.latest),
                age(window.latest, observed.at)
            ),
            (None, true) => format!("  {}: the replication has nothing to restore yet", abroad.region),
            (None, false) => format!("  {}: automated backups are not replicated", abroad.region),
        });
        text.push(snapshots(&abroad.region, &abroad.snapshots, observed));
    }
    text.join("\n")
}

fn snapshots(region: &Region, snapshots: &[Snapshot], observed: &DatabaseObserved) -> String {
    if snapshots.is_empty() {
        return format!("  {region}: no snapshot");
    }
    let mut text = vec![format!(
        "  {:<42} {:<20} {:<10} {:>6} {}",
        format!("{region}: snapshot"),
        "data from (UTC)",
        "status",
        "age",
        "made by"
    )];
    for snapshot in snapshots {
        let taken = snapshot.taken.map_or_else(|| "-".to_owned(), words::moment);
        let age = snapshot
            .taken
            .map_or_else(|| "-".to_owned(), |taken| age(taken, observed.at));
        let status = if snapshot.is_available() {
            "available".to_owned()
        } else {
            format!("{} {} %", snapshot.status, snapshot.percent)
        };
        let by = match (&snapshot.mark, &snapshot.kind) {
            (Some(mark), _) if mark.tested.is_some() => "tt-ops, tested".to_owned(),
            (Some(_), _) => "tt-ops".to_owned(),
            (None, SnapshotKind::Automated) => "RDS".to_owned(),
            (None, SnapshotKind::Manual) => "somebody else".to_owned(),
            (None, SnapshotKind::Other(kind)) => kind.clone(),
        };
        text.push(format!(
            "  {:<42} {taken:<20} {status:<10} {age:>6} {by}",
            snapshot.name
        ));
    }
    text.join("\n")
}

pub(super) fn verified(environment: &Environment, findings: &[BackupFinding]) -> String {
    let mut text = vec![format!("{}", style(&environment.name).bold())];
    for finding in findings {
        let name = finding.check.name();
        match &finding.found {
            Ok(fact) => text.push(format!("  {} {name:<11} {}", style("ok ").green(), self::fact(fact))),
            Err(wrong) => {
                text.push(format!("  {} {name:<11} {wrong}", style("NO ").red().bold()));
                text.push(format!("      {:<11} {}", "", style(wrong.hint()).dim()));
            }
        }
    }
    text.join("\n")
}

pub(super) fn fact(fact: &BackupFact) -> String {
    match fact {
        BackupFact::Days(days) => format!("{days} days"),
        BackupFact::Age(age) => format!("{} ago", span(*age)),
        BackupFact::Count(count) => format!("{count}"),
    }
}

pub(super) fn report(environment: &Environment, regions: &[RegionReport], last: Option<&DrillRecord>) -> String {
    let mut text = vec![
        format!("{}  what a disaster would cost now", style(&environment.name).bold()),
        format!(
            "  {:<16} {:<34} {}",
            "Region", "data lost (RPO)", "time to recover (RTO)"
        ),
    ];
    for region in regions {
        text.push(format!(
            "  {:<16} {:<34} {}",
            region.region,
            measured(region.rpo),
            measured(region.rto)
        ));
    }
    match last {
        Some(drill) => text.push(self::drill(drill)),
        None => text.push("  no drill is on record".to_owned()),
    }
    text.join("\n")
}

fn measured(measured: Measured) -> String {
    match measured {
        Measured::Value { found, promised } if measured.is_kept() => {
            format!("{} of {}", span(found), span(promised))
        }
        Measured::Value { found, promised } => format!("{} of {}: BROKEN", span(found), span(promised)),
        Measured::NoData { promised } => format!("no data of {}: BROKEN", span(promised)),
        Measured::NotPromised => "not promised".to_owned(),
    }
}

/// The last drill, as it stands in its record.
pub(super) fn drill(drill: &DrillRecord) -> String {
    let mut text = vec![format!(
        "  drill of {} as {}, {} UTC, by {}",
        drill.instance,
        drill.copy,
        words::moment(drill.started_at),
        drill.who.name
    )];
    for (name, figure) in words::figures(drill) {
        text.push(format!("    {name:<21} {figure}"));
    }
    text.extend(
        drill
            .findings
            .iter()
            .map(|found| format!("    {}", words::finding(found))),
    );
    text.join("\n")
}
