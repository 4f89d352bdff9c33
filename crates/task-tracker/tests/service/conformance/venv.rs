//! The Python environment with the tester, made once per target folder from pinned requirements.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

const REQUIREMENTS: &str = include_str!("requirements.txt");

/// Where the environment is, and what the tester leaves behind.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("conformance")
}

/// The tester, or why there can be none on this machine.
pub(crate) fn schemathesis() -> Result<PathBuf, String> {
    let folder = folder();
    fs::create_dir_all(&folder).unwrap();
    // Two test processes may want it at once; the second waits for the first.
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let (mark, tester) = (folder.join("ready"), folder.join("venv/bin/schemathesis"));
    let is_ready = fs::read_to_string(&mark).is_ok_and(|installed| installed == REQUIREMENTS);
    if is_ready && tester.exists() {
        return Ok(tester);
    }
    run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(folder.join("venv")))?;
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, REQUIREMENTS).unwrap();
    let mut pip = Command::new(folder.join("venv/bin/pip"));
    run(pip
        .args(["install", "--quiet", "--disable-pip-version-check", "--requirement"])
        .arg(requirements))?;
    fs::write(mark, REQUIREMENTS).unwrap();
    Ok(tester)
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|cause| format!("{command:?}: {cause}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!(
            "{command:?}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ))
    }
}
