//! A Docker engine for this run alone: its data under `target`, its socket in a temporary folder, no bridge, no firewall rules.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    time::{Duration, Instant},
};

use crate::{
    child::Child,
    failure::Failure,
    interrupt::Interrupt,
    local::log_file,
    said::{ask, said},
};

use super::image::Image;

const PATIENCE: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(100);

/// A running engine; dropping it ends it with all its containers, and removes what it kept.
#[derive(Debug)]
pub(crate) struct Engine {
    socket: PathBuf,
    folders: [PathBuf; 2],
    /// Nothing only while it is being dropped.
    daemon: Option<Child>,
}

impl Engine {
    pub(crate) fn start(folder: &Path, interrupt: &Interrupt) -> Result<Self, Failure> {
        // A socket's path has at most 107 bytes, so it cannot be wherever the repository is.
        let run = env::temp_dir().join(format!("task-tracker-engine-{}", process::id()));
        let data = folder.join("engine");
        let log = folder.join("engine.log");
        let socket = run.join("docker.sock");
        for path in [&run, &data] {
            fs::create_dir_all(path).map_err(|cause| Failure::Write {
                path: path.clone(),
                cause,
            })?;
        }
        let (out, err) = log_file(&log)?;
        let mut command = Command::new("dockerd");
        command
            .arg("--host")
            .arg(format!("unix://{}", socket.display()))
            .arg("--data-root")
            .arg(&data)
            .arg("--exec-root")
            .arg(run.join("exec"))
            .arg("--pidfile")
            .arg(run.join("pid"))
            .args(["--bridge=none", "--iptables=false", "--ip6tables=false"])
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err);
        let daemon = Child::start("dockerd", command)?.logged(&log);
        let mut engine = Self {
            socket,
            folders: [run, data],
            daemon: Some(daemon),
        };
        engine.wait(interrupt)?;
        Ok(engine)
    }

    fn wait(&mut self, interrupt: &Interrupt) -> Result<(), Failure> {
        let until = Instant::now() + PATIENCE;
        loop {
            let mut version = self.docker(&["version", "--format", "{{.Server.Version}}"]);
            if ask("docker version", &mut version, interrupt)?.status.success() {
                return Ok(());
            }
            if let Some(daemon) = &mut self.daemon
                && let Some(status) = daemon.ended()?
            {
                return Err(daemon.failed(status));
            }
            if Instant::now() >= until {
                return Err(Failure::TooLong {
                    program: "dockerd".to_owned(),
                    limit: PATIENCE,
                });
            }
            interrupt.pause(LOOK)?;
        }
    }

    /// What `DOCKER_HOST` is for whoever shall use it.
    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// A command of the client for this engine.
    pub(super) fn docker(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(arguments).env("DOCKER_HOST", self.host());
        command
    }

    pub(super) fn load(&self, image: &Image, interrupt: &Interrupt) -> Result<(), Failure> {
        let mut load = self.docker(&["load", "--quiet", "--input"]);
        load.arg(&image.archive);
        said("docker load", &mut load, interrupt).map(drop)
    }

    /// A value of a container or an image, by a template of Go's.
    pub(super) fn inspect(&self, object: &str, template: &str, interrupt: &Interrupt) -> Result<String, Failure> {
        let mut inspect = self.docker(&["inspect", "--format", template, object]);
        said("docker inspect", &mut inspect, interrupt)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let never = Interrupt::never();
        let containers = said("docker ps", &mut self.docker(&["ps", "--all", "--quiet"]), &never);
        for container in containers.unwrap_or_default().lines() {
            let _gone = ask("docker rm", &mut self.docker(&["rm", "--force", container]), &never);
        }
        drop(self.daemon.take());
        for folder in &self.folders {
            unmount_below(folder, &never);
            let _left = fs::remove_dir_all(folder);
        }
    }
}

/// dockerd leaves the name of the machine's own network mounted, which keeps its folder from being removed.
fn unmount_below(folder: &Path, interrupt: &Interrupt) {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    for point in mounts_below(&mounts, folder) {
        let _left = ask("umount", Command::new("umount").arg(point), interrupt);
    }
}

/// The mount points below a folder, the innermost first: the fifth field of `proc_pid_mountinfo(5)`.
fn mounts_below<'a>(mounts: &'a str, folder: &Path) -> Vec<&'a str> {
    let mut points: Vec<&str> = mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .filter(|point| Path::new(point).starts_with(folder))
        .collect();
    points.reverse();
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_mounts_below_the_folder_are_taken_and_the_innermost_first() {
        let mounts = "21 1 8:1 / / rw - ext4 /dev/vda rw\n\
                      90 21 0:4 net:[1] /tmp/engine-1/exec/netns/default rw - nsfs nsfs rw\n\
                      91 90 0:5 / /tmp/engine-1/exec/netns/default/x rw - tmpfs tmpfs rw\n\
                      92 21 0:6 / /tmp/engine-12/exec rw - tmpfs tmpfs rw\n";
        assert_eq!(
            mounts_below(mounts, Path::new("/tmp/engine-1")),
            ["/tmp/engine-1/exec/netns/default/x", "/tmp/engine-1/exec/netns/default"]
        );
        assert!(mounts_below("rubbish", Path::new("/")).is_empty());
    }
}
