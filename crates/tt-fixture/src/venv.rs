//! Programs from `PyPI`, in a Python environment of their own.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

/// The folder of the installed programs (`python` among them), or why this machine can have none.
///
/// `requirements` is pip's format, pinned. They are installed once into `folder`; other requirements replace them.
/// Processes that want the same at once wait for each other.
pub fn programs(folder: &Path, requirements: &str) -> Result<PathBuf, String> {
    fs::create_dir_all(folder).unwrap();
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let (mark, venv) = (folder.join("installed.txt"), folder.join("venv"));
    let programs = venv.join("bin");
    // The mark holds what was installed, so that other requirements make another environment.
    if programs.is_dir() && fs::read_to_string(&mark).is_ok_and(|installed| installed == requirements) {
        return Ok(programs);
    }
    run(
        "python3 cannot make an environment (apt-get install python3-venv)",
        Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv),
    )?;
    let wanted = folder.join("requirements.txt");
    fs::write(&wanted, requirements).unwrap();
    let install = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
    ];
    let mut pip = Command::new(programs.join("python"));
    run("pip cannot install", pip.args(install).arg(&wanted))?;
    fs::write(&mark, requirements).unwrap();
    Ok(programs)
}

fn run(what: &str, command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|cause| format!("{what}: {cause}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).trim().to_owned());
    Err(format!("{what}: {}", said.join(" ").trim()))
}
