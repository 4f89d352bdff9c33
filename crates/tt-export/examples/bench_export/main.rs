//! `cargo xtask bench-db`, second part: an export and its restore, next to what a DBA would type, on one PostgreSQL of its own.
//!
//! By hand is `pg_dump --format=directory --jobs` with the same compression, and `pg_restore --jobs` with as many. Both write to the same
//! disk. What the tool does beyond that (checksums, their verification before anything is written, statistics, a count of every table)
//! is in its time.

mod database;
mod report;

use std::{
    error::Error,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use tt_export::{DatabaseName, DatabaseUrl, ExportOptions, Folder, Target, export, restore};

use crate::{
    database::Bench,
    report::{Figures, Round},
};

type Failure = Box<dyn Error + Send + Sync>;

const DEFAULT_MEGABYTES: u32 = 1000;
const ROUNDS: u32 = 3;
const CONNECTIONS: usize = 4;

fn main() -> ExitCode {
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            drop(writeln!(std::io::stderr(), "bench_export: {failure}"));
            ExitCode::FAILURE
        }
    }
}

/// Arguments: the file to write, then how large the database is in megabytes, then how many rounds.
fn measure() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let path = PathBuf::from(arguments.next().ok_or("give the file to write")?);
    let megabytes: u32 = arguments.next().map_or(Ok(DEFAULT_MEGABYTES), |text| text.parse())?;
    let rounds: u32 = arguments.next().map_or(Ok(ROUNDS), |text| text.parse())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let figures = runtime.block_on(figures(megabytes, rounds))?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&path, serde_json::to_string_pretty(&figures.json())?)?;
    write!(std::io::stdout(), "{figures}")?;
    Ok(())
}

async fn figures(megabytes: u32, rounds: u32) -> Result<Figures, Failure> {
    let bench = Bench::filled(megabytes).await?;
    let mut measured = Vec::new();
    for round in 0..rounds {
        let folder = tempfile::tempdir()?;
        // Whoever goes second finds the pages in memory, so they take turns; before the first, everything was read once.
        let (by_hand, tool) = if round % 2 == 0 {
            let by_hand = by_hand(&bench, &folder.path().join("by-hand"))?;
            (by_hand, by_tool(&bench, &folder.path().join("tool")).await?)
        } else {
            let tool = by_tool(&bench, &folder.path().join("tool")).await?;
            (by_hand(&bench, &folder.path().join("by-hand"))?, tool)
        };
        measured.push(Round { by_hand, tool });
    }
    Ok(Figures {
        database_bytes: bench.bytes().await?,
        connections: CONNECTIONS,
        rounds: measured,
        peak_kilobytes: peak()?,
    })
}

/// How long the way there and the way back took, and how much lay in between.
pub(crate) struct Times {
    pub(crate) export: Duration,
    pub(crate) restore: Duration,
    pub(crate) bytes: u64,
}

fn by_hand(bench: &Bench, folder: &Path) -> Result<Times, Failure> {
    let jobs = format!("--jobs={CONNECTIONS}");
    let began = Instant::now();
    let dump = [
        "--format=directory",
        "--compress=1",
        "--no-owner",
        "--no-privileges",
        &jobs,
    ];
    succeed(
        bench
            .client("pg_dump")
            .args(dump)
            .arg("--file")
            .arg(folder)
            .arg("source"),
    )?;
    let export = began.elapsed();
    succeed(bench.client("createdb").arg("by_hand"))?;
    let began = Instant::now();
    succeed(
        bench
            .client("pg_restore")
            .arg(&jobs)
            .args(["--no-owner", "--dbname=by_hand"])
            .arg(folder),
    )?;
    let restore = began.elapsed();
    succeed(bench.client("dropdb").arg("by_hand"))?;
    Ok(Times {
        export,
        restore,
        bytes: size(folder)?,
    })
}

async fn by_tool(bench: &Bench, folder: &Path) -> Result<Times, Failure> {
    let server = DatabaseUrl::parse(&bench.url("source"))?;
    let store = Folder::new(folder);
    let options = ExportOptions {
        connections: CONNECTIONS,
        ..ExportOptions::default()
    };
    let began = Instant::now();
    export(&server, &store, options, drop).await?;
    let exported = began.elapsed();
    let target = Target::new(server, DatabaseName::parse("by_tool")?)?;
    let url = target.begin("the benchmark").await?;
    let began = Instant::now();
    restore(&url, &store, CONNECTIONS, drop).await?;
    target.finish("the benchmark").await?;
    let restored = began.elapsed();
    succeed(bench.client("dropdb").arg("by_tool"))?;
    Ok(Times {
        export: exported,
        restore: restored,
        bytes: size(folder)?,
    })
}

fn succeed(command: &mut Command) -> Result<(), Failure> {
    let ended = command.output()?;
    if ended.status.success() {
        return Ok(());
    }
    Err(format!(
        "{}: {}",
        command.get_program().display(),
        String::from_utf8_lossy(&ended.stderr)
    )
    .into())
}

fn size(folder: &Path) -> Result<u64, Failure> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() {
            size(&entry.path())?
        } else {
            metadata.len()
        };
    }
    Ok(bytes)
}

/// The most that this process ever had in memory: `VmHWM` of `proc_pid_status(5)`.
fn peak() -> Result<u64, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("/proc/self/status has no VmHWM")?.parse()?)
}
