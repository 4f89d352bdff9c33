//! `sandbox status`: whether it runs, and where.

use super::place::Place;
use crate::{cli::Global, context::load, exit::Exit, failure::Failure, report::Reporter};

pub(super) async fn run(global: &Global, name: &str) -> Result<Exit, Failure> {
    let place = Place::of(&load(global, name)?)?;
    if !place.answers().await {
        return Err(Failure::new(
            Exit::Failed,
            format!("the sandbox of `{name}` does not run at http://{}", place.listen),
        )
        .hint(format!("start it with `tt-ops sandbox up {name}`")));
    }
    Reporter::text(&format!(
        "The sandbox of `{name}` runs at http://{}; its state is in {}.",
        place.listen,
        place.state.display()
    ));
    Ok(Exit::Done)
}
