//! The programs as an image carries them: linked against nothing of the system they will run on.

use std::{
    env::consts::ARCH,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    child::Child,
    failure::Failure,
    interrupt::Interrupt,
    place::{PROFILE, Place},
};

/// The public authorities of Debian's ca-certificates.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// A folder with everything that the Dockerfile's stage `prebuilt` takes for both images.
pub(super) fn context(place: &Place, folder: &Path, interrupt: &Interrupt) -> Result<PathBuf, Failure> {
    build(place, &["--package", "task-tracker", "--bins"], interrupt)?;
    // By itself: built together, each would get the features that only the other one needs.
    build(
        place,
        &["--package", "tt-ops", "--bins", "--no-default-features"],
        interrupt,
    )?;
    let programs = [
        (program(place, "task-tracker"), "task-tracker"),
        (program(place, "tt-ops"), "tt-ops"),
    ];
    lay_out(place, &folder.join("context"), &programs)
}

/// The same for the service's image alone: one with the service, and one with the really bad release in its place.
pub(super) fn releases(place: &Place, folder: &Path, interrupt: &Interrupt) -> Result<(PathBuf, PathBuf), Failure> {
    let package = ["--package", "task-tracker", "--bins", "--example", "faulty_release"];
    build(place, &package, interrupt)?;
    let good = [(program(place, "task-tracker"), "task-tracker")];
    let bad = [(program(place, "examples/faulty_release"), "task-tracker")];
    Ok((
        lay_out(place, &folder.join("good"), &good)?,
        lay_out(place, &folder.join("bad"), &bad)?,
    ))
}

/// Builds static programs. A target of its own keeps the flag away from build scripts and macros, which must load libraries.
fn build(place: &Place, what: &[&str], interrupt: &Interrupt) -> Result<(), Failure> {
    let mut command = Command::new("cargo");
    command
        .args(["build", "--locked", "--profile", PROFILE, "--target", &target()])
        .args(what)
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .current_dir(place.root())
        .stdin(Stdio::null());
    Child::start("cargo build", command)?.succeed(interrupt)
}

fn program(place: &Place, name: &str) -> PathBuf {
    place.target().join(target()).join(PROFILE).join(name)
}

fn target() -> String {
    format!("{ARCH}-unknown-linux-gnu")
}

fn lay_out(place: &Place, context: &Path, programs: &[(PathBuf, &str)]) -> Result<PathBuf, Failure> {
    let certificates = context.join("certificates");
    let write = |cause| Failure::Write {
        path: context.to_owned(),
        cause,
    };
    if context.exists() {
        fs::remove_dir_all(context).map_err(write)?;
    }
    fs::create_dir_all(&certificates).map_err(write)?;
    for (file, name) in programs {
        copy(file, &context.join(name), 0o755)?;
    }
    copy(Path::new(AUTHORITIES), &certificates.join("ca-certificates.crt"), 0o644)?;
    let own = place.root().join("infrastructure/docker/certificates");
    let entries = fs::read_dir(&own).map_err(|cause| Failure::Read { path: own, cause })?;
    for file in entries.flatten().map(|entry| entry.path()) {
        if let (Some("pem"), Some(name)) = (file.extension().and_then(|end| end.to_str()), file.file_name()) {
            copy(&file, &certificates.join(name), 0o644)?;
        }
    }
    Ok(context.to_owned())
}

/// With a mode that does not depend on who builds: it is part of the image.
fn copy(from: &Path, to: &Path, mode: u32) -> Result<(), Failure> {
    fs::copy(from, to)
        .and_then(|_| fs::set_permissions(to, fs::Permissions::from_mode(mode)))
        .map_err(|cause| Failure::Read {
            path: from.to_owned(),
            cause,
        })
}
