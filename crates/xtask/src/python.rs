//! Programs from `PyPI`, in an environment of their own under `target`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{failure::Failure, interrupt::Interrupt, said, say};

/// Installed programs, or why there are none on this machine.
#[derive(Debug)]
pub(crate) enum Programs {
    Installed(PathBuf),
    Absent(String),
}

/// Makes the environment that `requirements` describe (pip's format, pinned); a second run finds it.
pub(crate) fn install(folder: &Path, requirements: &str, interrupt: &Interrupt) -> Result<Programs, Failure> {
    let (venv, mark) = (folder.join("venv"), folder.join("installed.txt"));
    let programs = venv.join("bin");
    // The mark holds what was installed, so that other requirements make another environment.
    if programs.is_dir() && fs::read_to_string(&mark).is_ok_and(|installed| installed == requirements) {
        return Ok(Programs::Installed(programs));
    }
    let write = |path: &Path, text: &str| {
        fs::write(path, text).map_err(|cause| Failure::Write {
            path: path.to_owned(),
            cause,
        })
    };
    fs::create_dir_all(folder).map_err(|cause| Failure::Write {
        path: folder.to_owned(),
        cause,
    })?;
    say::line(format!("installing checkers from PyPI into {}", venv.display()));
    let mut make = Command::new("python3");
    make.args(["-m", "venv", "--clear"]).arg(&venv);
    if let Some(why) = failed("python3 -m venv", make, interrupt)? {
        return Ok(Programs::Absent(why));
    }
    let wanted = folder.join("requirements.txt");
    write(&wanted, requirements)?;
    let mut pip = Command::new(programs.join("python"));
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
    ])
    .arg(&wanted);
    if let Some(why) = failed("pip install", pip, interrupt)? {
        return Ok(Programs::Absent(why));
    }
    write(&mark, requirements)?;
    Ok(Programs::Installed(programs))
}

/// Why a step did not work; nothing when it did.
fn failed(step: &str, mut command: Command, interrupt: &Interrupt) -> Result<Option<String>, Failure> {
    match said::ask(step, &mut command, interrupt) {
        Ok(said) if said.status.success() => Ok(None),
        Ok(said) => {
            let last = said.all();
            let last = last.lines().last().unwrap_or("it said nothing");
            Ok(Some(format!("{step} failed: {last}")))
        }
        Err(Failure::Start { .. }) => Ok(Some("python3 is missing (apt-get install python3-venv)".to_owned())),
        Err(failure) => Err(failure),
    }
}
