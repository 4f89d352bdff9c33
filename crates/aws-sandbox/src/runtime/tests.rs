//! The runtime with real processes: small shell scripts play the image's program.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use super::process::Exit;
use super::*;

const DEADLINE: Duration = Duration::from_secs(30);

fn image(script: &str) -> tempfile::TempDir {
    let image = tempfile::tempdir().unwrap();
    let program = image.path().join("serve");
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    image
}

async fn start(runtime: &Runtime, rootfs: &Path) -> (Process, mpsc::UnboundedReceiver<LogLine>) {
    let (lines, received) = mpsc::unbounded_channel();
    let spec = ProcessSpec {
        rootfs: rootfs.to_owned(),
        command: vec![String::from("/serve"), String::from("argument")],
        environment: vec![(String::from("SECRET"), String::from("s3cret"))],
        working_dir: PathBuf::from("/"),
        address: runtime.allocate(),
        lines,
    };
    (runtime.spawn(spec).await.unwrap(), received)
}

async fn next(lines: &mut mpsc::UnboundedReceiver<LogLine>) -> Option<String> {
    tokio::time::timeout(DEADLINE, lines.recv())
        .await
        .unwrap()
        .map(|line| line.text)
}

#[tokio::test]
async fn a_process_gets_its_environment_and_its_end_is_reported() {
    let runtime = Runtime::start(201, None).unwrap();
    let image = image("echo \"$SECRET $HOST $1\"; echo oops >&2; exit 3");
    let (process, mut lines) = start(&runtime, image.path()).await;
    assert_eq!(process.wait().await, Exit { code: 3 });
    let mut printed = vec![next(&mut lines).await.unwrap(), next(&mut lines).await.unwrap()];
    printed.sort();
    assert_eq!(printed, ["oops", "s3cret 127.201.1.1 argument"]);
    assert_eq!(process.usage(), None);
}

#[tokio::test]
async fn terminate_is_a_request_and_kill_is_not() {
    let runtime = Runtime::start(202, None).unwrap();
    let image = image("trap 'echo stopping' TERM; echo ready; while :; do sleep 0.05; done");
    let (process, mut lines) = start(&runtime, image.path()).await;
    assert_eq!(next(&mut lines).await.unwrap(), "ready");
    assert!(process.usage().unwrap().resident_bytes > 0);
    process.terminate();
    assert_eq!(next(&mut lines).await.unwrap(), "stopping");
    assert_eq!(process.ended(), None);
    process.kill();
    assert_eq!(process.wait().await, Exit { code: 137 });
}

#[tokio::test]
async fn a_process_does_not_outlive_the_runtime() {
    let runtime = Runtime::start(203, None).unwrap();
    let image = image("echo ready; exec sleep 1000");
    let (process, mut lines) = start(&runtime, image.path()).await;
    assert_eq!(next(&mut lines).await.unwrap(), "ready");
    drop(runtime);
    until_gone(&process).await;
}

#[tokio::test]
async fn root_is_dropped_and_the_process_still_dies_with_the_runtime() {
    if !rustix::process::geteuid().is_root() {
        // Past the test's captured output: nobody should believe that this ran.
        writeln!(io::stderr(), "SKIPPED root_is_dropped…: only root can drop root").unwrap();
        return;
    }
    let runtime = Runtime::start(205, Some((65534, 65534))).unwrap();
    let image = image("echo $(id -u) $(id -g) $(id -G); exec sleep 1000");
    fs::set_permissions(image.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let (process, mut lines) = start(&runtime, image.path()).await;
    assert_eq!(next(&mut lines).await.unwrap(), "65534 65534 65534");
    drop(runtime);
    until_gone(&process).await;
}

async fn until_gone(process: &Process) {
    let since = Instant::now();
    while alive(process.pid()) {
        assert!(since.elapsed() < DEADLINE, "process {} is still there", process.pid());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A zombie has ended, whoever its parent is now and whenever that collects it.
fn alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[tokio::test]
async fn an_image_without_the_program_says_so() {
    let runtime = Runtime::start(204, None).unwrap();
    let image = image("exit 0");
    let (lines, _received) = mpsc::unbounded_channel();
    let spec = ProcessSpec {
        rootfs: image.path().to_owned(),
        command: vec![String::from("/app/none")],
        environment: Vec::new(),
        working_dir: PathBuf::from("/"),
        address: runtime.allocate(),
        lines,
    };
    let error = runtime.spawn(spec).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "CannotStartContainerError: exec: \"/app/none\": executable file not found in $PATH or in the image"
    );
}
