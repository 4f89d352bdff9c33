//! `tt-ops sandbox`: what it starts, what it keeps, what it leaves behind, and what it says when it cannot start.

use std::{
    fs,
    net::TcpListener,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use rustix::process::{Pid, Signal, geteuid, kill_process};

use crate::harness::{Rehearsal, eventually, processes_of, say};

#[test]
fn state_survives_a_restart_and_a_kill_and_neither_leaves_a_process_behind() {
    let rehearsal = Rehearsal::serving("1.0.0");
    rehearsal.tt("sandbox up").exits(0).prints("runs already at http://");
    rehearsal
        .tt("sandbox status")
        .exits(0)
        .prints("runs at http://")
        .prints(&rehearsal.state().display().to_string());
    let before = rehearsal.status();

    rehearsal
        .tt("sandbox down")
        .exits(0)
        .prints("has ended, and with it every process it started");
    assert_eq!(processes_of(rehearsal.folder()), Vec::<String>::new());
    rehearsal
        .tt("sandbox status")
        .exits(1)
        .complains("does not run at")
        .complains("start it with `tt-ops sandbox up local`");

    rehearsal.tt("sandbox up").exits(0);
    eventually("the release serves again", || {
        (rehearsal.answering() == "1.0.0").then_some(())
    });
    assert_eq!(rehearsal.status()["task_definition"], before["task_definition"]);
    assert_eq!(rehearsal.history().len(), 1);

    let pid: i32 = fs::read_to_string(rehearsal.state().join("ready"))
        .unwrap()
        .parse()
        .unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    eventually("no process outlives a killed sandbox", || {
        processes_of(rehearsal.folder()).is_empty().then_some(())
    });
    rehearsal.tt("sandbox up").exits(0);
    eventually("the release serves again after the kill", || {
        (rehearsal.answering() == "1.0.0").then_some(())
    });

    assert_eq!(rehearsal.down(), Vec::<String>::new());
}

#[test]
fn a_taken_port_is_named() {
    for (port, said) in [
        (4566, "port 4566 at IP is taken"),
        (8080, "could not listen on IP:8080"),
    ] {
        let rehearsal = Rehearsal::prepared();
        let squatter = Squatter::at(&rehearsal, port);
        let refused = rehearsal.tt("sandbox up").exits(1);
        refused
            .complains(&said.replace("IP", &rehearsal.ip().to_string()))
            .complains("error: the sandbox did not start: ")
            .never_prints("error: error")
            .complains(" hint: find out who has the port");
        assert_eq!(processes_of(rehearsal.folder()), Vec::<String>::new(), "port {port}");
        drop(squatter);
        rehearsal.tt("sandbox up").exits(0);
    }
}

#[test]
fn a_missing_postgresql_is_named_with_the_line_that_installs_it() {
    let rehearsal = Rehearsal::prepared();
    // A machine without PostgreSQL: an empty folder where Debian puts it, seen by this one command only, and an empty PATH.
    let hidden = "mkdir -p /usr/lib/postgresql && mount -t tmpfs tmpfs /usr/lib/postgresql";
    if !unshared(hidden).output().is_ok_and(|hidden| hidden.status.success()) {
        say("SKIPPED: PostgreSQL can only be hidden where this user may have a mount namespace");
        return;
    }
    let up = format!(
        "{hidden} && PATH=/nowhere exec {} sandbox up",
        env!("CARGO_BIN_EXE_tt-ops")
    );
    let refused = unshared(&up)
        .env("TT_OPS_ENV_DIR", rehearsal.folder().join("environments"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("apt-get install postgresql"), "{said}");
    assert_eq!(processes_of(rehearsal.folder()), Vec::<String>::new());
}

/// A shell with mounts of its own.
fn unshared(script: &str) -> Command {
    let mut command = Command::new("unshare");
    let own_user: &[&str] = if geteuid().is_root() { &[] } else { &["--map-root-user"] };
    command.args(own_user).args(["--mount", "sh", "-c", script]);
    command
}

#[test]
fn a_full_disk_under_the_sandbox_is_said_and_harms_no_user() {
    let rehearsal = Rehearsal::prepared();
    if !on_a_disk_of_its_own(&rehearsal) {
        say("SKIPPED: a disk can only be filled where this user may mount one");
        return;
    }
    rehearsal.tt("sandbox up").exits(0);
    rehearsal.push(crate::harness::Program::TaskTracker, "1.0.0");
    rehearsal.push(crate::harness::Program::TaskTracker, "1.1.0");
    rehearsal.tt("deploy local --image 1.0.0").exits(0);

    let ballast = rehearsal.state().join("ballast");
    let filled = Command::new("sh")
        .arg("-c")
        .arg("cat /dev/zero > \"$0\"")
        .arg(&ballast)
        .output()
        .unwrap();
    assert!(!filled.status.success(), "the disk is full now");
    let refused = rehearsal.tt("deploy local --image 1.1.0").exits(5);
    refused
        .complains("the sandbox cannot write its state")
        .complains("users: on 1.0.0; nothing was changed for them");
    assert_eq!(rehearsal.answering(), "1.0.0");

    fs::remove_file(ballast).unwrap();
    let retried = rehearsal.load();
    rehearsal.tt("deploy local --image 1.1.0").exits(0);
    retried.finish();
    assert_eq!(rehearsal.answering(), "1.1.0");
}

/// Puts a small file system under the sandbox's state; the keeper takes it away again.
fn on_a_disk_of_its_own(rehearsal: &Rehearsal) -> bool {
    let state = rehearsal.state();
    fs::create_dir(&state).unwrap();
    let mount = || {
        Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=400m,mode=755", "tmpfs"])
            .arg(&state)
            .output()
    };
    geteuid().is_root() && mount().is_ok_and(|mounted| mounted.status.success())
}

/// Somebody else at a port: takes connections and says nothing.
struct Squatter {
    stop: std::sync::Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
    at: std::net::SocketAddr,
}

impl Squatter {
    fn at(rehearsal: &Rehearsal, port: u16) -> Self {
        let listener = TcpListener::bind((rehearsal.ip(), port)).unwrap();
        let at = listener.local_addr().unwrap();
        let stop = std::sync::Arc::new(AtomicBool::new(false));
        let asked = std::sync::Arc::clone(&stop);
        let thread = thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                drop(stream);
                if asked.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        Self {
            stop,
            thread: Some(thread),
            at,
        }
    }
}

impl Drop for Squatter {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _woken = std::net::TcpStream::connect(self.at);
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}
