//! What is written down of this command line elsewhere, and must be what it takes: whoever reads a runbook at three in the morning, and a
//! job that rolls back, cannot wait for the next version.

mod pipeline;
mod runbooks;

use clap::Parser;

use super::Cli;

/// The program's name is the first word. Nothing is carried out.
fn is_taken<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<(), String> {
    match Cli::try_parse_from(words) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string().trim().to_owned()),
    }
}
