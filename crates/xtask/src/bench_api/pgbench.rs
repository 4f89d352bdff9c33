//! How often PostgreSQL answers the statements of the single read when no server stands before it: pgbench, prepared.

use std::{fs, path::Path, process::Command};

use super::stage::Stage;
use crate::{failure::Failure, interrupt::Interrupt, place::Place, said::said};

/// As many as the service's pool has, which is also what is quickest here.
const SESSIONS: &str = "8";

/// One turn: reads a second, each made of the look at the token and the task.
pub(super) fn turn(stage: &Stage, script: &Path, seconds: f64, interrupt: &Interrupt) -> Result<f64, Failure> {
    let mut pgbench = Command::new(stage.programs().join("pgbench"));
    pgbench
        .args(["--no-vacuum", "--protocol=prepared", "--jobs=2", "--client", SESSIONS])
        .arg(format!("--time={}", seconds.ceil()))
        .arg(format!("--file={}", script.display()))
        .arg(stage.url());
    let text = said("pgbench", &mut pgbench, interrupt)?;
    let rate = text.lines().find_map(|line| {
        let rest = line.strip_prefix("tps = ")?;
        rest.split(' ').next()?.parse().ok()
    });
    rate.ok_or_else(|| Failure::Check(format!("pgbench named no rate:\n{text}")))
}

/// The statements that the peers send, with the values of one person and one task.
pub(super) fn write_script(place: &Place, stage: &Stage, path: &Path, interrupt: &Interrupt) -> Result<(), Failure> {
    let folder = place.root().join("benches").join("peers").join("sql");
    let read = |name: &str| {
        let path = folder.join(name);
        fs::read_to_string(&path).map_err(|cause| Failure::Read { path, cause })
    };
    let values = stage.sql(
        "select encode(token_sha256, 'hex'), user_id,
                (select tasks.id from tasks join memberships using (project_id)
                 where memberships.user_id = api_tokens.user_id order by tasks.id limit 1)
         from api_tokens where name = 'bench' order by user_id limit 1",
        interrupt,
    )?;
    let mut values = values.split('|');
    let mut next = || values.next().unwrap_or_default().to_owned();
    let (fingerprint, user, task) = (next(), next(), next());
    let reader = read("reader.sql")?.replace("$1", &format!("'\\x{fingerprint}'::bytea"));
    let one = read("one.sql")?
        .replace("$1", &format!("'{task}'::uuid"))
        .replace("$2", &format!("'{user}'::uuid"));
    let script = format!("{};\n{};\n", reader.trim(), one.trim());
    fs::write(path, script).map_err(|cause| Failure::Write {
        path: path.to_owned(),
        cause,
    })
}
