//! Checkers that `PyPI` does not bring: used where the machine has them.

use std::process::Command;

use crate::on_path::is_there;

/// What builds overlays.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kustomize {
    Itself,
    InKubectl,
}

impl Kustomize {
    pub(super) fn command(self) -> Command {
        let (program, subcommand) = match self {
            Self::Itself => ("kustomize", "build"),
            Self::InKubectl => ("kubectl", "kustomize"),
        };
        let mut command = Command::new(program);
        command.arg(subcommand);
        command
    }
}

pub(super) fn kustomize() -> Option<Kustomize> {
    if is_there("kustomize") {
        return Some(Kustomize::Itself);
    }
    is_there("kubectl").then_some(Kustomize::InKubectl)
}

/// The program of its own; the plugin of newer Docker clients is no file on PATH.
pub(super) fn compose() -> Option<Command> {
    is_there("docker-compose").then(|| Command::new("docker-compose"))
}
