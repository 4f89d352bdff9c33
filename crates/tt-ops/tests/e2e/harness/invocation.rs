//! Running `tt-ops`: with an environment of its own, in the foreground or in the background, never for ever.

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread::{self, JoinHandle},
    time::Instant,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::patience::{PATIENCE, eventually};

const TT_OPS: &str = env!("CARGO_BIN_EXE_tt-ops");

/// A command line that has not been run yet.
pub(crate) struct Invocation {
    command: Command,
    words: String,
    typed: String,
}

impl Invocation {
    /// Nothing of this process's environment reaches it but `PATH`: neither a developer's credentials nor CI's variables.
    pub(crate) fn new(folder: &Path, words: &str) -> Self {
        let mut command = Command::new(TT_OPS);
        command.args(words.split_whitespace());
        Self::of(command, folder, words, "")
    }

    /// The same with a person at a terminal, who types this. Output and complaints both come to the terminal.
    pub(crate) fn on_a_terminal(folder: &Path, words: &str, typed: &str) -> Self {
        let mut command = Command::new("script");
        command.args([
            "--quiet",
            "--return",
            "--command",
            &format!("{TT_OPS} {words}"),
            "/dev/null",
        ]);
        Self::of(command, folder, words, typed).variable("TERM", "xterm")
    }

    fn of(mut command: Command, folder: &Path, words: &str, typed: &str) -> Self {
        command.env_clear().current_dir(folder);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
            .env("HOME", folder)
            .env("USER", "ada")
            .env("TT_OPS_ENV_DIR", folder.join("environments"));
        Self {
            command,
            words: words.to_owned(),
            typed: typed.to_owned(),
        }
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    #[track_caller]
    pub(crate) fn run(self) -> Ended {
        self.start().finish()
    }

    pub(crate) fn start(mut self) -> Running {
        let command = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut keyboard = child.stdin.take().unwrap();
        let _ended_already = keyboard.write_all(self.typed.as_bytes());
        drop(keyboard);
        let (stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let stderr = thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap();
            text
        });
        Running {
            child,
            lines: lines(stdout),
            seen: Vec::new(),
            stderr: Some(stderr),
            words: self.words,
        }
    }
}

fn lines(stdout: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines() {
            if sender.send(line.unwrap()).is_err() {
                return;
            }
        }
    });
    receiver
}

/// A `tt-ops` that runs. Dropped before its end, it is killed.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    stderr: Option<JoinHandle<String>>,
    words: String,
}

impl Running {
    /// Waits for a line on its standard output.
    #[track_caller]
    pub(crate) fn wait_for_line(&mut self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self
                .lines
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) => {
                    self.seen.push(line);
                    let line = self.seen.last().unwrap();
                    if wanted(line) {
                        return line.clone();
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    panic!("`{}` never came to {what}:\n{}", self.words, self.seen.join("\n"))
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let stderr = self
                        .stderr
                        .take()
                        .map_or_else(String::new, |thread| thread.join().unwrap());
                    panic!(
                        "`{}` ended before {what}:\n{}\n{stderr}",
                        self.words,
                        self.seen.join("\n")
                    );
                }
            }
        }
    }

    /// Waits for a fact among its JSON lines.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let line = self.wait_for_line(what, |line| wanted(&parse(line)));
        parse(&line)
    }

    /// Waits until it begins a step, named as in events and records.
    #[track_caller]
    pub(crate) fn wait_for_step(&mut self, name: &str) {
        self.wait_for(name, |line| {
            line["event"] == "step-started" && line["step"]["step"] == name
        });
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self
                .lines
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("`{}` did not end:\n{}", self.words, self.seen.join("\n")),
            }
        }
        let status = eventually("the command ends once it has closed its output", || {
            self.child.try_wait().unwrap()
        });
        let stderr = self
            .stderr
            .take()
            .map_or_else(String::new, |thread| thread.join().unwrap());
        Ended {
            status,
            stdout: std::mem::take(&mut self.seen).join("\n"),
            stderr,
            words: std::mem::take(&mut self.words),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _status = self.child.wait();
    }
}

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Ended {
    status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    words: String,
}

impl Ended {
    /// Its exit code; nothing after a signal.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code(), Some(code), "{self}");
        self
    }

    /// Says this on standard output.
    #[track_caller]
    pub(crate) fn prints(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "`{text}` is not on standard output\n{self}");
        self
    }

    #[track_caller]
    pub(crate) fn never_prints(self, text: &str) -> Self {
        assert!(
            !self.stdout.contains(text) && !self.stderr.contains(text),
            "`{text}` is in the output\n{self}"
        );
        self
    }

    /// Says this on standard error.
    #[track_caller]
    pub(crate) fn complains(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "`{text}` is not on standard error\n{self}");
        self
    }

    /// Its JSON lines, each of which has to be one.
    #[track_caller]
    pub(crate) fn json(&self) -> Vec<Value> {
        self.stdout.lines().map(parse).collect()
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            status,
            stdout,
            stderr,
            words,
        } = self;
        write!(
            f,
            "tt-ops {words}: {status}\n--- stdout\n{stdout}\n--- stderr\n{stderr}"
        )
    }
}

#[track_caller]
fn parse(line: &str) -> Value {
    let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in `{line}`"));
    assert_eq!(value["v"], 1, "every line carries the version of the contract: {line}");
    value
}
