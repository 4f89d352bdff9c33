//! A private PostgreSQL for this test process, and an empty database in it for every test.
//!
//! It listens on a socket in its own temporary folder. A shell holds it: when the pipe from this process closes, which
//! happens however the process ends, the shell stops the server and removes the folder.

use std::{
    env, fs,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tt_migrate::PgConnectOptions;

/// With `SMALL`, the folder `small` in it is a disk with so little room, in a mount namespace of the shell's own.
const KEEP: &str = r#"
trap '' INT TERM HUP
if [ -n "$SMALL" ]; then
    mkdir "$FOLDER/small" && mount -t tmpfs -o "$SMALL" tmpfs "$FOLDER/small" || { rm -rf "$FOLDER"; exit 1; }
fi
"$@" &
server=$!
read -r _
kill -TERM "$server" 2>/dev/null
kill -QUIT "$server" 2>/dev/null
wait "$server"
[ -z "$SMALL" ] || umount "$FOLDER/small"
rm -rf "$FOLDER"
"#;

const SETTINGS: [&str; 6] = [
    "listen_addresses=",
    "max_connections=200",
    "autovacuum=off",
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
];

struct Server {
    folder: PathBuf,
    /// Its standard input is the pipe.
    _keeper: Child,
}

/// Whether the server has a tablespace `small` beside its data.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Disks {
    One,
    OneAndASmallOne,
}

/// Room on the small disk.
const SMALL: &str = "size=4m";

/// The database of one test.
pub(crate) struct Database {
    /// The server's.
    folder: &'static Path,
    name: String,
}

impl Database {
    pub(crate) async fn empty() -> Self {
        Self::made(folder(), "").await
    }

    /// On a server of its own, with a tablespace `small` of 4 MB; none where this user may not mount a disk.
    #[allow(dead_code, reason = "the benchmark, which shares this file, has room enough")]
    pub(crate) async fn with_a_small_disk() -> Option<Self> {
        static SERVER: OnceLock<Option<Server>> = OnceLock::new();
        let server = SERVER.get_or_init(|| start(Disks::OneAndASmallOne).ok()).as_ref()?;
        let database = Self::made(&server.folder, "").await;
        let small = server.folder.join("small");
        database
            .execute(&format!("create tablespace small location '{}'", small.display()))
            .await;
        Some(database)
    }

    /// A copy of everything in it.
    #[allow(dead_code, reason = "only the benchmark, which shares this file, needs copies")]
    pub(crate) async fn copy(&self) -> Self {
        Self::made(self.folder, &format!("template {}", self.name)).await
    }

    /// Takes it away, for room on the disk.
    #[allow(
        dead_code,
        reason = "only the benchmark, which shares this file, makes databases that large"
    )]
    pub(crate) async fn drop(self) {
        let mut connection = connect(self.folder, "postgres").await;
        execute(&mut connection, &format!("drop database {} with (force)", self.name)).await;
        connection.close().await.unwrap();
    }

    async fn made(folder: &'static Path, options: &str) -> Self {
        let name = format!("t_{:016x}", rand::random::<u64>());
        let mut connection = connect(folder, "postgres").await;
        execute(
            &mut connection,
            &format!("create database {name} {options} strategy file_copy"),
        )
        .await;
        connection.close().await.unwrap();
        Self { folder, name }
    }

    /// With a table `t (id, a)` of so many rows.
    #[allow(dead_code, reason = "the benchmark, which shares this file, has a table of its own")]
    pub(crate) async fn with_rows(rows: u32) -> Self {
        let database = Self::empty().await;
        database
            .execute(&format!(
                "create table t (id bigint primary key, a int);\
                 insert into t select n, n from generate_series(1, {rows}) n; analyze t"
            ))
            .await;
        database
    }

    pub(crate) fn url(&self) -> String {
        url(self.folder, &self.name)
    }

    pub(crate) fn target(&self) -> PgConnectOptions {
        tt_migrate::target(&self.url()).unwrap()
    }

    /// The same database by way of an address that leads to the server.
    #[allow(
        dead_code,
        reason = "the benchmark, which shares this file, goes straight to the server"
    )]
    pub(crate) fn target_by(&self, address: std::net::SocketAddr) -> PgConnectOptions {
        tt_migrate::target(&format!("postgres://postgres@{address}/{}?sslmode=disable", self.name)).unwrap()
    }

    /// A session that the engine knows nothing of.
    pub(crate) async fn connect(&self) -> PgConnection {
        connect(self.folder, &self.name).await
    }

    pub(crate) async fn execute(&self, sql: &str) {
        let mut connection = self.connect().await;
        execute(&mut connection, sql).await;
        connection.close().await.unwrap();
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let mut connection = self.connect().await;
        let number = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
            .fetch_one(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        number
    }
}

pub(crate) async fn execute(connection: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(connection)
        .await
        .unwrap();
}

async fn connect(folder: &Path, database: &str) -> PgConnection {
    PgConnection::connect(&url(folder, database)).await.unwrap()
}

fn url(folder: &Path, database: &str) -> String {
    format!("postgres://postgres@localhost/{database}?host={}", folder.display())
}

/// Where the server's socket is.
#[allow(
    dead_code,
    reason = "the benchmark, which shares this file, goes straight to the server"
)]
pub(crate) fn socket() -> PathBuf {
    folder().join(".s.PGSQL.5432")
}

fn folder() -> &'static Path {
    static SERVER: OnceLock<Server> = OnceLock::new();
    let server = SERVER.get_or_init(|| start(Disks::One).expect("a server of our own"));
    &server.folder
}

/// Or what it said instead.
fn start(disks: Disks) -> Result<Server, String> {
    let binaries = binaries().expect("PostgreSQL is needed for this test: apt-get install postgresql");
    let folder = env::temp_dir().join(format!("tt-migrate-{:016x}", rand::random::<u64>()));
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    let user = user(&folder);
    let (data, log) = (folder.join("data"), folder.join("log"));
    let made = program(&user.before_a_program(Disks::One), &binaries.join("initdb"))
        .args([
            "--no-sync",
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "-D",
        ])
        .arg(&data)
        .current_dir("/")
        .output()
        .expect("initdb can be run");
    assert!(
        made.status.success(),
        "initdb: {}",
        String::from_utf8_lossy(&made.stderr)
    );

    let mut keeper = user
        .shell(disks)
        .args(["-c", KEEP, "keeper"])
        .args(user.before_a_program(disks))
        .arg(binaries.join("postgres"))
        .arg("-D")
        .arg(&data)
        .arg("-k")
        .arg(&folder)
        .args(SETTINGS.iter().flat_map(|setting| ["-c", setting]))
        .env("FOLDER", &folder)
        .env("SMALL", user.options_of_the_small_disk(disks))
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .map_err(|error| format!("PostgreSQL's shell cannot be run: {error}"))?;
    let deadline = Instant::now() + Duration::from_mins(1);
    // The eighth line of postmaster.pid is the server's state, which `pg_ctl --wait` looks at too.
    let ready = || {
        fs::read_to_string(data.join("postmaster.pid"))
            .is_ok_and(|text| text.lines().nth(7).is_some_and(|line| line.trim() == "ready"))
    };
    while !ready() {
        if Instant::now() >= deadline || keeper.try_wait().unwrap().is_some() {
            let said = fs::read_to_string(&log).unwrap_or_default();
            return Err(format!("PostgreSQL did not start: {said}"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(Server {
        folder,
        _keeper: keeper,
    })
}

fn program(prefix: &[String], program: &Path) -> Command {
    let Some((first, rest)) = prefix.split_first() else {
        return Command::new(program);
    };
    let mut command = Command::new(first);
    command.args(rest).arg(program);
    command
}

/// On PATH, or where Debian keeps them; the highest version wins.
fn binaries() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let debian = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(Result::ok);
    let mut versions: Vec<(u32, PathBuf)> = debian
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort();
    let installed = versions.into_iter().rev().map(|(_, folder)| folder);
    env::split_paths(&path)
        .chain(installed)
        .find(|folder| folder.join("initdb").exists())
}

/// PostgreSQL refuses to run as root.
enum User {
    /// Who runs the tests.
    Ours { uid: u32, gid: u32 },
    /// Somebody without rights, because root runs the tests.
    Other { uid: u32, gid: u32 },
}

fn user(folder: &Path) -> User {
    let id = |arguments: &[&str]| -> Option<u32> {
        let output = Command::new("id").args(arguments).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    let (uid, gid) = (id(&["-u"]).expect("`id` answers"), id(&["-g"]).expect("`id` answers"));
    if uid != 0 {
        return User::Ours { uid, gid };
    }
    let (uid, gid) = ["postgres", "nobody"]
        .iter()
        .find_map(|user| Some((id(&["-u", user])?, id(&["-g", user])?)))
        .expect("a user `postgres` or `nobody`");
    chown(folder, Some(uid), Some(gid)).unwrap();
    User::Other { uid, gid }
}

impl User {
    /// The shell that holds the server. Whoever is not root may mount a disk as the root of a user namespace.
    fn shell(&self, disks: Disks) -> Command {
        if disks == Disks::One {
            return Command::new("sh");
        }
        let mut command = Command::new("unshare");
        if matches!(self, Self::Ours { .. }) {
            command.args(["--user", "--map-root-user"]);
        }
        command.args(["--mount", "sh"]);
        command
    }

    /// What stands before PostgreSQL's programs so that they do not run as root.
    fn before_a_program(&self, disks: Disks) -> Vec<String> {
        match (self, disks) {
            (Self::Ours { .. }, Disks::One) => Vec::new(),
            (Self::Ours { uid, gid }, Disks::OneAndASmallOne) => vec![
                "unshare".to_owned(),
                "--user".to_owned(),
                format!("--map-user={uid}"),
                format!("--map-group={gid}"),
                "--".to_owned(),
            ],
            (Self::Other { uid, gid }, _) => vec![
                "setpriv".to_owned(),
                format!("--reuid={uid}"),
                format!("--regid={gid}"),
                "--clear-groups".to_owned(),
                "--pdeathsig=QUIT".to_owned(),
                "--".to_owned(),
            ],
        }
    }

    fn options_of_the_small_disk(&self, disks: Disks) -> String {
        match (self, disks) {
            (_, Disks::One) => String::new(),
            (Self::Ours { .. }, Disks::OneAndASmallOne) => format!("{SMALL},mode=0700"),
            (Self::Other { uid, gid }, Disks::OneAndASmallOne) => format!("{SMALL},mode=0700,uid={uid},gid={gid}"),
        }
    }
}
