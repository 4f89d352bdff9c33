//! Which PostgreSQL this machine has.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::RdsError;

/// One installed version of PostgreSQL.
#[derive(Debug, Clone)]
pub(super) struct Installation {
    programs: PathBuf,
    /// `15.18`
    pub(super) version: String,
}

impl Installation {
    /// On PATH, or where Debian puts it; the newest.
    pub(super) fn find() -> Result<Self, RdsError> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        // PATH may hold links to single programs; the others are beside what they lead to.
        let on_path = std::env::split_paths(&path).filter_map(|folder| {
            folder
                .join("postgres")
                .canonicalize()
                .ok()?
                .parent()
                .map(Path::to_owned)
        });
        let mut packaged: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                Some((path.file_name()?.to_str()?.parse().ok()?, path.join("bin")))
            })
            .collect();
        packaged.sort();
        let packaged = packaged.into_iter().rev().map(|(_, programs)| programs);
        let complete = |programs: &PathBuf| {
            ["postgres", "initdb", "pg_ctl", "psql", "pg_basebackup"]
                .iter()
                .all(|name| programs.join(name).is_file())
        };
        let programs = on_path.chain(packaged).find(complete).ok_or(RdsError::NoPostgres)?;
        let output = std::process::Command::new(programs.join("postgres"))
            .arg("--version")
            .output();
        let output = output.map_err(|_| RdsError::NoPostgres)?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version = text.split_whitespace().nth(2).ok_or(RdsError::NoPostgres)?.to_owned();
        Ok(Self { programs, version })
    }

    pub(super) fn major(&self) -> &str {
        self.version.split('.').next().unwrap_or(&self.version)
    }

    pub(super) fn program(&self, name: &str) -> String {
        self.programs.join(name).to_string_lossy().into_owned()
    }
}
