//! The straightforward script, with the ordinary AWS CLI in a Python environment of its own.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{child::Child, failure::Failure, interrupt::Interrupt, local::log_file, place::Place, ports, say};

const SCRIPT: &str = include_str!("team-deploy.sh");

/// An installed AWS CLI.
#[derive(Debug)]
pub(super) struct AwsCli {
    folder: PathBuf,
}

impl AwsCli {
    /// Makes a virtual environment once; a second run finds it.
    pub(super) fn install(place: &Place, folder: &Path, interrupt: &Interrupt) -> Result<Self, Failure> {
        let venv = folder.join("venv");
        let installed = Self {
            folder: venv.join("bin"),
        };
        if installed.folder.join("aws").is_file() {
            return Ok(installed);
        }
        say::line("  installing the AWS CLI from PyPI");
        let mut make = Command::new("python3");
        make.args(["-m", "venv", "--clear"])
            .arg(&venv)
            .current_dir(place.root())
            .stdin(Stdio::null());
        Child::start("python3 -m venv", make)?.succeed(interrupt)?;
        let mut install = Command::new(installed.folder.join("pip"));
        install.args(["install", "--quiet", "awscli"]).stdin(Stdio::null());
        Child::start("pip install awscli", install)?.succeed(interrupt)?;
        Ok(installed)
    }

    /// Starts the script for an image tag.
    pub(super) fn deploy(&self, tag: &str, log: &Path) -> Result<Child, Failure> {
        let path = env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(self.folder.clone()).chain(env::split_paths(&path));
        let path = env::join_paths(folders).unwrap_or_else(|_| OsString::from(&self.folder));
        let (out, err) = log_file(log)?;
        let mut command = Command::new("bash");
        command
            .args([
                "-c",
                SCRIPT,
                "team-deploy.sh",
                &format!("{}/task-tracker:{tag}", ports::SANDBOX),
            ])
            .env("PATH", path)
            .env("AWS_ENDPOINT_URL", format!("http://{}", ports::SANDBOX))
            .env("AWS_DEFAULT_REGION", "eu-central-1")
            // Any keys will do: the sandbox verifies no signatures.
            .env("AWS_ACCESS_KEY_ID", "sandbox")
            .env("AWS_SECRET_ACCESS_KEY", "sandbox")
            .env("AWS_PAGER", "")
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err);
        Ok(Child::start("the script", command)?.logged(log))
    }
}
