//! `sandbox up`: the same program in the background, until everything its stack names is there.

use std::{
    fs::{self, File},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::{Runtime, place::Place};
use crate::{cli::Global, context::load, exit::Exit, failure::Failure, report::Reporter};

/// A cold PostgreSQL on a slow disk takes a few seconds.
const PATIENCE: Duration = Duration::from_mins(2);

pub(super) async fn run(global: &Global, name: &str, runtime: Runtime, reporter: &Reporter) -> Result<Exit, Failure> {
    let environment = load(global, name)?;
    let place = Place::of(&environment)?;
    if place.answers().await {
        reporter.say(&format!(
            "The sandbox of `{name}` runs already at http://{}.",
            place.listen
        ));
        return Ok(Exit::Done);
    }
    fs::create_dir_all(&place.state).map_err(|error| unusable(&place, &error))?;
    // Left behind by a sandbox that was killed.
    let _none = fs::remove_file(&place.ready);
    let child = spawn(global, name, runtime, &place)?;
    ready(child, &place).await?;
    reporter.say(&format!(
        "The sandbox of `{name}` is up: AWS at http://{}, users at http://{}:8080 once a release is deployed.",
        place.listen,
        place.listen.ip()
    ));
    reporter.say(&format!("  state  {}", place.state.display()));
    reporter.say(&format!("  log    {}", place.log.display()));
    reporter.say(&format!("  end    tt-ops sandbox down {name}"));
    Ok(Exit::Done)
}

fn spawn(global: &Global, name: &str, runtime: Runtime, place: &Place) -> Result<Child, Failure> {
    let failed = |error: std::io::Error| unusable(place, &error);
    let log = File::create(&place.log).map_err(failed)?;
    let program = std::env::current_exe().map_err(failed)?;
    Command::new(program)
        .arg("--env-dir")
        .arg(&global.env_dir)
        .args(["sandbox", "serve", name, "--runtime", runtime.as_str()])
        .stdin(Stdio::null())
        .stdout(log.try_clone().map_err(failed)?)
        .stderr(log)
        // A process group of its own: Ctrl-C in this terminal is not meant for it.
        .process_group(0)
        .spawn()
        .map_err(failed)
}

async fn ready(mut child: Child, place: &Place) -> Result<(), Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if place.ready.exists() {
            return Ok(());
        }
        let ended = child.try_wait().ok().flatten();
        if ended.is_some() || Instant::now() >= deadline {
            // It is of no use to anybody half started.
            let _gone = child.kill();
            return Err(said(place));
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// What the sandbox itself said last is the reason.
fn said(place: &Place) -> Failure {
    let log = fs::read_to_string(&place.log).unwrap_or_default();
    let last = log
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("it said nothing");
    let last = last.strip_prefix("error: ").unwrap_or(last);
    let mut failure = Failure::new(Exit::Failed, format!("the sandbox did not start: {last}"));
    // The API's port, or one of the load balancer's at the same address.
    if last.contains("is taken") || last.contains("Address already in use") {
        failure = failure.hint(format!(
            "find out who has the port with `ss -ltnp | grep {}`, or set TT_SANDBOX_URL to another address of this machine",
            place.listen.ip()
        ));
    }
    failure.hint(format!("all it said is in {}", place.log.display()))
}

fn unusable(place: &Place, error: &std::io::Error) -> Failure {
    Failure::new(
        Exit::Failed,
        format!(
            "the sandbox cannot use its state folder {}: {error}",
            place.state.display()
        ),
    )
}
