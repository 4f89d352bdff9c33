//! Images from the Dockerfile, by buildah: it needs no daemon, and gives the same image for the same input.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{failure::Failure, interrupt::Interrupt, place::Place, said::said, say};

/// The Dockerfile's targets.
pub(super) const TARGETS: [&str; 2] = ["task-tracker", "tt-ops"];

/// A built image.
#[derive(Debug)]
pub(super) struct Image {
    /// What it is called in this chore's engine.
    pub(super) name: String,
    /// For `docker load`.
    pub(super) archive: PathBuf,
    /// The program in it.
    pub(super) program: String,
}

impl Image {
    /// Builds it from nothing, and again from nothing; fails unless both have one digest.
    pub(super) fn build_twice(
        place: &Place,
        target: &str,
        context: &Path,
        folder: &Path,
        interrupt: &Interrupt,
    ) -> Result<Self, Failure> {
        let first = build(place, target, context, folder, "first", interrupt)?;
        let second = build(place, target, context, folder, "second", interrupt)?;
        if first.1 != second.1 {
            return Err(Failure::Check(format!(
                "{target} is not reproducible: {} and then {}",
                first.1, second.1
            )));
        }
        say::line(format!("ok       {target} twice: {}", first.1));
        Ok(first.0)
    }
}

/// The image, and its digest as a registry would have it.
fn build(
    place: &Place,
    target: &str,
    context: &Path,
    folder: &Path,
    time: &str,
    interrupt: &Interrupt,
) -> Result<(Image, String), Failure> {
    let name = format!("{target}:verify");
    // A storage for each: nothing of the first can be in the second.
    let storage = folder.join("storage").join(time);
    let buildah = |arguments: &[&str]| {
        let mut command = Command::new("buildah");
        command
            .arg("--root")
            .arg(storage.join("root"))
            .arg("--runroot")
            .arg(storage.join("run"))
            .args(["--storage-driver", "vfs"])
            .args(arguments)
            .current_dir(place.root());
        command
    };
    let mut build = buildah(&[
        "build",
        // The format of OCI has no health check.
        "--format=docker",
        "--timestamp=0",
        "--no-cache",
        "--isolation=chroot",
        "--build-arg=PROGRAMS=prebuilt",
        "--build-arg=VERSION=1.0.0",
        "--build-arg=REVISION=0000000000000000000000000000000000000000",
        "--file=infrastructure/docker/Dockerfile",
    ]);
    build
        .arg(format!("--target={target}"))
        .arg(format!("--tag={name}"))
        .arg(context);
    said(&format!("buildah build {target}"), &mut build, interrupt)?;

    let (digest, copy) = (folder.join("digest"), folder.join("pushed"));
    remove(&copy)?;
    let mut push = buildah(&["push", "--quiet", "--format=v2s2"]);
    push.arg(format!("--digestfile={}", digest.display()))
        .arg(&name)
        .arg(format!("dir:{}", copy.display()));
    said(&format!("buildah push {target}"), &mut push, interrupt)?;

    let archive = folder.join(format!("{target}.tar"));
    remove(&archive)?;
    let mut push = buildah(&["push", "--quiet", "--format=v2s2", &name]);
    push.arg(format!("docker-archive:{}:{name}", archive.display()));
    said(&format!("buildah push {target}"), &mut push, interrupt)?;

    let read = fs::read_to_string(&digest).map_err(|cause| Failure::Read {
        path: digest.clone(),
        cause,
    })?;
    remove(&storage)?;
    remove(&copy)?;
    let image = Image {
        name,
        archive,
        program: format!("/{target}"),
    };
    Ok((image, read.trim().to_owned()))
}

fn remove(path: &Path) -> Result<(), Failure> {
    let removed = if path.is_dir() {
        fs::remove_dir_all(path)
    } else if path.exists() {
        fs::remove_file(path)
    } else {
        Ok(())
    };
    removed.map_err(|cause| Failure::Write {
        path: path.to_owned(),
        cause,
    })
}
