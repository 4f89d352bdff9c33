//! `cargo xtask previous-release`: the release before this one, built from the history.
//!
//! Owns which revision that is and where its program lies. What must hold while both releases run on one schema is in the
//! service's own tests (`tests/service/overlap.rs`), which run that program when it is there.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use clap::Args;

use crate::{
    child::Child,
    failure::Failure,
    interrupt::Interrupt,
    place::Place,
    said::{ask, said},
    say,
};

const MIGRATIONS: &str = "crates/task-tracker/migrations";
const PROGRAM: &str = "task-tracker";

/// Which revision stands for the release before.
#[derive(Args)]
pub(crate) struct Options {
    /// A tag, a branch or a commit, instead of the last one whose schema is the beginning of today's
    #[arg(long, value_name = "REVISION")]
    revision: Option<String>,
}

/// Builds it, or says why there is none. Whoever names a revision wants that one; without a name, a copy of the repository that
/// has no history, or a machine that cannot fetch what an earlier release needs, is a reason to go on without.
pub(crate) fn run(place: &Place, interrupt: &Interrupt, options: &Options) -> Result<(), Failure> {
    let history = History { place, interrupt };
    let found = match &options.revision {
        Some(name) => Ok(history.named(name)?),
        None => history.last()?,
    };
    let built = match found {
        Ok(revision) => Build::of(place, revision).run(interrupt, options.revision.as_deref())?,
        Err(why) => Err(why),
    };
    if let Err(why) = built {
        let program = Build::folder(place).join(PROGRAM);
        remove(&program)?;
        say::line(format!("skipped: nothing was built to run beside this release: {why}"));
    }
    Ok(())
}

/// A commit, in full.
struct Revision(String);

/// The repository's past.
struct History<'a> {
    place: &'a Place,
    interrupt: &'a Interrupt,
}

impl History<'_> {
    fn git(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.args(arguments).current_dir(self.place.root());
        command
    }

    /// What git answers, if it can.
    fn asked(&self, arguments: &[&str]) -> Result<Option<String>, Failure> {
        let said = ask("git", &mut self.git(arguments), self.interrupt)?;
        Ok(said.status.success().then(|| said.out.trim_end().to_owned()))
    }

    fn named(&self, name: &str) -> Result<Revision, Failure> {
        let commit = format!("{name}^{{commit}}");
        let found = self.asked(&["rev-parse", "--quiet", "--verify", "--end-of-options", &commit])?;
        found.map(Revision).ok_or_else(|| {
            Failure::Check(format!(
                "there is no revision {name} in this copy of the repository; `git log --oneline` and `git tag` name those that are, \
                 `git fetch --tags --unshallow` brings those that are not"
            ))
        })
    }

    /// The last tag, else the state of the main line before its schema last became longer.
    fn last(&self) -> Result<Result<Revision, String>, Failure> {
        let Some(now) = self.migrations("HEAD")? else {
            return Ok(Err("this copy of the repository has no history (git)".to_owned()));
        };
        if let Some(tag) = self.asked(&["describe", "--tags", "--abbrev=0", "HEAD^"])? {
            let then = self.migrations(&tag)?.unwrap_or_default();
            if !now.starts_with(&then) {
                return Err(Failure::Check(format!(
                    "the migrations of {tag} are not the beginning of today's: a database of that release cannot be migrated; \
                     `git diff {tag} -- {MIGRATIONS}` shows what differs"
                )));
            }
            return self.named(&tag).map(Ok);
        }
        let changed = self
            .asked(&["log", "--first-parent", "--format=%H", "--", MIGRATIONS])?
            .unwrap_or_default();
        for commit in changed.lines() {
            let before = format!("{commit}^");
            if let Some(then) = self.migrations(&before)?
                && is_earlier(&then, &now)
            {
                return self.named(&before).map(Ok);
            }
        }
        Ok(Err(
            "no earlier schema is in this copy's history; `git fetch --unshallow` brings what a shallow one lacks"
                .to_owned(),
        ))
    }

    /// What a revision's schema is made of; None where git knows no such revision.
    fn migrations(&self, revision: &str) -> Result<Option<Vec<Migration>>, Failure> {
        let folder = format!("{MIGRATIONS}/");
        let listed = self.asked(&["ls-tree", revision, "--", &folder])?;
        Ok(listed.map(|listed| listed.lines().filter_map(Migration::parse).collect()))
    }
}

/// A way up, with a fingerprint of what it does.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Migration {
    file: String,
    content: String,
}

impl Migration {
    /// From a line of `git ls-tree`: mode, type, fingerprint, tab, path.
    fn parse(line: &str) -> Option<Self> {
        let (head, path) = line.split_once('\t')?;
        let (_, file) = path.rsplit_once('/')?;
        file.ends_with(".up.sql").then(|| Self {
            file: file.to_owned(),
            content: head.rsplit(' ').next().unwrap_or_default().to_owned(),
        })
    }
}

/// Whether a database with this schema becomes one with that schema by further migrations, at least one.
fn is_earlier(then: &[Migration], now: &[Migration]) -> bool {
    !then.is_empty() && then.len() < now.len() && now.starts_with(then)
}

/// A revision on its way to being a program.
struct Build {
    folder: PathBuf,
    root: PathBuf,
    revision: Revision,
}

impl Build {
    fn of(place: &Place, revision: Revision) -> Self {
        Self {
            folder: Self::folder(place),
            root: place.root().to_owned(),
            revision,
        }
    }

    fn folder(place: &Place) -> PathBuf {
        place.target().join("previous-release")
    }

    /// The program lies in the folder afterwards, with the name of what it was built from beside it.
    fn run(&self, interrupt: &Interrupt, named: Option<&str>) -> Result<Result<(), String>, Failure> {
        let started = Instant::now();
        let (program, mark) = (self.folder.join(PROGRAM), self.folder.join("revision"));
        let Revision(revision) = &self.revision;
        if program.is_file() && fs::read_to_string(&mark).is_ok_and(|built| built == *revision) {
            return Ok(Ok(()));
        }
        remove(&mark)?;
        let source = self.unpack(interrupt)?;
        let mut fetch = Command::new("cargo");
        fetch.args(["fetch", "--locked"]).current_dir(&source);
        let fetched = ask("cargo fetch", &mut fetch, interrupt)?;
        if named.is_none() && !fetched.status.success() {
            return Ok(Err(format!("cargo could not fetch what {revision} needs")));
        }
        say::line(format!("building the release before this one, {revision}"));
        self.cargo(&source, interrupt)?;
        let built = self.folder.join("target/debug").join(PROGRAM);
        fs::copy(&built, &program).map_err(|cause| Failure::Write { path: program, cause })?;
        fs::write(&mark, revision).map_err(|cause| Failure::Write { path: mark, cause })?;
        say::line(format!("built in {:.0} s", started.elapsed().as_secs_f64()));
        Ok(Ok(()))
    }

    /// Its files, without anything of another revision's.
    fn unpack(&self, interrupt: &Interrupt) -> Result<PathBuf, Failure> {
        let source = self.folder.join("source");
        match fs::remove_dir_all(&source) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                return Err(Failure::Write { path: source, cause });
            }
            _ => {}
        }
        fs::create_dir_all(&source).map_err(|cause| Failure::Write {
            path: source.clone(),
            cause,
        })?;
        let archive = self.folder.join("source.tar");
        let mut pack = Command::new("git");
        pack.args(["archive", "--format=tar", "--output"])
            .arg(&archive)
            .arg(&self.revision.0)
            .current_dir(&self.root);
        said("git archive", &mut pack, interrupt)?;
        let mut unpack = Command::new("tar");
        unpack
            .arg("--extract")
            .arg("--file")
            .arg(&archive)
            .arg("--directory")
            .arg(&source);
        said("tar", &mut unpack, interrupt)?;
        remove(&archive)?;
        Ok(source)
    }

    /// In a target folder of its own: two versions of one package in the same folder push each other out.
    fn cargo(&self, source: &Path, interrupt: &Interrupt) -> Result<(), Failure> {
        let mut command = Command::new("cargo");
        command
            .args([
                "build",
                "--locked",
                "--package",
                PROGRAM,
                "--bin",
                PROGRAM,
                "--target-dir",
            ])
            .arg(self.folder.join("target"))
            .env("CARGO_INCREMENTAL", "0")
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .current_dir(source)
            .stdin(Stdio::null());
        Child::start("cargo build", command)?.succeed(interrupt)
    }
}

fn remove(file: &Path) -> Result<(), Failure> {
    match fs::remove_file(file) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(Failure::Write {
            path: file.to_owned(),
            cause,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(files: &[(&str, &str)]) -> Vec<Migration> {
        let lines = files
            .iter()
            .map(|(file, content)| format!("100644 blob {content}\t{MIGRATIONS}/{file}"));
        lines.filter_map(|line| Migration::parse(&line)).collect()
    }

    #[test]
    fn only_the_ways_up_make_a_schema() {
        let listed = schema(&[("0001_a.down.sql", "d1"), ("0001_a.up.sql", "u1"), ("README.md", "r")]);
        assert_eq!(
            listed,
            [Migration {
                file: "0001_a.up.sql".to_owned(),
                content: "u1".to_owned()
            }]
        );
        assert_eq!(Migration::parse("no listing"), None);
    }

    #[test]
    fn an_earlier_schema_is_the_beginning_of_a_later_one() {
        let now = schema(&[("0001_a.up.sql", "u1"), ("0002_b.up.sql", "u2")]);
        for (then, expected) in [
            (&[("0001_a.up.sql", "u1")][..], true),
            (&[], false),
            (&[("0001_a.up.sql", "edited")], false),
            (&[("0001_renamed.up.sql", "u1")], false),
            (&[("0001_a.up.sql", "u1"), ("0002_b.up.sql", "u2")], false),
            (&[("0002_b.up.sql", "u2")], false),
        ] {
            assert_eq!(is_earlier(&schema(then), &now), expected, "{then:?}");
        }
    }
}
