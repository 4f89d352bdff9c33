//! A private PostgreSQL server in a temporary folder, gone when the process that started it is gone.
//!
//! It listens on a socket in that folder and trusts whoever can reach it, which is its own user and root. A shell keeps
//! it: when the pipe from our process closes, which happens however the process ends, the shell stops the server and
//! removes the folder.

use std::{
    env, fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

// A shell lets its background jobs ignore QUIT, so a server that has not set its own answer yet needs TERM.
// A small disk is mounted where nobody but this shell and the server sees it.
const KEEPER: &str = r#"
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

/// What a test wants of a server: many sessions, nothing written behind its back, and no wait for a disk.
const FOR_TESTS: [&str; 6] = [
    "listen_addresses=",
    "max_connections=300",
    "autovacuum=off",
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
];

/// A running server with the superuser `postgres`.
#[derive(Debug)]
pub struct Server {
    folder: PathBuf,
    /// Its standard input is the pipe whose end tells the keeper to clear up.
    _keeper: Child,
}

impl Server {
    /// The one server of this process, set up for tests: it survives no crash of the machine, and need not.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&FOR_TESTS))
    }

    /// A server of the caller's own, with `name=value` settings as `postgresql.conf` has them.
    pub fn start(settings: &[&str]) -> Self {
        Self::beside(Disk::None, settings).unwrap()
    }

    /// One for tests that also sees a disk of so many bytes, at [`Server::small_disk`]. `Err` says why this user may not
    /// mount one.
    pub fn with_a_small_disk(bytes: u64) -> Result<Self, String> {
        Self::beside(Disk::Small { bytes }, &FOR_TESTS)
    }

    fn beside(disk: Disk, settings: &[&str]) -> Result<Self, String> {
        let programs = programs().expect("PostgreSQL is needed for this test: apt-get install postgresql");
        let folder = tempfile::Builder::new()
            .prefix("tt-postgres-")
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir()
            .unwrap()
            .keep();
        let user = User::for_the_server(&folder);
        make_cluster(&user.before_programs(Disk::None), &programs, &folder);
        let mut keeper = keep(&user, disk, &programs, &folder, settings)?;
        wait_until_ready(&folder, &mut keeper)?;
        Ok(Self {
            folder,
            _keeper: keeper,
        })
    }

    /// Where the small disk is, for the server: a folder for a tablespace.
    pub fn small_disk(&self) -> PathBuf {
        self.folder.join("small")
    }

    /// Where its socket is.
    pub fn socket(&self) -> PathBuf {
        self.folder.join(".s.PGSQL.5432")
    }

    /// A database of it, by its socket.
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgres://postgres@localhost/{database}?host={}",
            self.folder.display()
        )
    }
}

fn make_cluster(prefix: &[String], programs: &Path, folder: &Path) {
    let made = unprivileged_command(prefix, &programs.join("initdb"))
        .args([
            "--no-sync",
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "-D",
        ])
        .arg(folder.join("data"))
        .current_dir("/")
        .output()
        .expect("initdb, and for root setpriv, can be run");
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "initdb: {said}");
}

/// What the server has to write on besides its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disk {
    None,
    Small { bytes: u64 },
}

fn keep(user: &User, disk: Disk, programs: &Path, folder: &Path, settings: &[&str]) -> Result<Child, String> {
    user.shell(disk)
        .args(["-c", KEEPER, "keeper"])
        .args(user.before_programs(disk))
        .arg(programs.join("postgres"))
        .arg("-D")
        .arg(folder.join("data"))
        .arg("-k")
        .arg(folder)
        .args(settings.iter().flat_map(|setting| ["-c", setting]))
        .env("FOLDER", folder)
        .env("SMALL", user.mount_options(disk))
        .current_dir("/")
        .stdin(Stdio::piped())
        // Else the server would hold open what the test prints into.
        .stdout(Stdio::null())
        .stderr(fs::File::create(folder.join("log")).unwrap())
        .spawn()
        .map_err(|error| format!("the shell that keeps PostgreSQL cannot be run: {error}"))
}

/// The server writes its state into the eighth line of postmaster.pid, which is what `pg_ctl --wait` looks at too.
fn wait_until_ready(folder: &Path, keeper: &mut Child) -> Result<(), String> {
    let deadline = Instant::now() + Duration::from_mins(2);
    loop {
        let state = fs::read_to_string(folder.join("data/postmaster.pid")).unwrap_or_default();
        if state.lines().nth(7).is_some_and(|line| line.trim() == "ready") {
            return Ok(());
        }
        let log = || fs::read_to_string(folder.join("log")).unwrap_or_default();
        if Instant::now() >= deadline {
            return Err(format!("PostgreSQL did not start: {}", log()));
        }
        if let Some(status) = keeper.try_wait().unwrap() {
            return Err(format!("the shell that keeps PostgreSQL ended with {status} {}", log()));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Where PostgreSQL's server programs are: on PATH, or where Debian puts them, the highest version first.
pub fn programs() -> Option<PathBuf> {
    let on_path = env::var_os("PATH").unwrap_or_default();
    // PATH may have links to some of the programs only; the others are beside what they lead to.
    let linked = env::split_paths(&on_path)
        .filter_map(|folder| Some(folder.join("postgres").canonicalize().ok()?.parent()?.to_owned()));
    let mut packaged: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    packaged.sort();
    linked
        .chain(packaged.into_iter().rev().map(|(_, folder)| folder))
        .find(|folder| ["initdb", "postgres"].iter().all(|name| folder.join(name).exists()))
}

/// PostgreSQL refuses to run as root.
#[derive(Debug, Clone, Copy)]
enum User {
    /// Who runs the test.
    Ours { uid: u32, gid: u32 },
    /// One without rights, because root runs the test.
    Other { uid: u32, gid: u32 },
}

impl User {
    /// Gives the folder to whom it finds.
    fn for_the_server(folder: &Path) -> Self {
        let (uid, gid) = (id(&["-u"]).expect("`id` answers"), id(&["-g"]).expect("`id` answers"));
        if uid != 0 {
            return Self::Ours { uid, gid };
        }
        let (uid, gid) = ["postgres", "nobody"]
            .iter()
            .find_map(|user| Some((id(&["-u", user])?, id(&["-g", user])?)))
            .expect("a user `postgres` or `nobody` to run PostgreSQL as");
        chown(folder, Some(uid), Some(gid)).unwrap();
        Self::Other { uid, gid }
    }

    /// The keeper. Whoever is not root may mount something as the root of a namespace, where the system lets him.
    fn shell(self, disk: Disk) -> Command {
        let namespace: &[&str] = match (self, disk) {
            (_, Disk::None) => return Command::new("sh"),
            (Self::Ours { .. }, Disk::Small { .. }) => &["--user", "--map-root-user", "--mount"],
            (Self::Other { .. }, Disk::Small { .. }) => &["--mount"],
        };
        let mut command = Command::new("unshare");
        command.args(namespace).arg("sh");
        command
    }

    /// What stands before PostgreSQL's programs so that they do not run as root.
    fn before_programs(self, disk: Disk) -> Vec<String> {
        let words = match (self, disk) {
            (Self::Ours { .. }, Disk::None) => return Vec::new(),
            (Self::Ours { uid, gid }, Disk::Small { .. }) => {
                format!("unshare --user --map-user={uid} --map-group={gid} --")
            }
            // Should the keeper itself be killed, PostgreSQL still goes, and takes its shared memory with it.
            (Self::Other { uid, gid }, _) => {
                format!("setpriv --reuid={uid} --regid={gid} --clear-groups --pdeathsig=QUIT --")
            }
        };
        words.split(' ').map(ToOwned::to_owned).collect()
    }

    fn mount_options(self, disk: Disk) -> String {
        match (self, disk) {
            (_, Disk::None) => String::new(),
            (Self::Ours { .. }, Disk::Small { bytes }) => format!("size={bytes},mode=0700"),
            (Self::Other { uid, gid }, Disk::Small { bytes }) => {
                format!("size={bytes},mode=0700,uid={uid},gid={gid}")
            }
        }
    }
}

fn unprivileged_command(prefix: &[String], program: &Path) -> Command {
    let Some((first, rest)) = prefix.split_first() else {
        return Command::new(program);
    };
    let mut command = Command::new(first);
    command.args(rest).arg(program);
    command
}

fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
