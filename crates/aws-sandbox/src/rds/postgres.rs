//! PostgreSQL itself: where its programs are, how a cluster is made, how a server is run.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::Rng as _;
use rand::distr::Alphanumeric;
use tokio::sync::mpsc;

use super::Endpoint;
use super::error::RdsError;
use super::instance::InstanceSpec;
use super::privilege::Identity;
use crate::runtime::{LogLine, Process, ProcessSpec, Runtime};

/// The superuser, who belongs to RDS; the master user is not one (Amazon RDS User Guide, "Master user account privileges").
pub(super) const ADMINISTRATOR: &str = "rdsadmin";
/// What a server prints when clients may come.
const READY: &str = "database system is ready to accept connections";

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
            ["postgres", "initdb", "pg_ctl", "psql"]
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

    fn program(&self, name: &str) -> String {
        self.programs.join(name).to_string_lossy().into_owned()
    }
}

/// Everything needed to make one cluster. Not `Debug`: the password is in it.
pub(super) struct Recipe {
    pub(super) files: PathBuf,
    pub(super) endpoint: Endpoint,
    pub(super) spec: InstanceSpec,
}

/// Makes the cluster, its master user and its database, and leaves it shut down.
pub(super) async fn make(
    runtime: &Arc<Runtime>,
    installation: &Installation,
    identity: &Identity,
    recipe: Recipe,
) -> Result<(), RdsError> {
    let folder = &recipe.files;
    let failed = |cause| RdsError::Folder {
        path: folder.clone(),
        cause,
    };
    fs::DirBuilder::new()
        .mode(0o700)
        .create(folder)
        .and_then(|()| identity.give(folder))
        .map_err(failed)?;
    let administrator: String = rand::rng().sample_iter(Alphanumeric).take(32).map(char::from).collect();
    // Passwords travel in files that only this user can read, never in an argument list.
    let (password_file, script, passes) = (folder.join("password"), folder.join("setup.sql"), folder.join("pgpass"));
    private_file(identity, &password_file, &administrator).map_err(failed)?;
    private_file(identity, &script, &setup(&recipe.spec)).map_err(failed)?;
    private_file(identity, &passes, &format!("*:*:*:{ADMINISTRATOR}:{administrator}\n")).map_err(failed)?;

    let data = data(folder);
    let initdb = [
        "-D",
        &data,
        "-U",
        ADMINISTRATOR,
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
        "-A",
        "scram-sha-256",
        "--no-sync",
        "--no-instructions",
    ];
    let mut initdb: Vec<String> = initdb.into_iter().map(str::to_owned).collect();
    initdb.push(format!("--pwfile={}", password_file.display()));
    let run = Run {
        runtime,
        installation,
        identity,
        folder,
    };
    run.to_end("initdb", initdb).await?;
    fs::write(
        folder.join("data/postgresql.auto.conf"),
        configuration(&recipe.endpoint),
    )
    .map_err(failed)?;
    fs::write(
        folder.join("data/pg_hba.conf"),
        "host all all 127.0.0.0/8 scram-sha-256\n",
    )
    .map_err(failed)?;

    let mut server = start(runtime, installation, identity, folder).await?;
    server.ready().await?;
    let (host, port) = (recipe.endpoint.host.to_string(), recipe.endpoint.port.to_string());
    let script_path = script.to_string_lossy();
    let psql = [
        "-X",
        "-q",
        "-v",
        "ON_ERROR_STOP=1",
        "-h",
        &host,
        "-p",
        &port,
        "-U",
        ADMINISTRATOR,
        "-d",
        "postgres",
        "-f",
        &script_path,
    ];
    let set_up = run.to_end("psql", psql.into_iter().map(str::to_owned).collect()).await;
    for secret in [&password_file, &script, &passes] {
        fs::remove_file(secret).map_err(failed)?;
    }
    set_up?;
    stop(runtime, installation, identity, folder, &server.process).await
}

/// A server that was started.
pub(super) struct Server {
    pub(super) process: Process,
    lines: mpsc::UnboundedReceiver<LogLine>,
    /// What it printed last, for when it fails.
    last: Vec<String>,
}

impl Server {
    /// Waits until clients may connect, through any recovery; an error when the server ends instead.
    pub(super) async fn ready(&mut self) -> Result<(), RdsError> {
        while let Some(line) = self.lines.recv().await {
            let ready = line.text.ends_with(READY);
            self.note(line.text);
            if ready {
                return Ok(());
            }
        }
        self.process.wait().await;
        Err(RdsError::Program {
            program: "postgres",
            output: self.last_words(),
        })
    }

    /// Reads the log until the server ends.
    pub(super) async fn drained(&mut self) {
        while let Some(line) = self.lines.recv().await {
            self.note(line.text);
        }
        self.process.wait().await;
    }

    pub(super) fn last_words(&self) -> String {
        self.last.join("; ")
    }

    fn note(&mut self, text: String) {
        tracing::debug!(pid = self.process.pid(), "{text}");
        if self.last.len() == 10 {
            self.last.remove(0);
        }
        self.last.push(text);
    }
}

/// Starts the server of a cluster in the foreground, so that it dies with the sandbox.
pub(super) async fn start(
    runtime: &Arc<Runtime>,
    installation: &Installation,
    identity: &Identity,
    folder: &Path,
) -> Result<Server, RdsError> {
    let run = Run {
        runtime,
        installation,
        identity,
        folder,
    };
    let (process, lines) = run.spawn("postgres", vec!["-D".to_owned(), data(folder)]).await?;
    Ok(Server {
        process,
        lines,
        last: Vec::new(),
    })
}

/// Disconnects every client and shuts down; after a minute of that, ends it.
pub(super) async fn stop(
    runtime: &Arc<Runtime>,
    installation: &Installation,
    identity: &Identity,
    folder: &Path,
    process: &Process,
) -> Result<(), RdsError> {
    let run = Run {
        runtime,
        installation,
        identity,
        folder,
    };
    let arguments = ["stop", "-D", &data(folder), "-m", "fast", "-w", "-t", "60", "-s"].map(str::to_owned);
    let stopped = run.to_end("pg_ctl", arguments.to_vec()).await;
    if stopped.is_err() {
        process.kill();
    }
    process.wait().await;
    Ok(())
}

struct Run<'a> {
    runtime: &'a Arc<Runtime>,
    installation: &'a Installation,
    identity: &'a Identity,
    folder: &'a Path,
}

impl Run<'_> {
    async fn to_end(&self, program: &'static str, arguments: Vec<String>) -> Result<(), RdsError> {
        let (process, mut lines) = self.spawn(program, arguments).await?;
        let mut output = Vec::new();
        while let Some(line) = lines.recv().await {
            output.push(line.text);
        }
        if process.wait().await.code == 0 {
            return Ok(());
        }
        Err(RdsError::Program {
            program,
            output: output.join("; "),
        })
    }

    async fn spawn(
        &self,
        program: &'static str,
        arguments: Vec<String>,
    ) -> Result<(Process, mpsc::UnboundedReceiver<LogLine>), RdsError> {
        let mut command = self.identity.prefix();
        command.push(self.installation.program(program));
        command.extend(arguments);
        let (sender, lines) = mpsc::unbounded_channel();
        let path = std::env::var("PATH").unwrap_or_default();
        let environment = [
            ("PATH", path),
            // Messages are read, so they must be in one language.
            ("LC_ALL", "C.UTF-8".to_owned()),
            ("TZ", "UTC".to_owned()),
            ("PGPASSFILE", self.folder.join("pgpass").to_string_lossy().into_owned()),
        ];
        let spec = ProcessSpec {
            rootfs: PathBuf::from("/"),
            command,
            environment: environment.map(|(name, value)| (name.to_owned(), value)).to_vec(),
            working_dir: PathBuf::from("/"),
            address: std::net::Ipv4Addr::LOCALHOST,
            lines: sender,
        };
        let process = self
            .runtime
            .spawn(spec)
            .await
            .map_err(|cause| RdsError::Spawn { program, cause })?;
        Ok((process, lines))
    }
}

/// Without fsync a commit is in the page cache when it is acknowledged, which a killed process cannot take back.
fn configuration(endpoint: &Endpoint) -> String {
    format!(
        "listen_addresses = '{}'\nport = {}\nunix_socket_directories = ''\nfsync = off\nfull_page_writes = off\n\
         max_connections = 200\nlog_min_messages = warning\ntimezone = 'UTC'\n",
        endpoint.host, endpoint.port
    )
}

/// Names were checked to be plain, and the password to be printable.
fn setup(spec: &InstanceSpec) -> String {
    let (username, password) = (&spec.username, spec.password.replace('\'', "''"));
    let mut script = format!(
        "CREATE ROLE rds_superuser NOLOGIN;\n\
         GRANT pg_monitor, pg_signal_backend, pg_checkpoint TO rds_superuser;\n\
         CREATE ROLE \"{username}\" LOGIN CREATEDB CREATEROLE PASSWORD '{password}';\n\
         GRANT rds_superuser TO \"{username}\";\n"
    );
    if let Some(name) = spec.db_name.as_ref().filter(|name| *name != "postgres") {
        // Writing to a String cannot fail.
        writeln!(script, "CREATE DATABASE \"{name}\" OWNER \"{username}\";").unwrap_or_default();
    }
    script
}

fn data(folder: &Path) -> String {
    folder.join("data").to_string_lossy().into_owned()
}

fn private_file(identity: &Identity, path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    io::Write::write_all(&mut file, text.as_bytes())?;
    identity.give(path)
}
