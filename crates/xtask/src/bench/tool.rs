//! The tool by itself: how long `--help` takes, how large it is.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use serde::Serialize;

use crate::{child::Child, failure::Failure, interrupt::Interrupt, place::Place};

const RUNS: usize = 21;

/// Figures of the binary.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Figures {
    /// The median of 21 runs.
    pub(super) help_ms: f64,
    /// The release build without the sandbox, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) release_binary_mb: Option<f64>,
}

pub(super) fn measure(place: &Place, with_release_build: bool, interrupt: &Interrupt) -> Result<Figures, Failure> {
    let mut times: Vec<f64> = (0..RUNS)
        .map(|_| help(&place.program("tt-ops"), interrupt))
        .collect::<Result<_, _>>()?;
    times.sort_by(f64::total_cmp);
    let help_ms = times.get(RUNS / 2).copied().unwrap_or_default();
    let release_binary_mb = if with_release_build {
        Some(megabytes(&place.release_program("tt-ops"))?)
    } else {
        None
    };
    Ok(Figures {
        help_ms,
        release_binary_mb,
    })
}

fn help(tool: &Path, interrupt: &Interrupt) -> Result<f64, Failure> {
    let mut command = Command::new(tool);
    command.arg("--help").stdin(Stdio::null()).stdout(Stdio::null());
    let started = Instant::now();
    Child::start("tt-ops --help", command)?.succeed(interrupt)?;
    Ok(started.elapsed().as_secs_f64() * 1000.0)
}

fn megabytes(path: &Path) -> Result<f64, Failure> {
    let size = fs::metadata(path)
        .map_err(|cause| Failure::Read {
            path: path.to_owned(),
            cause,
        })?
        .len();
    Ok(f64::from(u32::try_from(size / 1024).unwrap_or(u32::MAX)) / 1024.0)
}
