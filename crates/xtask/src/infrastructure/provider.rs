//! The provider without an account: a Node program that ends when this one does.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use crate::{child::Child, failure::Failure, interrupt::Interrupt, place::Place, said, say};

/// The running provider.
pub(super) struct Provider {
    reattach: String,
    _process: Child,
}

impl Provider {
    /// Installs its three libraries when they are not there yet, and starts it.
    pub(super) fn start(place: &Place, interrupt: &Interrupt) -> Result<Self, Failure> {
        let offline = place.root().join("infrastructure").join("terraform").join("offline");
        let libraries = place.results("terraform").join("node");
        install(&offline, &libraries, interrupt)?;
        let mut command = Command::new("node");
        command
            .arg(offline.join("stub").join("server.js"))
            .env("NODE_PATH", libraries.join("node_modules"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = Child::start("the stub provider", command)?;
        let mut reattach = String::new();
        if let Some(output) = process.take_output() {
            BufReader::new(output)
                .read_line(&mut reattach)
                .map_err(|cause| Failure::Wait {
                    program: "the stub provider".to_owned(),
                    cause,
                })?;
        }
        if reattach.is_empty() {
            let status = process.wait(interrupt)?;
            return Err(process.failed(status));
        }
        Ok(Self {
            reattach: reattach.trim_end().to_owned(),
            _process: process,
        })
    }

    /// What Terraform is told in `TF_REATTACH_PROVIDERS`.
    pub(super) fn reattach(&self) -> &str {
        &self.reattach
    }
}

/// Exactly what the lock file says; a second run finds it.
fn install(offline: &std::path::Path, libraries: &std::path::Path, interrupt: &Interrupt) -> Result<(), Failure> {
    let read = |path: std::path::PathBuf| fs::read_to_string(&path).map_err(|cause| Failure::Read { path, cause });
    let lock = read(offline.join("package-lock.json"))?;
    let mark = libraries.join("installed.json");
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    say::line(format!(
        "installing the stub provider's libraries from npm into {}",
        libraries.display()
    ));
    let write =
        |path: std::path::PathBuf, text: &str| fs::write(&path, text).map_err(|cause| Failure::Write { path, cause });
    fs::create_dir_all(libraries).map_err(|cause| Failure::Write {
        path: libraries.to_owned(),
        cause,
    })?;
    write(libraries.join("package.json"), &read(offline.join("package.json"))?)?;
    write(libraries.join("package-lock.json"), &lock)?;
    let mut npm = Command::new("npm");
    // No script of a library runs: none of these needs one.
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(libraries);
    said::said("npm ci", &mut npm, interrupt)?;
    write(mark, &lock)
}
