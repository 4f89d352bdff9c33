//! The acts, in order. What is shown here is what an operator would type; nothing takes a short cut.

use std::{
    path::Path,
    process::{ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use super::Staging;
use crate::{
    child::{Child, ending},
    events::{self, Fact},
    failure::Failure,
    interrupt::Interrupt,
    load::{Load, Report},
    local::{Local, Tool},
    place::Place,
    release::Release,
    say,
};

/// The first release.
pub(super) const FIRST: &str = "1.0.0";
/// The good canary.
pub(super) const CANARY: &str = "1.1.0";
/// The bad one.
pub(super) const BAD: &str = "1.1.1";
/// The one that is taken back.
pub(super) const TAKEN_BACK: &str = "1.2.0";
/// Requests a second throughout.
const RATE: u32 = 350;
/// At least so many leave before the load ends.
const REQUESTS: u32 = 24_000;

/// What happened.
#[derive(Debug)]
pub(super) struct Told {
    /// How long the deploy of the canary took.
    pub(super) deploy: Duration,
    /// How the deploy of the bad release ended.
    pub(super) bad_exit: ExitStatus,
    /// When the rollback was typed.
    pub(super) rollback_started_unix_ms: u64,
    /// What users saw throughout.
    pub(super) load: Report,
}

/// Tells it from an empty sandbox to an empty sandbox.
pub(super) fn tell(place: &Place, folder: &Path, staging: &Staging, interrupt: &Interrupt) -> Result<Told, Failure> {
    say::act(
        "Act 1: an empty cloud",
        "A local AWS: ECS whose tasks really run, a load balancer that is a real proxy, a PostgreSQL, a registry.\n\
         One of its minutes lasts a second. tt-ops speaks AWS's API to it, as it would to an account.",
    );
    let tool = Tool::of_a_chore(place, folder);
    let local = match staging {
        Staging::Processes => Local::fresh(tool, interrupt)?,
        Staging::Containers(workshop) => Local::fresh(tool.with_containers(workshop.engine.host()), interrupt)?,
    };
    let tool = local.tool();
    for release in [
        Release::good(FIRST),
        Release::good(CANARY),
        Release::bad(BAD),
        Release::good(TAKEN_BACK),
    ] {
        match staging {
            Staging::Processes => release.push(place, interrupt)?,
            Staging::Containers(workshop) => release.push_built(&workshop.images, interrupt)?,
        }
    }

    say::act(
        "Act 2: the first release",
        "Nobody is served yet, so 1.0.0 goes to everybody at once, after its migrations and a smoke test.",
    );
    must_succeed(tool.deploy(FIRST, interrupt)?, FIRST)?;

    say::act(
        "Act 3: users",
        &format!(
            "{RATE} requests a second from another process, until the end. It remembers every write that was acknowledged."
        ),
    );
    let mut load = Load::start(tool, RATE, folder, "load")?;
    interrupt.pause(Duration::from_secs(3))?;
    load.goes_on()?;

    let deploy = canary(tool, interrupt)?;
    load.goes_on()?;
    let bad_exit = bad_release(tool, interrupt)?;
    load.goes_on()?;
    let rollback_started_unix_ms = rollback(tool, interrupt)?;
    load.goes_on()?;

    say::act(
        "Act 7: the reckoning",
        "A few more seconds of users, then every acknowledged write is read back.",
    );
    interrupt.pause(load.time_until(REQUESTS).max(Duration::from_secs(3)))?;
    let load = load.end(interrupt)?;
    say::line("  The sandbox ends, and leaves nothing behind:");
    Ok(Told {
        deploy,
        bad_exit,
        rollback_started_unix_ms,
        load,
    })
}

fn canary(tool: &Tool, interrupt: &Interrupt) -> Result<Duration, Failure> {
    say::act(
        "Act 4: a canary",
        "1.1.0 gets a tenth of the requests. Its errors and latency are measured; only then does it get the rest.\n\
         Both releases stay through the bake, then the old tasks end.",
    );
    let started = Instant::now();
    must_succeed(tool.deploy(CANARY, interrupt)?, CANARY)?;
    Ok(started.elapsed())
}

fn bad_release(tool: &Tool, interrupt: &Interrupt) -> Result<ExitStatus, Failure> {
    say::act(
        "Act 5: a bad release",
        "1.1.1 is healthy by its health check but answers a fifth of all API requests with 500.\n\
         The analysis must notice while only a tenth of the users can meet it, and take it back.",
    );
    let status = tool.deploy(BAD, interrupt)?;
    say::line(format!(
        "  The deploy ended with {}; 6 means: failed, and users are back on the release before.",
        ending(status)
    ));
    Ok(status)
}

/// Gives back when the rollback was typed.
fn rollback(tool: &Tool, interrupt: &Interrupt) -> Result<u64, Failure> {
    say::act(
        "Act 6: a change of mind",
        "1.2.0 is good and gets all requests. While it bakes, somebody types `tt-ops rollback` elsewhere.",
    );
    let arguments = [
        "deploy", "local", "--image", TAKEN_BACK, "--yes", "--until", "done", "--output", "json",
    ];
    say::line(format!("  $ tt-ops {}", arguments.join(" ")));
    let mut command = tool.command(&arguments);
    command.stdout(Stdio::piped());
    let mut deploy = Child::start(&format!("tt-ops deploy {TAKEN_BACK}"), command)?;
    let facts = deploy
        .take_output()
        .map(events::follow)
        .ok_or_else(|| Failure::Story("the deploy has no output".to_owned()))?;
    until_it_bakes(&facts, interrupt)?;
    interrupt.pause(Duration::from_secs(2))?;

    let started = unix_ms();
    let status = tool.run(&["rollback", "local"], interrupt)?;
    if !status.success() {
        return Err(Failure::Story(format!("the rollback ended with {}", ending(status))));
    }
    let status = deploy.wait(interrupt)?;
    say::line(format!(
        "  Meanwhile the deploy that was overruled ended with {}.",
        ending(status)
    ));
    if status.success() {
        return Err(Failure::Story(format!(
            "the deploy of {TAKEN_BACK} says that it succeeded, but it was taken back"
        )));
    }
    Ok(started)
}

fn until_it_bakes(facts: &Receiver<Fact>, interrupt: &Interrupt) -> Result<(), Failure> {
    loop {
        interrupt.check()?;
        match facts.recv_timeout(Duration::from_millis(100)) {
            Ok(Fact::Started { step }) if step == "bake" => {
                say::line("  bake: 1.2.0 has all requests, the tasks of 1.1.0 still run");
                return Ok(());
            }
            Ok(Fact::Started { .. }) | Err(RecvTimeoutError::Timeout) => {}
            Ok(Fact::Finished { step, seconds }) => say::line(format!("  {step}: done after {seconds:.1} s")),
            Ok(Fact::Ended { words }) => {
                return Err(Failure::Story(format!(
                    "the deploy of {TAKEN_BACK} ended before its bake: {words}"
                )));
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Failure::Story(format!(
                    "the deploy of {TAKEN_BACK} ended before its bake"
                )));
            }
        }
    }
}

fn must_succeed(status: ExitStatus, release: &str) -> Result<(), Failure> {
    if status.success() {
        Ok(())
    } else {
        Err(Failure::Story(format!(
            "the deploy of {release} ended with {}",
            ending(status)
        )))
    }
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
