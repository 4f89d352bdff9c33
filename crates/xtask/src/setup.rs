//! What the machine must have besides Rust: found, or installed with apt-get. What is there is left alone.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{child::Child, failure::Failure, interrupt::Interrupt, on_path::is_there, say};

/// Where Debian puts the server's programs, a folder for each version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// For the tests: PostgreSQL, and Python for the ordinary AWS clients.
pub(crate) fn everything(interrupt: &Interrupt) -> Result<(), Failure> {
    let missing: Vec<Missing> = [postgresql(), python(interrupt)?].into_iter().flatten().collect();
    install(&missing, interrupt)
}

/// For the demo: PostgreSQL.
pub(crate) fn database(interrupt: &Interrupt) -> Result<(), Failure> {
    install(postgresql().as_slice(), interrupt)
}

/// Whether somebody agreed to an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consent {
    Given,
    Missing,
}

/// For the verification of images: PostgreSQL, a builder and an engine. An engine is no small thing to find on one's machine,
/// so it is installed only with consent.
pub(crate) fn containers(consent: Consent, interrupt: &Interrupt) -> Result<(), Failure> {
    if !rustix::process::geteuid().is_root() {
        return Err(Failure::Check(
            "an engine of this run's own needs root; type: sudo -E make verify-containers".to_owned(),
        ));
    }
    let programs = [
        ("buildah", "the builder of images", "buildah"),
        ("dockerd", "the engine of containers", "docker.io"),
        ("docker", "the engine's client", "docker.io"),
        ("nsenter", "nsenter", "util-linux"),
        ("setpriv", "setpriv", "util-linux"),
    ];
    let absent = programs
        .into_iter()
        .filter(|(program, ..)| !is_there(program))
        .map(|(_, what, package)| Missing { what, package });
    let missing: Vec<Missing> = postgresql().into_iter().chain(absent).collect();
    if missing.is_empty() || consent == Consent::Given {
        return install(&missing, interrupt);
    }
    let (what, packages) = named(&missing);
    Err(Failure::NotInstalled {
        what,
        packages: packages.join(" "),
        allow: "make verify-containers INSTALL=yes",
    })
}

/// The folder of PostgreSQL's server programs, once they are there.
pub(crate) fn server_programs_here() -> Result<PathBuf, Failure> {
    let path = env::var_os("PATH").unwrap_or_default();
    server_programs(env::split_paths(&path).collect(), Path::new(DEBIAN)).ok_or_else(|| Failure::Missing {
        what: "PostgreSQL's server".to_owned(),
        packages: "postgresql".to_owned(),
    })
}

/// Something that is not there, and the package that brings it.
struct Missing {
    what: &'static str,
    package: &'static str,
}

fn postgresql() -> Option<Missing> {
    let path = env::var_os("PATH").unwrap_or_default();
    if let Some(folder) = server_programs(env::split_paths(&path).collect(), Path::new(DEBIAN)) {
        say::line(format!("PostgreSQL's server programs are there: {}", folder.display()));
        return None;
    }
    Some(Missing {
        what: "PostgreSQL's server",
        package: "postgresql",
    })
}

fn python(interrupt: &Interrupt) -> Result<Option<Missing>, Failure> {
    let missing = Missing {
        what: "Python with venv (tests drive the sandbox with the AWS CLI and boto3)",
        package: "python3-venv",
    };
    let mut command = Command::new("python3");
    command
        .args(["-c", "import ensurepip, venv"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let Ok(mut python) = Child::start("python3", command) else {
        return Ok(Some(missing));
    };
    if !python.wait(interrupt)?.success() {
        return Ok(Some(missing));
    }
    say::line("Python with venv is there");
    Ok(None)
}

/// The folder that has them all: on the PATH, or the newest of Debian's.
fn server_programs(mut folders: Vec<PathBuf>, debian: &Path) -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(debian)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort();
    folders.extend(versions.into_iter().rev().map(|(_, folder)| folder));
    folders.into_iter().find(|folder| {
        ["initdb", "postgres"]
            .iter()
            .all(|program| folder.join(program).is_file())
    })
}

fn install(missing: &[Missing], interrupt: &Interrupt) -> Result<(), Failure> {
    if missing.is_empty() {
        return Ok(());
    }
    let (what, packages) = named(missing);
    let Some(root) = root_prefix(interrupt)? else {
        return Err(Failure::Missing {
            what,
            packages: packages.join(" "),
        });
    };
    say::line(format!(
        "missing: {what}; installing with apt-get: {}",
        packages.join(" ")
    ));
    apt_get(&root, &["update", "--quiet"], interrupt)?;
    let arguments = [
        &["install", "--yes", "--quiet", "--no-install-recommends"],
        packages.as_slice(),
    ]
    .concat();
    apt_get(&root, &arguments, interrupt)
}

/// In words, and as packages, each once.
fn named(missing: &[Missing]) -> (String, Vec<&'static str>) {
    let what: Vec<&str> = missing.iter().map(|missing| missing.what).collect();
    let mut packages: Vec<&str> = missing.iter().map(|missing| missing.package).collect();
    packages.dedup();
    (what.join(" and "), packages)
}

/// How to become root without being asked: not at all, with sudo, or there is no way.
fn root_prefix(interrupt: &Interrupt) -> Result<Option<Vec<&'static str>>, Failure> {
    if !Path::new("/usr/bin/apt-get").is_file() {
        return Ok(None);
    }
    if rustix::process::geteuid().is_root() {
        return Ok(Some(Vec::new()));
    }
    let mut command = Command::new("sudo");
    command.args(["-n", "true"]).stdin(Stdio::null()).stderr(Stdio::null());
    let Ok(mut sudo) = Child::start("sudo", command) else {
        return Ok(None);
    };
    Ok(sudo.wait(interrupt)?.success().then(|| vec!["sudo", "-n"]))
}

fn apt_get(root: &[&str], arguments: &[&str], interrupt: &Interrupt) -> Result<(), Failure> {
    let line = [root, &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"], arguments].concat();
    let (program, arguments) = line.split_first().unwrap_or((&"apt-get", &[]));
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    Child::start("apt-get", command)?.succeed(interrupt)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_programs(folder: &Path) -> PathBuf {
        fs::create_dir_all(folder).unwrap();
        for program in ["initdb", "postgres"] {
            fs::write(folder.join(program), "").unwrap();
        }
        folder.to_owned()
    }

    #[test]
    fn the_path_comes_first_and_then_the_newest_version() {
        let base = env::temp_dir().join(format!("xtask-setup-{}", std::process::id()));
        let debian = base.join("debian");
        assert_eq!(server_programs(Vec::new(), &debian), None);
        let _fifteen = with_programs(&debian.join("9/bin"));
        let newest = with_programs(&debian.join("17/bin"));
        fs::create_dir_all(debian.join("18/bin")).unwrap();
        assert_eq!(server_programs(vec![base.join("empty")], &debian), Some(newest));
        let own = with_programs(&base.join("own"));
        assert_eq!(server_programs(vec![own.clone()], &debian), Some(own));
        fs::remove_dir_all(base).unwrap();
    }
}
