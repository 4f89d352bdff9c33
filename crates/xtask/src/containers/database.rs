//! A PostgreSQL of the system for containers without a network: it listens on a Unix socket, and nowhere else.

use std::{
    env, fs, io,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    time::{Duration, Instant},
};

use crate::{child::Child, failure::Failure, interrupt::Interrupt, local::log_file, said::said, setup};

const PATIENCE: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(50);
/// PostgreSQL refuses to run as root.
const NOBODY: u32 = 65534;
const SOCKET: &str = ".s.PGSQL.5432";

/// A running server; dropping it ends it and removes its data.
#[derive(Debug)]
pub(super) struct Database {
    folder: PathBuf,
    password: String,
    /// Nothing only while it is being dropped.
    server: Option<Child>,
}

impl Database {
    pub(super) fn start(interrupt: &Interrupt) -> Result<Self, Failure> {
        let folder = env::temp_dir().join(format!("task-tracker-database-{}", process::id()));
        let mut database = Self {
            password: random_word()?,
            server: None,
            folder,
        };
        let (data, password_file) = (database.folder.join("data"), database.folder.join("password"));
        let write = |cause| Failure::Write {
            path: database.folder.clone(),
            cause,
        };
        fs::create_dir_all(database.sockets()).map_err(write)?;
        fs::write(&password_file, &database.password).map_err(write)?;
        fs::set_permissions(&password_file, fs::Permissions::from_mode(0o600)).map_err(write)?;
        for path in [&database.folder, &database.sockets(), &password_file] {
            chown(path, Some(NOBODY), Some(NOBODY)).map_err(write)?;
        }
        let programs = setup::server_programs_here()?;
        let mut initdb = as_nobody(&programs.join("initdb"));
        initdb
            .args([
                "--username=task_tracker",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--no-sync",
            ])
            .arg(format!("--pwfile={}", password_file.display()))
            .arg(format!("--pgdata={}", data.display()))
            .current_dir("/");
        said("initdb", &mut initdb, interrupt)?;

        let log = database.folder.join("postgres.log");
        let (out, err) = log_file(&log)?;
        let mut server = as_nobody(&programs.join("postgres"));
        server
            .arg("-D")
            .arg(&data)
            .args(["-c", "listen_addresses=", "-c", "fsync=off", "-c"])
            .arg(format!("unix_socket_directories={}", database.sockets().display()))
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err);
        database.server = Some(Child::start("postgres", server)?.logged(&log));
        database.wait(interrupt)?;
        Ok(database)
    }

    /// The folder of its socket, to be mounted at [`Database::MOUNTED`].
    pub(super) fn sockets(&self) -> PathBuf {
        self.folder.join("sockets")
    }

    pub(super) const MOUNTED: &str = "/database";

    /// For a container that has the socket's folder.
    pub(super) fn url(&self) -> String {
        format!(
            "postgres://task_tracker:{}@localhost/postgres?host={}",
            self.password,
            Self::MOUNTED
        )
    }

    fn wait(&mut self, interrupt: &Interrupt) -> Result<(), Failure> {
        let until = Instant::now() + PATIENCE;
        while !self.sockets().join(SOCKET).exists() {
            if let Some(server) = &mut self.server
                && let Some(status) = server.ended()?
            {
                return Err(server.failed(status));
            }
            if Instant::now() >= until {
                return Err(Failure::TooLong {
                    program: "postgres".to_owned(),
                    limit: PATIENCE,
                });
            }
            interrupt.pause(LOOK)?;
        }
        Ok(())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        drop(self.server.take());
        let _left = fs::remove_dir_all(&self.folder);
    }
}

fn as_nobody(program: &Path) -> Command {
    let id = NOBODY.to_string();
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid", &id, "--regid", &id, "--clear-groups", "--"])
        .arg(program);
    command
}

fn random_word() -> Result<String, Failure> {
    let path = PathBuf::from("/dev/urandom");
    let mut bytes = [0; 16];
    let read = fs::File::open(&path).and_then(|mut random| io::Read::read_exact(&mut random, &mut bytes));
    match read {
        Ok(()) => Ok(format!("{:032x}", u128::from_ne_bytes(bytes))),
        Err(cause) => Err(Failure::Read { path, cause }),
    }
}
