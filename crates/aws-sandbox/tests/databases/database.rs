//! A sandbox with databases, in this process or in one that can be killed, and what a client does with them.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aws_sandbox::{Config, Sandbox, StartError};
use aws_sdk_rds::Client;
use aws_sdk_rds::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_rds::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_rds::operation::create_db_snapshot::builders::CreateDBSnapshotFluentBuilder;
use aws_sdk_rds::operation::restore_db_instance_from_db_snapshot::builders::RestoreDBInstanceFromDBSnapshotFluentBuilder;
use aws_sdk_rds::operation::restore_db_instance_to_point_in_time::builders::RestoreDBInstanceToPointInTimeFluentBuilder;
use aws_sdk_rds::primitives::DateTime;
use aws_sdk_rds::types::{DbInstance, DbSnapshot, Tag};
use tempfile::TempDir;

use crate::support::{PATIENCE, config, eventually, network};

pub(crate) const HERE: &str = "eu-central-1";
pub(crate) const THERE: &str = "eu-west-1";
pub(crate) const PASSWORD: &str = "it's-a-secret";
/// Short, so that what takes AWS minutes takes a moment.
const MINUTE: Duration = Duration::from_millis(200);

/// Whether this machine has a PostgreSQL; the test says so on the real standard error, which no test harness hides.
pub(crate) fn installed() -> bool {
    let there = Path::new("/usr/lib/postgresql").is_dir() || Command::new("postgres").arg("--version").output().is_ok();
    if !there {
        std::io::stderr()
            .write_all(b"skipped, there is no PostgreSQL\n")
            .unwrap();
    }
    there
}

enum Running {
    Here(Box<Sandbox>),
    Apart(Child),
}

pub(crate) struct Machine {
    running: Running,
    folder: TempDir,
    number: u8,
    pub(crate) here: Client,
    pub(crate) there: Client,
}

impl Machine {
    /// In this process.
    pub(crate) async fn start() -> Self {
        let folder = open_folder();
        loop {
            let (number, reserved) = network();
            drop(reserved);
            let config = Config {
                minute: MINUTE,
                ..config(&folder.path().join("state"), number)
            };
            match Sandbox::start(config).await {
                Ok(sandbox) => return Self::with(Running::Here(Box::new(sandbox)), folder, number),
                Err(StartError::PortTaken { .. }) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
    }

    /// As a process of its own.
    pub(crate) async fn spawn() -> Self {
        let (number, reserved) = network();
        drop(reserved);
        Self::spawn_on(open_folder(), number).await
    }

    async fn spawn_on(folder: TempDir, number: u8) -> Self {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(folder.path().join("log"))
            .unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_aws-sandbox"))
            .args(["serve", "--minute", "200ms", "--state"])
            .arg(folder.path().join("state"))
            .args(["--listen", &format!("127.{number}.0.1:4566")])
            .args(["--task-network", &number.to_string()])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let machine = Self::with(Running::Apart(child), folder, number);
        eventually("the sandbox", async || {
            machine.here.describe_db_instances().send().await.is_ok()
        })
        .await;
        machine
    }

    fn with(running: Running, folder: TempDir, number: u8) -> Self {
        Self {
            running,
            folder,
            number,
            here: client(number, HERE),
            there: client(number, THERE),
        }
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub(crate) async fn stop(self) {
        match self.running {
            Running::Here(sandbox) => sandbox.shutdown().await,
            Running::Apart(_) => panic!("a process apart is killed"),
        }
        assert_eq!(servers(self.number), 0, "no server outlives the sandbox");
    }

    /// `kill -9`, and no server is left.
    pub(crate) async fn kill(self) -> (TempDir, u8) {
        let Running::Apart(mut child) = self.running else {
            panic!("this process is not killed")
        };
        child.kill().unwrap();
        child.wait().unwrap();
        let number = self.number;
        eventually("the end of all servers", async || servers(number) == 0).await;
        (self.folder, number)
    }

    pub(crate) async fn kill_and_spawn(self) -> Self {
        let (folder, number) = self.kill().await;
        Self::spawn_on(folder, number).await
    }

    /// Puts something to an endpoint of the sandbox's own.
    pub(crate) fn put(&self, path: &str, body: &str) {
        let host = format!("127.{}.0.1:4566", self.number);
        let mut stream = TcpStream::connect(&host).unwrap();
        let length = body.len();
        let request = format!(
            "PUT /_sandbox/{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    pub(crate) async fn create(&self, name: &str, retention: i32) -> DbInstance {
        self.here
            .create_db_instance()
            .db_instance_identifier(name)
            .engine("postgres")
            .db_instance_class("db.t4g.micro")
            .allocated_storage(20)
            .db_name("app")
            .master_username("app")
            .master_user_password(PASSWORD)
            .backup_retention_period(retention)
            .send()
            .await
            .unwrap();
        self.available(name).await
    }

    pub(crate) async fn instance(&self, name: &str) -> Option<DbInstance> {
        instance(&self.here, name).await
    }

    pub(crate) async fn available(&self, name: &str) -> DbInstance {
        available(&self.here, name).await
    }

    pub(crate) async fn available_there(&self, name: &str) -> DbInstance {
        available(&self.there, name).await
    }

    /// Takes a snapshot and waits for it; its percentage only ever grows.
    pub(crate) async fn snapshot(&self, of: &str, name: &str) -> DbSnapshot {
        let created = self.shoot(of, name).send().await.unwrap().db_snapshot.unwrap();
        assert_eq!(
            (created.status(), created.percent_progress()),
            (Some("creating"), Some(0))
        );
        let done = completed(&self.here, name).await;
        // The instance shows the snapshot for a moment longer.
        self.available(of).await;
        done
    }

    pub(crate) async fn snapshot_there(&self, name: &str) -> DbSnapshot {
        completed(&self.there, name).await
    }

    pub(crate) async fn snapshot_status(&self, name: &str) -> Option<String> {
        status(&self.here, name).await.map(|found| found.status.unwrap())
    }

    pub(crate) async fn delete_snapshot(&self, name: &str) {
        let delete = self.here.delete_db_snapshot().db_snapshot_identifier(name);
        delete.send().await.unwrap();
        self.gone(name).await;
    }

    pub(crate) async fn gone(&self, name: &str) {
        eventually("the end of the snapshot", async || {
            self.snapshot_status(name).await.is_none()
        })
        .await;
    }

    pub(crate) async fn delete_instance(&self, name: &str) {
        let delete = self.here.delete_db_instance().db_instance_identifier(name);
        delete.skip_final_snapshot(true).send().await.unwrap();
        eventually("the deletion", async || self.instance(name).await.is_none()).await;
    }

    /// A snapshot, still to be asked for.
    pub(crate) fn shoot(&self, of: &str, name: &str) -> CreateDBSnapshotFluentBuilder {
        let create = self.here.create_db_snapshot();
        create.db_instance_identifier(of).db_snapshot_identifier(name)
    }

    /// A restore of a snapshot, still to be asked for.
    pub(crate) fn restoring(&self, snapshot: &str, name: &str) -> RestoreDBInstanceFromDBSnapshotFluentBuilder {
        let restore = self.here.restore_db_instance_from_db_snapshot();
        restore.db_instance_identifier(name).db_snapshot_identifier(snapshot)
    }

    /// A restore to some moment, still to be asked for.
    pub(crate) fn going_back(&self, source: &str, name: &str) -> RestoreDBInstanceToPointInTimeFluentBuilder {
        let restore = self.here.restore_db_instance_to_point_in_time();
        restore
            .source_db_instance_identifier(source)
            .target_db_instance_identifier(name)
    }

    pub(crate) async fn restore_snapshot(&self, snapshot: &str, name: &str) -> DbInstance {
        self.restoring(snapshot, name).send().await.unwrap();
        self.available(name).await
    }

    pub(crate) async fn restore_to(&self, source: &str, name: &str, moment: DateTime) -> DbInstance {
        let restore = self.going_back(source, name).restore_time(moment);
        restore.send().await.unwrap();
        self.available(name).await
    }

    pub(crate) async fn tags(&self, arn: &str) -> Vec<Tag> {
        let list = self.here.list_tags_for_resource().resource_name(arn);
        list.send().await.unwrap().tag_list.unwrap_or_default()
    }

    /// Waits until a moment can be restored; gives the latest one that can.
    pub(crate) async fn restorable_after(&self, name: &str, moment: DateTime) -> DateTime {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let latest = self.instance(name).await.unwrap().latest_restorable_time;
            if let Some(latest) = latest.filter(|latest| *latest >= moment) {
                return latest;
            }
            assert!(Instant::now() < deadline, "{latest:?} never reached {moment:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Earliest and latest restorable time.
    pub(crate) async fn window(&self, name: &str) -> (DateTime, DateTime) {
        let describe = self
            .here
            .describe_db_instance_automated_backups()
            .db_instance_identifier(name);
        let found = describe
            .send()
            .await
            .unwrap()
            .db_instance_automated_backups
            .unwrap()
            .remove(0);
        let window = found.restore_window.unwrap();
        (window.earliest_time.unwrap(), window.latest_time.unwrap())
    }
}

/// The server's own clock, rounded up to what the API keeps.
pub(crate) fn moment(instance: &DbInstance) -> DateTime {
    let text = query(
        instance,
        "SELECT pg_sleep(0.002), ceil(extract(epoch FROM clock_timestamp()) * 1000)::bigint, pg_sleep(0.002)",
    );
    let milliseconds = text.trim_matches('|').parse().unwrap();
    DateTime::from_millis(milliseconds)
}

/// The code of an error that must come.
pub(crate) fn code<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug, R: std::fmt::Debug>(
    answer: Result<T, SdkError<E, R>>,
) -> String {
    answer.unwrap_err().code().unwrap_or_default().to_owned()
}

/// What the database answers, as `psql -A -t` prints it.
pub(crate) fn query(instance: &DbInstance, statement: &str) -> String {
    try_query(instance, statement).unwrap_or_else(|error| panic!("{statement}: {error}"))
}

pub(crate) fn try_query(instance: &DbInstance, statement: &str) -> Result<String, String> {
    let endpoint = instance.endpoint().unwrap();
    let output = Command::new("psql")
        .args([
            "-X",
            "-A",
            "-t",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            "app",
            "-d",
            "app",
        ])
        .args([
            "-h",
            endpoint.address().unwrap(),
            "-p",
            &endpoint.port().unwrap().to_string(),
        ])
        .args(["-c", statement])
        .env("PGPASSWORD", PASSWORD)
        .env("PGCONNECT_TIMEOUT", "10")
        .output()
        .unwrap();
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

async fn instance(client: &Client, name: &str) -> Option<DbInstance> {
    match client.describe_db_instances().db_instance_identifier(name).send().await {
        Ok(found) => found.db_instances.unwrap().pop(),
        Err(error) => {
            assert_eq!(error.code(), Some("DBInstanceNotFound"), "{error:?}");
            None
        }
    }
}

async fn available(client: &Client, name: &str) -> DbInstance {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = instance(client, name).await;
        let status = found.as_ref().and_then(|found| found.db_instance_status.clone());
        if status.as_deref() == Some("available") {
            return found.unwrap();
        }
        assert_ne!(status.as_deref(), Some("failed"), "{name}");
        assert!(
            Instant::now() < deadline,
            "{name} is {status:?} and never became available"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn completed(client: &Client, name: &str) -> DbSnapshot {
    let deadline = Instant::now() + PATIENCE;
    let mut percent = 0;
    loop {
        let found = status(client, name).await.unwrap();
        let now = found.percent_progress().unwrap();
        assert!(now >= percent, "from {percent} to {now}");
        percent = now;
        if found.status() == Some("available") {
            return found;
        }
        assert_eq!(found.status(), Some("creating"), "{name}");
        assert!(Instant::now() < deadline, "{name} was never complete");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn status(client: &Client, name: &str) -> Option<DbSnapshot> {
    match client.describe_db_snapshots().db_snapshot_identifier(name).send().await {
        Ok(found) => found.db_snapshots.unwrap().pop(),
        Err(error) => {
            assert_eq!(error.code(), Some("DBSnapshotNotFound"), "{error:?}");
            None
        }
    }
}

fn client(number: u8, region: &'static str) -> Client {
    let config = aws_sdk_rds::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .endpoint_url(format!("http://127.{number}.0.1:4566"))
        .credentials_provider(Credentials::new("AKIATEST", "secret", None, None, "test"))
        .build();
    Client::from_conf(config)
}

/// The databases' user must reach its files.
fn open_folder() -> TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// Servers that listen in a sandbox's network.
fn servers(number: u8) -> usize {
    let mine = format!("listen_addresses=127.{number}.");
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter(|process| {
            let arguments = fs::read(process.path().join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&arguments).contains(&mine)
        })
        .count()
}
