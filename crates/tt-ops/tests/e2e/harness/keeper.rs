//! Ends a rehearsal's sandbox however the test ends.
//!
//! `tt-ops sandbox up` leaves a sandbox in the background on purpose, so dropping a guard would not be enough: a test
//! process that is killed drops nothing. A shell waits for the pipe from this process to close, then clears up.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use super::patience::eventually;

const SCRIPT: &str = r#"
trap '' INT TERM HUP
read -r _
pid=$(cat "$FOLDER/state/ready" 2>/dev/null)
down() { "$TT_OPS" --env-dir "$FOLDER/environments" sandbox down local "$@" >/dev/null; }
if grep -q " $FOLDER/state " /proc/mounts; then
    down && umount "$FOLDER/state"
elif [ -e "$FOLDER/state" ]; then
    down --wipe
fi
# Ended, and not only waiting for its parent to look: what is over has no program any more.
running() { [ -n "$pid" ] && readlink "/proc/$pid/exe" >/dev/null; }
patience=100
while running && [ "$patience" -gt 0 ]; do
    patience=$((patience - 1))
    sleep 0.1
done
if running; then
    echo "the sandbox (process $pid) outlived its end and was killed" >&2
    kill -KILL "$pid"
fi
rm -rf "$FOLDER"
"#;

/// Its standard input is the pipe; closing it is the word to clear up.
pub(crate) struct Keeper {
    shell: Child,
    folder: PathBuf,
}

impl Keeper {
    pub(crate) fn of(folder: &Path) -> Self {
        let mut command = Command::new("sh");
        command
            .args(["-c", SCRIPT])
            .env("FOLDER", folder)
            .env("TT_OPS", env!("CARGO_BIN_EXE_tt-ops"));
        let shell = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            shell,
            folder: folder.to_owned(),
        }
    }

    /// Clears up; gives what speaks against a clean end: complaints, and processes that were still there.
    pub(crate) fn finish(mut self) -> Vec<String> {
        drop(self.shell.stdin.take());
        let mut complaints = String::new();
        if let Some(mut stderr) = self.shell.stderr.take() {
            stderr.read_to_string(&mut complaints).unwrap();
        }
        eventually("the keeper clears up", || self.shell.try_wait().unwrap());
        let said = complaints.lines().map(ToOwned::to_owned);
        said.chain(processes_of(&self.folder)).collect()
    }
}

/// Processes whose program or arguments lie in `folder`: tasks run from images unpacked there, PostgreSQL has its data there.
pub(crate) fn processes_of(folder: &Path) -> Vec<String> {
    let of = |pid: PathBuf| {
        let program = fs::read_link(pid.join("exe")).ok()?.display().to_string();
        let arguments = String::from_utf8_lossy(&fs::read(pid.join("cmdline")).ok()?).replace('\0', " ");
        let inside = [&program, &arguments]
            .iter()
            .any(|text| text.contains(&*folder.to_string_lossy()));
        inside.then(|| format!("{} {program} {arguments}", pid.display()))
    };
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| of(entry.ok()?.path()))
        .collect()
}
