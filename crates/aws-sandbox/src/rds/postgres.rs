//! One PostgreSQL cluster on disk: how it is made, and how its server is run.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::Rng as _;
use rand::distr::Alphanumeric;
use tokio::sync::mpsc;

use super::Endpoint;
use super::error::RdsError;
use super::installation::Installation;
use super::instance::InstanceSpec;
use super::privilege::Identity;
use crate::runtime::{LogLine, Process, ProcessSpec, Runtime};

/// The superuser, who belongs to RDS; the master user is not one (Amazon RDS User Guide, "Master user account privileges").
pub(super) const ADMINISTRATOR: &str = "rdsadmin";
/// What a server prints when clients may come.
const READY: &str = "database system is ready to accept connections";

/// Without fsync a commit is in the page cache when it is acknowledged, which a killed process cannot take back.
const CONFIGURATION: &str = "\
unix_socket_directories = ''
fsync = off
full_page_writes = off
max_connections = 200
log_min_messages = warning
timezone = 'UTC'
";
/// Every user needs a password, even from this machine.
const WHO_MAY_CONNECT: &str = "host all all 127.0.0.0/8 scram-sha-256\n";

/// The files of one instance, and what it takes to run programs on them.
pub(super) struct Cluster {
    pub(super) runtime: Arc<Runtime>,
    pub(super) installation: Installation,
    pub(super) identity: Identity,
    pub(super) folder: PathBuf,
    pub(super) endpoint: Endpoint,
}

impl Cluster {
    /// Makes the cluster, its master user and its database, and leaves it shut down.
    pub(super) async fn make(&self, spec: &InstanceSpec) -> Result<(), RdsError> {
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&self.folder)
            .and_then(|()| self.identity.give(&self.folder))
            .map_err(|cause| self.refused(cause))?;
        let administrator: String = rand::rng().sample_iter(Alphanumeric).take(32).map(char::from).collect();
        // Passwords travel in files that only this user can read, never in an argument list.
        self.write_private(&self.passes(), &format!("*:*:*:{ADMINISTRATOR}:{administrator}\n"))?;
        let password = self.folder.join("password");
        self.write_private(&password, &administrator)?;
        let data = self.data();
        let mut options = vec!["-D", &data, "-U", ADMINISTRATOR, "-A", "scram-sha-256", "-E", "UTF8"];
        options.extend(["--locale=C.UTF-8", "--no-sync", "--no-instructions"]);
        let file = format!("--pwfile={}", password.display());
        options.push(&file);
        let made = self.run("initdb", &options).await;
        fs::remove_file(&password).map_err(|cause| self.refused(cause))?;
        made?;
        for (name, text) in [
            ("postgresql.auto.conf", CONFIGURATION),
            ("pg_hba.conf", WHO_MAY_CONNECT),
        ] {
            fs::write(self.folder.join("data").join(name), text).map_err(|cause| self.refused(cause))?;
        }
        let mut server = self.start().await?;
        server.ready().await?;
        self.execute(&setup(spec)).await?;
        self.stop(&server.process).await
    }

    /// Starts the server in the foreground, so that it dies with the sandbox.
    pub(super) async fn start(&self) -> Result<Server, RdsError> {
        self.unlock();
        let (host, port) = (self.endpoint.host.to_string(), self.endpoint.port.to_string());
        let listen = format!("listen_addresses={host}");
        let (process, lines) = self
            .spawn("postgres", &["-D", &self.data(), "-p", &port, "-c", &listen])
            .await?;
        Ok(Server {
            process,
            lines,
            last: Vec::new(),
        })
    }

    /// Disconnects every client and shuts down; a server that has not gone after a minute is ended.
    pub(super) async fn stop(&self, process: &Process) -> Result<(), RdsError> {
        let stopped = self
            .run(
                "pg_ctl",
                &["stop", "-D", &self.data(), "-m", "fast", "-w", "-t", "60", "-s"],
            )
            .await;
        if stopped.is_err() {
            process.kill();
        }
        process.wait().await;
        Ok(())
    }

    /// Gives a user another password, on a running server.
    pub(super) async fn set_password(&self, username: &str, password: &str) -> Result<(), RdsError> {
        self.execute(&format!("ALTER ROLE \"{username}\" PASSWORD '{}';\n", quoted(password)))
            .await
    }

    /// Runs statements as the administrator.
    async fn execute(&self, statements: &str) -> Result<(), RdsError> {
        let script = self.folder.join(format!("{}.sql", uuid::Uuid::new_v4().simple()));
        self.write_private(&script, statements)?;
        let (host, port) = (self.endpoint.host.to_string(), self.endpoint.port.to_string());
        let path = script.to_string_lossy();
        let mut options = vec!["-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", &host, "-p", &port];
        options.extend(["-U", ADMINISTRATOR, "-d", "postgres", "-f", &path]);
        let executed = self.run("psql", &options).await;
        fs::remove_file(&script).map_err(|cause| self.refused(cause))?;
        executed
    }

    async fn run(&self, program: &'static str, options: &[&str]) -> Result<(), RdsError> {
        let (process, mut lines) = self.spawn(program, options).await?;
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
        options: &[&str],
    ) -> Result<(Process, mpsc::UnboundedReceiver<LogLine>), RdsError> {
        let mut command = self.identity.prefix();
        command.push(self.installation.program(program));
        command.extend(options.iter().map(|option| (*option).to_owned()));
        let (sender, lines) = mpsc::unbounded_channel();
        let environment = [
            ("PATH", std::env::var("PATH").unwrap_or_default()),
            // Messages are read, so they must be in one language.
            ("LC_ALL", "C.UTF-8".to_owned()),
            ("TZ", "UTC".to_owned()),
            ("PGPASSFILE", self.passes().to_string_lossy().into_owned()),
        ];
        let spec = ProcessSpec {
            rootfs: PathBuf::from("/"),
            command,
            environment: environment.map(|(name, value)| (name.to_owned(), value)).to_vec(),
            working_dir: PathBuf::from("/"),
            address: Ipv4Addr::LOCALHOST,
            lines: sender,
        };
        let process = self
            .runtime
            .spawn(spec)
            .await
            .map_err(|cause| RdsError::Spawn { program, cause })?;
        Ok((process, lines))
    }

    /// Removes the lock that a killed server left. PostgreSQL would do so itself, but takes a dead process that nobody
    /// reaped, as in a container without an init, for a living one. Its processes have the data folder as their own
    /// (postgres chdirs there), so while one lives the lock stays.
    fn unlock(&self) {
        let data = self.folder.join("data");
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let lives = processes
            .filter_map(|process| fs::read_link(process.path().join("cwd")).ok())
            .any(|cwd| cwd == data);
        if !lives {
            // No lock is the usual case.
            fs::remove_file(data.join("postmaster.pid")).unwrap_or_default();
        }
    }

    fn data(&self) -> String {
        self.folder.join("data").to_string_lossy().into_owned()
    }

    /// The administrator's password, for the sandbox's own connections.
    fn passes(&self) -> PathBuf {
        self.folder.join("pgpass")
    }

    fn write_private(&self, path: &Path, text: &str) -> Result<(), RdsError> {
        let write = || {
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)?;
            io::Write::write_all(&mut file, text.as_bytes())?;
            self.identity.give(path)
        };
        write().map_err(|cause| self.refused(cause))
    }

    fn refused(&self, cause: io::Error) -> RdsError {
        RdsError::Folder {
            path: self.folder.clone(),
            cause,
        }
    }
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
        Err(self.ended().await)
    }

    /// Reads the log until the server ends by itself.
    pub(super) async fn until_end(&mut self) -> RdsError {
        while let Some(line) = self.lines.recv().await {
            self.note(line.text);
        }
        self.ended().await
    }

    async fn ended(&self) -> RdsError {
        self.process.wait().await;
        RdsError::Program {
            program: "postgres",
            output: self.last.join("; "),
        }
    }

    fn note(&mut self, text: String) {
        tracing::debug!(pid = self.process.pid(), "{text}");
        if self.last.len() == 10 {
            self.last.remove(0);
        }
        self.last.push(text);
    }
}

/// Names were checked to be plain, and the password to be printable.
fn setup(spec: &InstanceSpec) -> String {
    let (username, password) = (&spec.username, quoted(&spec.password));
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

fn quoted(text: &str) -> String {
    text.replace('\'', "''")
}
