//! Ends containers when the sandbox ends in whatever way.
//!
//! A container is no child of ours, so the kernel cannot end it with us. A small shell waits for the end of a pipe that only
//! this process holds: the kernel closes that even after `kill -9`, and then the shell removes what bears our label. It has a
//! process group of its own, so that a signal to ours does not reach it.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const SCRIPT: &str = r#"cat > /dev/null
"$1" ps --all --quiet --filter "label=$2" | while read -r id; do "$1" rm --force --volumes "$id"; done"#;

/// The waiting shell; it goes to work when this is dropped.
#[derive(Debug)]
pub(super) struct Guard(Child);

impl Guard {
    /// Watches over containers with a label; `client` is Docker's command line.
    pub(super) fn post(client: &Path, socket: &Path, label: &str) -> io::Result<Self> {
        let mut host = OsString::from("unix://");
        host.push(socket);
        Command::new("/bin/sh")
            .args(["-c", SCRIPT, "aws-sandbox-guard"])
            .arg(client)
            .arg(label)
            .env("DOCKER_HOST", host)
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map(Self)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        if let Err(cause) = self.0.wait() {
            tracing::warn!(%cause, "the guard of the containers could not be waited for");
        }
    }
}

/// Docker's command line, which the guard uses because it outlives us.
pub(super) fn client() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join("docker"))
        .find(|file| file.is_file())
}
