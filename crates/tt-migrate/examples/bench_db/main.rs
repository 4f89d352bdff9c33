//! `cargo xtask bench-db`: how long users of a large table wait for a change, made by this engine in its safe form and by
//! sqlx's own runner in the form people write.
//!
//! Ratios within one run, on one PostgreSQL of its own. sqlx's `Migrator` stands in for sqlx-cli, which is a shell around it.

mod changes;
#[expect(
    clippy::unwrap_used,
    reason = "it is the tests' own, and a measurement whose database fails is over"
)]
#[path = "../../tests/engine/cluster.rs"]
mod cluster;
mod compare;
mod report;
mod users;

use std::{error::Error, fs, io::Write, path::PathBuf, process::ExitCode};

use crate::{compare::Measured, report::Figures};

type Failure = Box<dyn Error + Send + Sync>;

const DEFAULT_ROWS: u32 = 2_000_000;

fn main() -> ExitCode {
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            drop(writeln!(std::io::stderr(), "bench_db: {failure}"));
            ExitCode::FAILURE
        }
    }
}

/// Arguments: the file to write, then how many rows the table has.
fn measure() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let path = PathBuf::from(arguments.next().ok_or("give the file to write")?);
    let rows: u32 = arguments.next().map_or(Ok(DEFAULT_ROWS), |text| text.parse())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let figures = runtime.block_on(figures(rows))?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&path, serde_json::to_string_pretty(&figures)?)?;
    write!(std::io::stdout(), "{figures}")?;
    Ok(())
}

async fn figures(rows: u32) -> Result<Figures, Failure> {
    let table = changes::table(rows).await?;
    let mut measured: Vec<Measured> = Vec::new();
    for change in changes::all() {
        measured.push(compare::change(&table, &change).await?);
    }
    let queue = compare::behind_a_reader(&table).await?;
    let many = compare::many(200).await?;
    Ok(Figures {
        rows,
        changes: measured,
        behind_a_reader: queue,
        many,
    })
}
