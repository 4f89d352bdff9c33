//! One PostgreSQL cluster on disk: how it is made, and how its server is run.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rand::Rng as _;
use rand::distr::Alphanumeric;
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::mpsc;

use super::config::{self, Archiving};
use super::error::RdsError;
use super::instance::{InstanceSpec, Replay};
use super::privilege::Identity;
use super::programs::Programs;
use super::{Endpoint, pace};
use crate::runtime::{LogLine, Process};

/// The superuser, who belongs to RDS; the master user is not one (Amazon RDS User Guide, "Master user account privileges").
pub(super) const ADMINISTRATOR: &str = "rdsadmin";
/// What a server prints when clients may come.
const READY: &str = "database system is ready to accept connections";

/// How long a closed piece of the log may take to be saved before something is wrong.
const SAVING: Duration = Duration::from_secs(30);
const TICK: Duration = Duration::from_millis(10);

/// The files of one instance, and what it takes to run programs on them.
pub(super) struct Cluster {
    pub(super) programs: Programs,
    pub(super) folder: PathBuf,
    pub(super) endpoint: Endpoint,
    pub(super) archiving: Archiving,
}

impl Cluster {
    /// Makes the cluster, its master user and its database, and leaves it shut down.
    pub(super) async fn make(&self, spec: &InstanceSpec) -> Result<(), RdsError> {
        create_folder(&self.folder, &self.programs.identity)?;
        let administrator: String = rand::rng().sample_iter(Alphanumeric).take(32).map(char::from).collect();
        // Passwords travel in files that only this user can read, never in an argument list.
        self.write_private(&self.passes(), &format!("*:*:*:{ADMINISTRATOR}:{administrator}\n"))?;
        let password = self.folder.join("password");
        self.write_private(&password, &administrator)?;
        let data = self.data();
        let mut options = vec!["-D", &data, "-U", ADMINISTRATOR, "-A", "scram-sha-256", "-E", "UTF8"];
        // Small pieces of the log: what is saved every few minutes is mostly empty.
        options.extend(["--locale=C.UTF-8", "--no-sync", "--no-instructions", "--wal-segsize=1"]);
        let file = format!("--pwfile={}", password.display());
        options.push(&file);
        let made = self.run("initdb", &options).await;
        fs::remove_file(&password).map_err(|cause| self.refused(cause))?;
        made?;
        let mut server = self.start(None).await?;
        server.ready().await?;
        self.execute(&setup(spec)).await?;
        self.stop(&server.process).await
    }

    /// Fills a new cluster from a base backup, follows the log as far as is wanted, and leaves it shut down.
    pub(super) async fn restore(&self, base: &Path, replay: Option<&Replay>) -> Result<(), RdsError> {
        copy_base(&self.programs, base, &self.folder).await?;
        if replay.is_some() {
            self.write_private(&self.folder.join("data/recovery.signal"), "")?;
        }
        let mut server = self.start(replay).await?;
        server.ready().await?;
        self.stop(&server.process).await
    }

    /// Copies the running cluster into an empty folder; `progress` hears the percentage.
    pub(super) async fn back_up(&self, to: &Path, mut progress: impl FnMut(u8)) -> Result<(), RdsError> {
        create_folder(to, &self.programs.identity)?;
        let passes = fs::read_to_string(self.passes()).map_err(|cause| self.refused(cause))?;
        self.write_private(&to.join("pgpass"), &passes)?;
        let (host, port) = (self.endpoint.host.to_string(), self.endpoint.port.to_string());
        let data = to.join("data").to_string_lossy().into_owned();
        let mut options = vec!["-D", &data, "-h", &host, "-p", &port, "-U", ADMINISTRATOR, "-w"];
        options.extend(["-X", "stream", "-c", "fast", "--no-sync", "--no-manifest", "-P"]);
        let heard = |line: &str| pace::percent_of(line).into_iter().for_each(&mut progress);
        self.programs
            .listen("pg_basebackup", &options, &self.passes(), heard)
            .await
            .map(drop)
    }

    /// Closes the current piece of the log and waits until it is saved. Everything that had committed when this was called
    /// is then in the saved log, and so is one commit from after it, by which recovery knows that it has seen everything.
    pub(super) async fn save_log(&self, log: &Path) -> Result<(), RdsError> {
        let statements = "SELECT pg_current_xact_id();\nSELECT pg_walfile_name(pg_switch_wal());\n";
        let printed = self.query("postgres", statements).await?;
        let name = printed.last().map(String::as_str).unwrap_or_default();
        let saved = log.join(name);
        let deadline = Instant::now() + SAVING;
        while !saved.exists() {
            if Instant::now() > deadline {
                return Err(RdsError::LogNotSaved { piece: name.to_owned() });
            }
            tokio::time::sleep(TICK).await;
        }
        Ok(())
    }

    /// Lets a running server take up changed settings.
    pub(super) async fn reload(&self) -> Result<(), RdsError> {
        self.configure(None)?;
        self.run("pg_ctl", &["reload", "-D", &self.data(), "-s"]).await
    }

    /// Starts the server in the foreground, so that it dies with the sandbox.
    pub(super) async fn start(&self, replay: Option<&Replay>) -> Result<Server, RdsError> {
        self.unlock();
        self.configure(replay)?;
        let (host, port) = (self.endpoint.host.to_string(), self.endpoint.port.to_string());
        let listen = format!("listen_addresses={host}");
        let options = ["-D", &self.data(), "-p", &port, "-c", &listen];
        let (process, lines) = self.programs.start("postgres", &options, &self.passes()).await?;
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
        self.query("postgres", statements).await.map(drop)
    }

    /// The same in one database, with what they answer, a row a line.
    async fn query(&self, database: &str, statements: &str) -> Result<Vec<String>, RdsError> {
        let script = self.folder.join(format!("{}.sql", uuid::Uuid::new_v4().simple()));
        self.write_private(&script, statements)?;
        let (host, port) = (self.endpoint.host.to_string(), self.endpoint.port.to_string());
        let path = script.to_string_lossy();
        let mut options = vec![
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            &host,
            "-p",
            &port,
        ];
        options.extend(["-U", ADMINISTRATOR, "-d", database, "-f", &path]);
        let answered = self.programs.listen("psql", &options, &self.passes(), |_| ()).await;
        fs::remove_file(&script).map_err(|cause| self.refused(cause))?;
        answered
    }

    async fn run(&self, program: &'static str, options: &[&str]) -> Result<(), RdsError> {
        self.programs.run(program, options, &self.passes()).await
    }

    fn configure(&self, replay: Option<&Replay>) -> Result<(), RdsError> {
        let texts = [
            ("postgresql.auto.conf", config::text(&self.archiving, replay)),
            ("pg_hba.conf", config::WHO_MAY_CONNECT.to_owned()),
        ];
        for (name, text) in texts {
            fs::write(self.folder.join("data").join(name), text).map_err(|cause| self.refused(cause))?;
        }
        Ok(())
    }

    /// Removes the lock that a killed server left. PostgreSQL would do so itself, but takes a dead process that nobody
    /// reaped, as in a container without an init, for a living one. Its processes have the data folder as their own
    /// (postgres chdirs there), so while one lives the lock stays.
    fn unlock(&self) {
        let lives = self.processes().next().is_some();
        if !lives {
            // No lock is the usual case.
            fs::remove_file(self.folder.join("data/postmaster.pid")).unwrap_or_default();
        }
    }

    /// Ends every process of the server at once, as the loss of its machine would.
    pub(super) async fn crash(&self, process: &Process) {
        process.kill();
        // Each connection's process leads a group of its own.
        for pid in self.processes() {
            // One may have gone by itself meanwhile.
            kill_process(pid, Signal::KILL).unwrap_or_default();
        }
        process.wait().await;
    }

    /// The server's processes have the data folder as their own.
    fn processes(&self) -> impl Iterator<Item = Pid> {
        let data = self.folder.join("data");
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        entries
            .filter(move |entry| fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == data))
            .filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
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
            self.programs.identity.give(path)
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

/// A folder that only the databases' user can read.
pub(super) fn create_folder(path: &Path, identity: &Identity) -> Result<(), RdsError> {
    fs::DirBuilder::new()
        .mode(0o700)
        .create(path)
        .and_then(|()| identity.give(path))
        .map_err(|cause| RdsError::Folder {
            path: path.to_owned(),
            cause,
        })
}

/// Copies a base backup: the data, and the password of the administrator in it.
pub(super) async fn copy_base(programs: &Programs, from: &Path, to: &Path) -> Result<(), RdsError> {
    create_folder(to, &programs.identity)?;
    for name in ["pgpass", "data"] {
        programs.copy(&from.join(name), &to.join(name)).await?;
    }
    Ok(())
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

/// On RDS the master user may install amcheck, which PostgreSQL itself leaves to superusers; so every database has it from the
/// start, where it is installed (Amazon RDS for PostgreSQL Release Notes, "Extension versions").
const AMCHECK: &str = "\
SELECT count(*) > 0 AS present FROM pg_available_extensions WHERE name = 'amcheck' \\gset
\\if :present
\\connect template1
CREATE EXTENSION amcheck;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO rds_superuser;
\\connect postgres
CREATE EXTENSION amcheck;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO rds_superuser;
\\endif
";

/// Names were checked to be plain, and the password to be printable.
fn setup(spec: &InstanceSpec) -> String {
    let (username, password) = (&spec.username, quoted(&spec.password));
    let mut script = format!(
        "CREATE ROLE rds_superuser NOLOGIN;\n\
         GRANT pg_monitor, pg_signal_backend, pg_checkpoint TO rds_superuser;\n\
         CREATE ROLE \"{username}\" LOGIN CREATEDB CREATEROLE PASSWORD '{password}';\n\
         GRANT rds_superuser TO \"{username}\";\n\
         {AMCHECK}"
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
