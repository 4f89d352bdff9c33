//! A folder of migrations, read and checked as a whole.
//!
//! Takes texts, wherever they come from: a folder ([`folder`]) or what a program carries in itself. Says everything that
//! is wrong at once. Never looks at a database.

use std::{collections::BTreeMap, fs, io, path::Path};

use crate::{
    fault::{Fault, Problem, Unloadable},
    header::Header,
    phase::{Phase, Version},
    schema::Schema,
    script::{self, Direction, Script},
};

/// A file as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name, without the folder.
    pub name: String,
    /// Its text.
    pub text: String,
}

impl File {
    /// A file from its parts.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
        }
    }
}

/// One change, with its way back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// Its number.
    pub version: Version,
    /// Its name, with spaces: `task priority`.
    pub name: String,
    /// When it runs.
    pub phase: Phase,
    /// Contract only: releases that know no version from this one on stop working.
    pub breaks_below: Option<Version>,
    /// What it does.
    pub up: Script,
    /// What undoes it.
    pub down: Script,
}

/// All migrations of one release, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Migrations(Vec<Migration>);

impl Migrations {
    /// In order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Migration> {
        self.0.iter()
    }

    /// The one of this version.
    pub fn get(&self, version: Version) -> Option<&Migration> {
        self.0.iter().find(|migration| migration.version == version)
    }

    /// The ways up below a version.
    pub(crate) fn before(&self, version: Version) -> impl Iterator<Item = &Script> {
        let before = self.0.iter().take_while(move |migration| migration.version < version);
        before.map(|migration| &migration.up)
    }

    /// Which schemas a release with these migrations works on.
    pub fn schema(&self) -> Schema {
        let last = |fits: fn(&Migration) -> bool| {
            let versions = self.0.iter().filter(|migration| fits(migration));
            versions.map(|migration| migration.version).max().unwrap_or_default()
        };
        Schema {
            needs: last(|migration| migration.phase == Phase::Expand),
            knows: last(|_| true),
        }
    }
}

/// Reads the `.sql` files of a folder; others are left alone.
pub fn folder(path: &Path) -> io::Result<Vec<File>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let sql = Path::new(&name)
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("sql"));
        if sql && entry.file_type()?.is_file() {
            files.push(File::new(name, fs::read_to_string(entry.path())?));
        }
    }
    Ok(files)
}

/// Checks files against each other and each by itself.
pub fn load(files: impl IntoIterator<Item = File>) -> Result<Migrations, Unloadable> {
    let mut files: Vec<File> = files.into_iter().collect();
    files.sort_by(|one, other| one.name.cmp(&other.name));
    let mut problems = Vec::new();
    let pairs = pair(files, &mut problems);
    let mut migrations = Vec::new();
    for (version, halves) in pairs {
        match migration(version, halves) {
            Ok(migration) => migrations.push(migration),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() {
        return Ok(Migrations(migrations));
    }
    problems.sort_by(|one, other| (&one.file, one.line).cmp(&(&other.file, other.line)));
    Err(Unloadable { problems })
}

#[derive(Default)]
struct Halves {
    up: Option<File>,
    down: Option<File>,
}

fn pair(files: Vec<File>, problems: &mut Vec<Problem>) -> BTreeMap<Version, Halves> {
    let mut pairs: BTreeMap<Version, Halves> = BTreeMap::new();
    for file in files {
        let Some(name) = Name::read(&file.name) else {
            problems.push(whole(&file.name, Fault::Name));
            continue;
        };
        let halves = pairs.entry(name.version).or_default();
        let half = match name.direction {
            Direction::Up => &mut halves.up,
            Direction::Down => &mut halves.down,
        };
        match half {
            Some(other) => {
                let other = other.name.clone();
                problems.push(whole(&file.name, Fault::Twice { other }));
            }
            None => *half = Some(file),
        }
    }
    pairs
}

fn whole(file: &str, fault: Fault) -> Problem {
    Problem {
        file: file.to_owned(),
        line: None,
        fault,
    }
}

fn migration(version: Version, halves: Halves) -> Result<Migration, Vec<Problem>> {
    let (up, down) = match (halves.up, halves.down) {
        (Some(up), Some(down)) => (up, down),
        (Some(up), None) => return Err(vec![whole(&up.name, Fault::NoDown)]),
        (None, Some(down)) => return Err(vec![whole(&down.name, Fault::NoUp)]),
        (None, None) => return Err(Vec::new()),
    };
    let mut problems = Vec::new();
    let (name, other) = (stem(&up.name), stem(&down.name));
    if name != other {
        problems.push(whole(
            &up.name,
            Fault::Unlike {
                other: down.name.clone(),
            },
        ));
    }
    let up = script::read(&up.name, &up.text, Direction::Up);
    let down = script::read(&down.name, &down.text, Direction::Down);
    match (up, down) {
        (Ok((up, header)), Ok((down, _))) => {
            problems.extend(misfits(&up.file, version, &header));
            if !problems.is_empty() {
                return Err(problems);
            }
            Ok(Migration {
                version,
                name,
                phase: header.phase,
                breaks_below: header.breaks_below,
                up,
                down,
            })
        }
        (up, down) => {
            problems.extend(up.err().into_iter().flatten());
            problems.extend(down.err().into_iter().flatten());
            Err(problems)
        }
    }
}

/// Keys of the header that do not go with its phase.
fn misfits(file: &str, version: Version, header: &Header) -> Vec<Problem> {
    let mut faults = Vec::new();
    let phase = header.phase;
    match (phase, header.breaks_below) {
        (Phase::Contract, None) => faults.push(Fault::NoBreaksBelow),
        (Phase::Contract, Some(below)) if below > version => faults.push(Fault::BreaksItself(below)),
        (Phase::Expand | Phase::Backfill, Some(_)) => faults.push(Fault::Misplaced {
            key: "breaks-below",
            phase,
        }),
        (Phase::Expand | Phase::Backfill, None) | (Phase::Contract, Some(_)) => {}
    }
    if phase != Phase::Backfill && header.batch.is_some() {
        faults.push(Fault::Misplaced { key: "batch", phase });
    }
    faults.into_iter().map(|fault| whole(file, fault)).collect()
}

struct Name {
    version: Version,
    direction: Direction,
}

impl Name {
    fn read(name: &str) -> Option<Self> {
        let (number, rest) = name.split_once('_')?;
        let version: Version = number.parse().ok().filter(|version| *version > Version::NONE)?;
        let (what, direction) = match (rest.strip_suffix(".up.sql"), rest.strip_suffix(".down.sql")) {
            (Some(what), _) => (what, Direction::Up),
            (None, Some(what)) => (what, Direction::Down),
            (None, None) => return None,
        };
        (!what.is_empty()).then_some(Self { version, direction })
    }
}

/// `0007_task_priority.up.sql` → `task priority`, as sqlx describes it too.
fn stem(name: &str) -> String {
    let rest = name.split_once('_').map_or(name, |(_, rest)| rest);
    rest.trim_end_matches(".up.sql")
        .trim_end_matches(".down.sql")
        .replace('_', " ")
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
