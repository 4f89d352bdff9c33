//! A private PostgreSQL cluster for this test process, and a fresh database in it for every test.
//!
//! It listens on a socket in its own temporary folder only. A shell stands between: it waits for the pipe from this
//! process to close, which happens however this process ends, then stops PostgreSQL and removes the folder.

use std::{
    env, fs,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use task_tracker::{DatabaseUrl, migrate};
use tokio::sync::OnceCell;
use uuid::Uuid;

const MISSING: &str = "PostgreSQL is needed for this test: apt-get install postgresql";

const KEEPER: &str = r#"
trap '' INT TERM HUP
"$@" &
server=$!
read -r _
# A shell lets its background jobs ignore QUIT, so a server that has not set its own answer yet needs TERM.
kill -TERM "$server" 2>/dev/null
kill -QUIT "$server" 2>/dev/null
wait "$server"
rm -rf "$FOLDER"
"#;

struct Cluster {
    folder: PathBuf,
    /// Its standard input is the pipe whose end tells the keeper to clear up.
    _keeper: Child,
}

/// A database of one test.
pub(crate) struct Database {
    name: String,
}

/// A database without any tables.
pub(crate) async fn empty() -> Database {
    create("template1").await
}

/// A database with the schema of this release.
pub(crate) async fn migrated() -> Database {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    let template = TEMPLATE
        .get_or_init(async || {
            let template = empty().await;
            migrate::to_latest(&template.parsed_url(), Duration::from_secs(30))
                .await
                .unwrap();
            template.name
        })
        .await;
    create(template).await
}

/// What a release without its schema says: which version it needs is the number of its newest migration.
pub(crate) fn needs_its_schema() -> String {
    let files = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap();
    let numbers = files.map(|file| file.unwrap().file_name().to_string_lossy()[..4].parse::<u32>().unwrap());
    let newest = numbers.max().unwrap();
    format!("the schema is at version 0 and this release needs {newest}: run `task-tracker migrate` first")
}

async fn create(template: &str) -> Database {
    let name = format!("t_{}", Uuid::now_v7().simple());
    let mut connection = connect("postgres").await;
    sqlx::query(AssertSqlSafe(format!(
        "create database {name} template {template} strategy file_copy"
    )))
    .execute(&mut connection)
    .await
    .unwrap();
    connection.close().await.unwrap();
    Database { name }
}

async fn connect(database: &str) -> PgConnection {
    PgConnection::connect(&url(database)).await.unwrap()
}

fn url(database: &str) -> String {
    format!("postgres://postgres@localhost/{database}?host={}", folder().display())
}

/// Where the server's socket is.
pub(crate) fn socket() -> PathBuf {
    folder().join(".s.PGSQL.5432")
}

fn folder() -> &'static Path {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    &CLUSTER.get_or_init(start).folder
}

impl Database {
    pub(crate) fn url(&self) -> String {
        url(&self.name)
    }

    pub(crate) fn parsed_url(&self) -> DatabaseUrl {
        DatabaseUrl::parse(&self.url()).unwrap()
    }

    /// The same database by way of a TCP address that leads to the server.
    pub(crate) fn url_by(&self, address: std::net::SocketAddr) -> DatabaseUrl {
        DatabaseUrl::parse(&format!("postgres://postgres@{address}/{}", self.name)).unwrap()
    }

    /// A user with a session, as registering would leave them but without the time that a password takes: the id, and
    /// the session's secret.
    pub(crate) async fn user(&self, name: &str) -> (Uuid, String) {
        let (id, secret) = (Uuid::now_v7(), Uuid::new_v4().to_string());
        let mut connection = self.connect().await;
        sqlx::query(
            "with made as (
                insert into users (id, email, name, password_hash) values ($1, $2, $3, '') returning id
             )
             insert into sessions (id, user_id, token_sha256, expires_at)
             select $4, id, sha256(convert_to($5, 'UTF8')), now() + interval '1 day' from made",
        )
        .bind(id)
        .bind(format!("{name}.{}@example.com", secret.split_once('-').unwrap().0))
        .bind(name)
        .bind(Uuid::now_v7())
        .bind(&secret)
        .execute(&mut connection)
        .await
        .unwrap();
        (id, secret)
    }

    /// A connection that the service knows nothing of.
    pub(crate) async fn connect(&self) -> PgConnection {
        connect(&self.name).await
    }
}

fn start() -> Cluster {
    let binaries = binaries().expect(MISSING);
    let folder = env::temp_dir().join(format!("tt-pg-{}", Uuid::now_v7().simple()));
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    let unprivileged = unprivileged();
    if let Some(user) = &unprivileged {
        chown(&folder, Some(user.uid), Some(user.gid)).unwrap();
    }
    let data = folder.join("data");
    let prefix = unprivileged.map_or_else(Vec::new, |user| user.prefix());

    let made = words(&prefix, &binaries.join("initdb"))
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
        .expect("setpriv and initdb can be run");
    assert!(
        made.status.success(),
        "initdb: {}",
        String::from_utf8_lossy(&made.stderr)
    );

    let keeper = Command::new("sh")
        .args(["-c", KEEPER, "keeper"])
        .args(&prefix)
        .arg(binaries.join("postgres"))
        .arg("-D")
        .arg(&data)
        .arg("-k")
        .arg(&folder)
        .args([
            "-c",
            "listen_addresses=",
            "-c",
            "max_connections=300",
            "-c",
            "autovacuum=off",
        ])
        .args([
            "-c",
            "fsync=off",
            "-c",
            "full_page_writes=off",
            "-c",
            "synchronous_commit=off",
        ])
        .env("FOLDER", &folder)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(fs::File::create(folder.join("log")).unwrap())
        .spawn()
        .unwrap();
    wait_until_ready(&folder);
    Cluster {
        folder,
        _keeper: keeper,
    }
}

/// The server writes its state into the eighth line of postmaster.pid, which is what `pg_ctl --wait` looks at too.
fn wait_until_ready(folder: &Path) {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let state = fs::read_to_string(folder.join("data/postmaster.pid")).unwrap_or_default();
        if state.lines().nth(7).is_some_and(|line| line.trim() == "ready") {
            return;
        }
        let log = || fs::read_to_string(folder.join("log")).unwrap_or_default();
        assert!(Instant::now() < deadline, "PostgreSQL did not start: {}", log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn words(prefix: &[String], program: &Path) -> Command {
    match prefix.split_first() {
        Some((first, rest)) => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
        None => Command::new(program),
    }
}

/// On PATH, or where Debian hides them; the highest version wins.
fn binaries() -> Option<PathBuf> {
    let on_path =
        env::split_paths(&env::var_os("PATH").unwrap_or_default()).find(|folder| folder.join("initdb").exists());
    on_path.or_else(|| {
        let versions = fs::read_dir("/usr/lib/postgresql").ok()?.filter_map(Result::ok);
        versions
            .filter_map(|entry| {
                Some((
                    entry.file_name().to_str()?.parse::<u32>().ok()?,
                    entry.path().join("bin"),
                ))
            })
            .filter(|(_, binaries)| binaries.join("initdb").exists())
            .max()
            .map(|(_, binaries)| binaries)
    })
}

struct User {
    uid: u32,
    gid: u32,
}

impl User {
    fn prefix(&self) -> Vec<String> {
        let words = [
            "setpriv".to_owned(),
            format!("--reuid={}", self.uid),
            format!("--regid={}", self.gid),
            "--clear-groups".to_owned(),
            // Should the keeper itself be killed, PostgreSQL still goes, and takes its shared memory with it.
            "--pdeathsig=QUIT".to_owned(),
            "--".to_owned(),
        ];
        words.to_vec()
    }
}

/// PostgreSQL refuses to run as root. None when this process is unprivileged itself.
fn unprivileged() -> Option<User> {
    if id(&["-u"])? != 0 {
        return None;
    }
    let user = ["postgres", "nobody"].into_iter().find_map(|name| {
        Some(User {
            uid: id(&["-u", name])?,
            gid: id(&["-g", name])?,
        })
    });
    Some(user.expect("a user `postgres` or `nobody` to run PostgreSQL as"))
}

fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
