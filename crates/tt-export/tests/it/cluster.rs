//! A private PostgreSQL for this test process, on a socket in a folder of its own.
//!
//! A shell keeps it: when the pipe from this process closes, however that happens, it ends the server and removes the folder.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use std::{env, fs};

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tt_export::DatabaseUrl;
use uuid::Uuid;

/// Background jobs of a shell ignore QUIT until they set their own answer, so TERM comes first.
const KEEPER: &str = "trap '' INT TERM HUP\n\"$@\" >/dev/null 2>&1 &\nserver=$!\nread -r _\nkill -TERM $server; kill -QUIT $server; wait $server; rm -rf \"$FOLDER\"\n";
const PATIENCE: Duration = Duration::from_mins(1);

struct Cluster {
    folder: PathBuf,
    _keeper: Child,
}

/// A database of one test.
pub(crate) struct Database(String);

pub(crate) async fn database() -> Database {
    let name = format!("t_{}", Uuid::new_v4().simple());
    let mut connection = PgConnection::connect(&address("postgres")).await.unwrap();
    run(&mut connection, &format!("CREATE DATABASE {name}")).await;
    Database(name)
}

impl Database {
    pub(crate) fn url(&self) -> DatabaseUrl {
        DatabaseUrl::parse(&address(&self.0)).unwrap()
    }

    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect(&address(&self.0)).await.unwrap()
    }

    pub(crate) async fn run(&self, statements: &str) {
        run(&mut self.connect().await, statements).await;
    }

    /// The text of the one value that a statement answers.
    pub(crate) async fn ask(&self, statement: &str) -> String {
        let statement = format!("SELECT coalesce(({statement})::text, 'nothing')");
        let mut connection = self.connect().await;
        sqlx::query_scalar(AssertSqlSafe(statement))
            .fetch_one(&mut connection)
            .await
            .unwrap()
    }
}

async fn run(connection: &mut PgConnection, statements: &str) {
    connection
        .execute(sqlx::raw_sql(AssertSqlSafe(statements.to_owned())))
        .await
        .unwrap();
}

fn address(database: &str) -> String {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    let folder = &CLUSTER.get_or_init(start).folder;
    format!("postgres://postgres@localhost/{database}?host={}", folder.display())
}

fn start() -> Cluster {
    let programs = programs();
    let folder = env::temp_dir().join(format!("tt-export-{}", Uuid::new_v4().simple()));
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    let prefix = prefix(&folder);
    let data = folder.join("data");
    let made = command(&prefix, &programs.join("initdb"))
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
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut keeper = Command::new("sh");
    keeper
        .args(["-c", KEEPER, "sh"])
        .args(&prefix)
        .arg(programs.join("postgres"))
        .arg("-D")
        .arg(&data);
    keeper.args(["-c", "listen_addresses=", "-c", "fsync=off", "-c"]);
    keeper.arg(format!("unix_socket_directories={}", folder.display()));
    let keeper = keeper
        .env("FOLDER", &folder)
        .current_dir("/")
        .stdin(Stdio::piped())
        // Else the server would hold open what the test prints into.
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + PATIENCE;
    let ready = || {
        let mut asked = Command::new(programs.join("pg_isready"));
        asked.arg("-q").arg("-h").arg(&folder).status().unwrap().success()
    };
    while !ready() {
        assert!(Instant::now() < deadline, "PostgreSQL never answered");
        std::thread::sleep(Duration::from_millis(20));
    }
    Cluster {
        folder,
        _keeper: keeper,
    }
}

fn command(prefix: &[String], program: &Path) -> Command {
    let mut words = prefix.iter().map(String::as_str).map(Path::new).chain([program]);
    let mut command = Command::new(words.next().unwrap());
    command.args(words);
    command
}

/// PostgreSQL refuses root, so root becomes its user first.
fn prefix(folder: &Path) -> Vec<String> {
    use std::os::unix::fs::MetadataExt as _;
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return Vec::new();
    }
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let find = |name: &str| {
        passwd
            .lines()
            .find(|line| line.starts_with(&format!("{name}:")))
            .map(str::to_owned)
    };
    let user = find("postgres").or_else(|| find("nobody")).unwrap();
    let fields: Vec<&str> = user.split(':').collect();
    chown(
        folder,
        Some(fields[2].parse().unwrap()),
        Some(fields[3].parse().unwrap()),
    )
    .unwrap();
    let words = [
        "setpriv",
        "--reuid",
        fields[2],
        "--regid",
        fields[3],
        "--clear-groups",
        "--",
    ];
    words.map(str::to_owned).to_vec()
}

/// On PATH, or where Debian puts them.
fn programs() -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let packaged = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let packaged = packaged.map(|version| version.path().join("bin"));
    // PATH may have links to some of the programs only; the others are beside what they lead to.
    let linked = env::split_paths(&path).filter_map(|folder| {
        let program = folder.join("postgres").canonicalize().ok()?;
        program.parent().map(Path::to_owned)
    });
    linked
        .chain(packaged)
        .find(|folder| {
            ["initdb", "postgres", "pg_isready"]
                .iter()
                .all(|name| folder.join(name).exists())
        })
        .expect("PostgreSQL is needed for this test: apt-get install postgresql")
}
