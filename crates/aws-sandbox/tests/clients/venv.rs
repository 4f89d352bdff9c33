//! The Python environment with the clients, made once per target folder from pinned requirements.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const REQUIREMENTS: &str = include_str!("requirements.txt");

/// The interpreter of the environment, or why there can be none on this machine.
pub(crate) fn python() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("aws-clients");
    fs::create_dir_all(&folder).unwrap();
    // Tests run side by side; the first makes the environment, the others wait for it.
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let (ready, python) = (folder.join("ready"), folder.join("venv/bin/python"));
    // The mark holds what was installed, so that other requirements make another environment.
    if fs::read_to_string(&ready).is_ok_and(|installed| installed == REQUIREMENTS) && python.exists() {
        return Ok(python);
    }
    let venv = folder.join("venv");
    run(
        "python3 cannot make an environment",
        Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv),
    )?;
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, REQUIREMENTS).unwrap();
    let mut pip = Command::new(&python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
    ])
    .arg(&requirements);
    run("pip cannot install the clients", &mut pip)?;
    fs::write(&ready, REQUIREMENTS).unwrap();
    Ok(python)
}

fn run(what: &str, command: &mut Command) -> Result<(), String> {
    match command.output() {
        Ok(Output { status, .. }) if status.success() => Ok(()),
        Ok(Output { stdout, stderr, .. }) => {
            let said = [stdout, stderr].map(|text| String::from_utf8_lossy(&text).trim().to_owned());
            Err(format!("{what}: {}", said.join(" ").trim()))
        }
        Err(cause) => Err(format!("{what}: {cause}")),
    }
}
