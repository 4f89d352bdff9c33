//! The same five endpoints by others (`benches/peers`): installed from their lock files, and started.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    server::Server,
    stage::{Stage, free_port},
};
use crate::{
    failure::Failure,
    interrupt::Interrupt,
    on_path,
    place::{Place, read},
    python::{self, Programs},
    said::said,
    say,
};

/// An installed peer.
pub(super) struct Peer {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<String>,
    /// Where its source is, and the statements that both send.
    source: PathBuf,
    log: PathBuf,
}

/// Those that this machine can run; what is missing for the others is said.
pub(super) fn install(place: &Place, folder: &Path, interrupt: &Interrupt) -> Result<Vec<Peer>, Failure> {
    let sources = place.root().join("benches").join("peers");
    let mut peers = Vec::new();
    match on_path::find("node") {
        Some(node) if on_path::is_there("npm") => {
            let home = folder.join("fastify");
            with_npm(&sources.join("fastify"), &home, interrupt)?;
            peers.push(Peer {
                name: "Fastify",
                program: node,
                arguments: vec![home.join("server.js").display().to_string()],
                source: sources.join("fastify"),
                log: folder.join("fastify.log"),
            });
        }
        Some(_) | None => say::line("skipped: Fastify, Node and npm are not installed (apt-get install nodejs npm)"),
    }
    let source = sources.join("fastapi");
    let wanted = read(&source.join("requirements.txt"))?;
    match python::install(&folder.join("fastapi"), &wanted, interrupt)? {
        Programs::Installed(programs) => peers.push(Peer {
            name: "FastAPI",
            program: programs.join("granian"),
            arguments: ["--interface", "asgi", "--loop", "uvloop", "--workers", "1", "--no-ws"]
                .into_iter()
                .chain(["--log-level", "warning", "--host", "127.0.0.1", "main:app"])
                .map(str::to_owned)
                .collect(),
            source,
            log: folder.join("fastapi.log"),
        }),
        Programs::Absent(why) => say::line(format!("skipped: FastAPI, {why}")),
    }
    Ok(peers)
}

impl Peer {
    pub(super) fn start(&self, stage: &Stage, interrupt: &Interrupt) -> Result<Server, Failure> {
        let port = free_port()?;
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .current_dir(&self.source)
            .env("DATABASE_URL", stage.url())
            .env("SQL", self.source.with_file_name("sql"))
            .env("PORT", port.to_string())
            .env("GRANIAN_PORT", port.to_string())
            .env("NODE_ENV", "production")
            .env("PYTHONDONTWRITEBYTECODE", "1");
        Server::start(self.name, port, command, "/", &self.log, interrupt)
    }
}

/// Exactly what the lock file says; a second run finds it. The program lies beside its libraries, where Node looks for them.
fn with_npm(source: &Path, home: &Path, interrupt: &Interrupt) -> Result<(), Failure> {
    let copy = |name: &str| {
        let path = home.join(name);
        fs::copy(source.join(name), &path).map_err(|cause| Failure::Write { path, cause })
    };
    fs::create_dir_all(home).map_err(|cause| Failure::Write {
        path: home.to_owned(),
        cause,
    })?;
    copy("server.js")?;
    let lock = read(&source.join("package-lock.json"))?;
    let mark = home.join("installed.json");
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    say::line(format!("installing Fastify from npm into {}", home.display()));
    copy("package.json")?;
    copy("package-lock.json")?;
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(home);
    said("npm ci", &mut npm, interrupt)?;
    fs::write(&mark, lock).map_err(|cause| Failure::Write { path: mark, cause })
}
