//! `task-tracker examine`: what is in the database of `DATABASE_URL`, as JSON lines for a program.
//!
//! The look is `tt-examine`'s; this file gives it the address. It is there because a database in private subnets is reached by the
//! service's own tasks only.

use std::{
    error::Error,
    io::{self, Write},
};

use clap::Args;
use tt_examine::{Depth, Fact, examine};
use tt_migrate::Migrations;

use crate::{config::DatabaseUrl, schema};

/// How closely to look.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only what costs users nothing: rows are estimated, pages are not read
    #[arg(long)]
    glance: bool,
}

/// This release's own migrations: whether it would go on from what is applied, only they tell.
fn known(migrations: &Migrations, say: &mut (dyn FnMut(Fact) + Send)) {
    for migration in migrations.iter() {
        for checksum in migration.up.checksums() {
            say(Fact::KnownMigration {
                version: migration.version.number(),
                name: migration.name.clone(),
                checksum,
            });
        }
    }
}

/// Prints each fact when it is found.
pub(crate) async fn run(options: &Options, url: &DatabaseUrl) -> Result<(), Box<dyn Error + Send + Sync>> {
    let depth = if options.glance { Depth::Glance } else { Depth::Full };
    let mut lost = None;
    let mut say = |fact| {
        let line = serde_json::to_string(&fact).map_err(io::Error::from);
        let said = line.and_then(|line| writeln!(io::stdout().lock(), "{line}"));
        if let Err(error) = said {
            lost.get_or_insert(error);
        }
    };
    known(&schema::migrations()?, &mut say);
    examine(&url.options()?, depth, &mut say).await?;
    match lost {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}
