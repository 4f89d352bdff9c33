//! Images from the Dockerfile, by buildah: it needs no daemon, and gives the same image for the same input.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{failure::Failure, interrupt::Interrupt, place::Place, said::said};

/// A storage of images of its own, apart from whatever the machine has; dropping it removes it.
#[derive(Debug)]
pub(crate) struct Buildah {
    storage: PathBuf,
    repository: PathBuf,
}

impl Buildah {
    pub(crate) fn with_storage(place: &Place, storage: PathBuf) -> Self {
        Self {
            storage,
            repository: place.root().to_owned(),
        }
    }

    /// Builds a target of the Dockerfile from nothing, with programs that are built already.
    pub(crate) fn build(
        &self,
        target: &str,
        context: &Path,
        version: &str,
        interrupt: &Interrupt,
    ) -> Result<(), Failure> {
        let mut build = self.command(&[
            "build",
            // Docker's format would carry the name of the builder's container, which is another one each time.
            "--format=oci",
            "--timestamp=0",
            "--no-cache",
            "--isolation=chroot",
            "--build-arg=PROGRAMS=prebuilt",
            "--file=infrastructure/docker/Dockerfile",
        ]);
        build
            .arg(format!("--build-arg=VERSION={version}"))
            .arg(format!("--target={target}"))
            .arg(format!("--tag={target}:{version}"))
            .arg(context);
        said(&format!("buildah build {target}"), &mut build, interrupt).map(drop)
    }

    /// Copies a built image to any place that buildah knows, such as `docker://HOST/NAME:TAG`.
    pub(crate) fn push(
        &self,
        target: &str,
        version: &str,
        to: &str,
        options: &[&str],
        interrupt: &Interrupt,
    ) -> Result<(), Failure> {
        let mut push = self.command(&["push", "--quiet"]);
        push.args(options).arg(format!("{target}:{version}")).arg(to);
        said(&format!("buildah push {target}"), &mut push, interrupt).map(drop)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("buildah");
        command
            .arg("--root")
            .arg(self.storage.join("root"))
            .arg("--runroot")
            .arg(self.storage.join("run"))
            .args(["--storage-driver", "vfs"])
            .args(arguments)
            .current_dir(&self.repository);
        command
    }
}

impl Drop for Buildah {
    fn drop(&mut self) {
        let _left = fs::remove_dir_all(&self.storage);
    }
}
