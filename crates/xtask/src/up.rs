//! An environment to try things on: `up` leaves it running, `down` ends it.

use crate::{
    build_step, failure::Failure, interrupt::Interrupt, local::Tool, place::Place, ports, release::Release, say, setup,
};

/// Builds, starts the sandbox, and brings release 1.0.0 into use.
pub(crate) fn up(place: &Place, interrupt: &Interrupt) -> Result<(), Failure> {
    let tool = Tool::of_the_user(place);
    say::act(
        "Set-up and build",
        "The first build takes some minutes; cargo says how far it is.",
    );
    setup::database(interrupt)?;
    build_step::programs(place, interrupt)?;

    say::act(
        "The sandbox",
        "A local AWS in the background. If it runs already, it is used as it is.",
    );
    tool.succeed(&["sandbox", "up", "local"], interrupt)?;

    say::act(
        "Releases",
        "Four images in the sandbox's registry. 1.1.1 is a bad one: it answers a share of requests with 500.",
    );
    for release in [
        Release::good("1.0.0"),
        Release::good("1.1.0"),
        Release::bad("1.1.1"),
        Release::good("1.2.0"),
    ] {
        release.push(place, interrupt)?;
    }

    say::act(
        "Release 1.0.0",
        "Deployed as any release is; if users have a later one already, this brings 1.0.0 back.",
    );
    tool.succeed(&["deploy", "local", "--image", "1.0.0", "--yes"], interrupt)?;
    say::line(next());
    Ok(())
}

/// Ends the sandbox with all it runs. Its data stays for the next `up`.
pub(crate) fn down(place: &Place, interrupt: &Interrupt) -> Result<(), Failure> {
    let tool = Tool::of_the_user(place);
    if !tool.is_built() {
        say::line("Nothing to end: nothing has been built yet. `make up` starts an environment.");
        return Ok(());
    }
    tool.succeed(&["sandbox", "down", "local"], interrupt)?;
    say::line(
        "The sandbox, its tasks and its database have ended. Its data is kept in .sandbox for the next `make up`;\n\
         `target/demo/tt-ops sandbox down local --wipe` removes that too.",
    );
    Ok(())
}

fn next() -> String {
    let service = ports::SERVICE;
    format!(
        "
Release 1.0.0 serves at http://{service}. Things to type next:
  curl -i http://{service}/readyz
  target/demo/tt-ops status local
  target/demo/tt-ops sandbox load local --rate 100 --duration 120     in another terminal: users
  target/demo/tt-ops deploy local --image 1.1.0                       a good release
  target/demo/tt-ops deploy local --image 1.1.1                       a bad one: watch it being caught
  target/demo/tt-ops rollback local                                   from another terminal, at any time
  make down                                                           when you have seen enough"
    )
}
