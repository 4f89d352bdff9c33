//! A program that this one started, and that does not outlive it.

use std::{
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{self, ChildStdout, Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::{failure::Failure, interrupt::Interrupt};

/// How often it is asked whether it has ended.
const LOOK: Duration = Duration::from_millis(5);
/// How long a program has to end when it is told to.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running program; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Child {
    program: String,
    process: process::Child,
    log: Option<PathBuf>,
}

impl Child {
    /// Starts it in a process group of its own: Ctrl-C reaches this program alone, which then ends the others in order.
    pub(crate) fn start(program: &str, mut command: Command) -> Result<Self, Failure> {
        let process = command.process_group(0).spawn().map_err(|cause| Failure::Start {
            program: program.to_owned(),
            cause,
        })?;
        Ok(Self {
            program: program.to_owned(),
            process,
            log: None,
        })
    }

    /// Names the file that its output goes to, for the message when it fails.
    pub(crate) fn logged(mut self, log: &Path) -> Self {
        self.log = Some(log.to_owned());
        self
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn take_output(&mut self) -> Option<ChildStdout> {
        self.process.stdout.take()
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait(&mut self, interrupt: &Interrupt) -> Result<ExitStatus, Failure> {
        self.wait_and(interrupt, |_| {})
    }

    /// Waits until it ends by itself, and looks at it meanwhile.
    pub(crate) fn wait_and(&mut self, interrupt: &Interrupt, mut look: impl FnMut(u32)) -> Result<ExitStatus, Failure> {
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            interrupt.check()?;
            look(self.id());
            thread::sleep(LOOK);
        }
    }

    /// Waits until it ends by itself, which must be well.
    pub(crate) fn succeed(&mut self, interrupt: &Interrupt) -> Result<(), Failure> {
        let status = self.wait(interrupt)?;
        if status.success() {
            Ok(())
        } else {
            Err(self.failed(status))
        }
    }

    /// Whether it has ended.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>, Failure> {
        self.process.try_wait().map_err(|cause| Failure::Wait {
            program: self.program.clone(),
            cause,
        })
    }

    /// Tells it to end in its own good order, and waits.
    pub(crate) fn finish(&mut self, limit: Duration, interrupt: &Interrupt) -> Result<ExitStatus, Failure> {
        self.signal(Signal::INT);
        let until = Instant::now() + limit;
        loop {
            match self.ended()? {
                Some(status) => return Ok(status),
                None if Instant::now() >= until => {
                    return Err(Failure::TooLong {
                        program: self.program.clone(),
                        limit,
                    });
                }
                None => interrupt.pause(LOOK)?,
            }
        }
    }

    pub(crate) fn failed(&self, status: ExitStatus) -> Failure {
        Failure::Program {
            program: self.program.clone(),
            how: ending(status),
            log: self.log.clone(),
        }
    }

    fn signal(&self, signal: Signal) {
        // It may have ended in this very moment; then there is nothing to tell.
        if let Ok(raw) = i32::try_from(self.process.id())
            && let Some(group) = Pid::from_raw(raw)
        {
            let _gone = kill_process_group(group, signal);
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !matches!(self.process.try_wait(), Ok(None)) {
            return;
        }
        self.signal(Signal::TERM);
        let until = Instant::now() + PATIENCE;
        while matches!(self.process.try_wait(), Ok(None)) {
            if Instant::now() >= until {
                self.signal(Signal::KILL);
                let _status = self.process.wait();
                return;
            }
            thread::sleep(LOOK);
        }
    }
}

/// As people say it.
pub(crate) fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no status".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::*;

    fn shell(script: &str) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null());
        Child::start("sh", command).unwrap()
    }

    #[test]
    fn the_way_it_ended_is_told() {
        let never = Interrupt::never();
        shell("exit 0").succeed(&never).unwrap();
        let error = shell("exit 6").succeed(&never).unwrap_err();
        assert_eq!(error.to_string(), "sh ended with exit code 6");
        let error = shell("kill -9 $$").succeed(&never).unwrap_err();
        assert_eq!(error.to_string(), "sh ended with signal 9");
    }

    #[test]
    fn dropping_it_ends_it_with_all_it_started() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 600 & echo $!; wait"]).stdout(Stdio::piped());
        let mut child = Child::start("sh", command).unwrap();
        let mut line = String::new();
        let mut output = std::io::BufReader::new(child.take_output().unwrap());
        std::io::BufRead::read_line(&mut output, &mut line).unwrap();
        let process = Path::new("/proc").join(line.trim()).join("stat");
        assert!(process.exists());
        drop(child);
        let until = Instant::now() + PATIENCE;
        // It may stay a zombie until whoever adopts it has noticed.
        while std::fs::read_to_string(&process).is_ok_and(|stat| !stat.contains(") Z ")) {
            assert!(Instant::now() < until, "still there: {}", process.display());
            thread::sleep(LOOK);
        }
    }

    #[test]
    fn finishing_is_asked_for_politely() {
        // A shell cannot trap what was ignored when it started, as SIGINT is in whatever a script runs with `&`.
        let mut command = Command::new("env");
        command
            .args(["--default-signal=INT", "sh", "-c"])
            .arg("trap 'exit 0' INT; echo ready; while :; do sleep 0.01; done")
            .stdout(Stdio::piped());
        let mut child = Child::start("sh", command).unwrap();
        let mut line = String::new();
        let mut output = std::io::BufReader::new(child.take_output().unwrap());
        std::io::BufRead::read_line(&mut output, &mut line).unwrap();
        let status = child.finish(PATIENCE, &Interrupt::never()).unwrap();
        assert!(status.success());
    }
}
