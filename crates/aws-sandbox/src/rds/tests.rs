use std::time::{Duration, Instant};

use aws_sdk_rds::Client;
use aws_sdk_rds::config::{BehaviorVersion, Config, Region};
use aws_sdk_rds::error::ProvideErrorMetadata as _;

use super::*;
use crate::clock::Clock;
use crate::loopback::{ACCOUNT, REGION, credentials, serve};

/// A loopback network in which nobody has a database yet.
fn free_network() -> u8 {
    let first = std::process::id() % 100;
    let candidates = (0..100).map(|n| u8::try_from(100 + (first + n) % 100).unwrap());
    let free = |network: &u8| std::net::TcpListener::bind((Ipv4Addr::new(127, *network, 250, 1), 5432)).is_ok();
    candidates.into_iter().find(free).expect("a free network")
}

/// Short, so that what takes AWS minutes takes a moment.
const MINUTE: Duration = Duration::from_millis(200);

async fn service(dir: &StateDir, network: u8) -> (Client, Arc<Rds>) {
    let rds = Rds::open(
        dir,
        ACCOUNT,
        network,
        None,
        Arc::new(Metrics::default()),
        Clock::new(MINUTE),
    )
    .unwrap();
    rds.start();
    let answering = Arc::clone(&rds);
    let endpoint = serve(move |call| {
        let rds = Arc::clone(&answering);
        async move { rds.answer(&call) }
    })
    .await;
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(credentials())
        .endpoint_url(endpoint);
    (Client::from_conf(config.build()), rds)
}

const PASSWORD: &str = "it's-a-secret";

/// What the database answers to a statement, as `psql` prints it.
fn psql(endpoint: &Endpoint, password: &str, statement: &str) -> Result<String, String> {
    let output = std::process::Command::new("psql")
        .args([
            "-X",
            "-A",
            "-t",
            "-h",
            &endpoint.host.to_string(),
            "-p",
            &endpoint.port.to_string(),
            "-U",
            "app",
            "-d",
            "app",
            "-c",
            statement,
        ])
        .env("PGPASSWORD", password)
        .env("PGCONNECT_TIMEOUT", "10")
        .output()
        .unwrap();
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

async fn until(client: &Client, status: Option<&str>) {
    let deadline = Instant::now() + Duration::from_mins(2);
    loop {
        let answer = client
            .describe_db_instances()
            .db_instance_identifier("app-db")
            .send()
            .await;
        let now = match &answer {
            Ok(found) => found.db_instances()[0].db_instance_status().map(str::to_owned),
            Err(error) => {
                assert_eq!(error.code(), Some("DBInstanceNotFound"));
                None
            }
        };
        if now.as_deref() == status {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "the instance is {now:?} and never became {status:?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A server that dies comes back by itself, with what was committed.
async fn kill_and_come_back(rds: &Rds, endpoint: &Endpoint) {
    let postmaster = std::fs::read_to_string(
        rds.files(&rds.instance(&(REGION.into(), "app-db".into())).unwrap())
            .join("data/postmaster.pid"),
    );
    let postmaster = postmaster.unwrap().lines().next().unwrap().to_owned();
    assert!(
        std::process::Command::new("kill")
            .args(["-KILL", &postmaster])
            .status()
            .unwrap()
            .success()
    );
    let deadline = Instant::now() + Duration::from_mins(1);
    while psql(endpoint, PASSWORD, "SELECT n FROM kept").as_deref() != Ok("42") {
        assert!(Instant::now() < deadline, "the server never came back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Who lost the password gets the instance back with another one.
async fn create_again(rds: &Arc<Rds>, endpoint: &Endpoint) {
    let again = InstanceSpec::new("app-db", "app", "app", "another-secret");
    assert_eq!(
        rds.create(REGION, again).await.unwrap(),
        *endpoint,
        "the instance is there"
    );
    assert!(
        psql(endpoint, PASSWORD, "SELECT 1").is_err(),
        "and has the new password"
    );
    assert_eq!(psql(endpoint, "another-secret", "SELECT n FROM kept").unwrap(), "42");
    rds.create(REGION, InstanceSpec::new("app-db", "app", "app", PASSWORD))
        .await
        .unwrap();
}

async fn stop_start_and_delete(client: &Client) {
    client
        .stop_db_instance()
        .db_instance_identifier("app-db")
        .send()
        .await
        .unwrap();
    until(client, Some("stopped")).await;
    client
        .start_db_instance()
        .db_instance_identifier("app-db")
        .send()
        .await
        .unwrap();
    until(client, Some("available")).await;
    let unsafe_delete = client
        .delete_db_instance()
        .db_instance_identifier("app-db")
        .send()
        .await
        .unwrap_err();
    assert_eq!(unsafe_delete.code(), Some("InvalidParameterCombination"));
    client
        .delete_db_instance()
        .db_instance_identifier("app-db")
        .skip_final_snapshot(true)
        .send()
        .await
        .unwrap();
    until(client, None).await;
}

/// One test, because an instance takes seconds to make: create, write, survive a killed server and a restart, delete.
#[expect(clippy::print_stdout, reason = "a test that is skipped says why")]
#[tokio::test]
async fn an_instance_is_a_real_postgresql_that_keeps_its_data() {
    if matches!(Installation::find(), Err(RdsError::NoPostgres)) {
        println!("skipped: {}", RdsError::NoPostgres);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let dir = StateDir::open(folder.path()).unwrap();
    let network = free_network();
    let (client, rds) = service(&dir, network).await;
    let create = || {
        client
            .create_db_instance()
            .db_instance_identifier("App-DB")
            .engine("postgres")
            .db_instance_class("db.t4g.micro")
            .allocated_storage(20)
            .db_name("app")
            .master_username("app")
            .master_user_password(PASSWORD)
    };
    let created = create().send().await.unwrap();
    assert_eq!(created.db_instance().unwrap().db_instance_status(), Some("creating"));
    assert_eq!(
        create().send().await.unwrap_err().code(),
        Some("DBInstanceAlreadyExists")
    );
    let endpoint = rds
        .create(REGION, InstanceSpec::new("app-db", "app", "app", PASSWORD))
        .await
        .unwrap();
    assert_eq!(
        endpoint,
        Endpoint {
            host: Ipv4Addr::new(127, network, 250, 1),
            port: 5432
        }
    );
    psql(
        &endpoint,
        PASSWORD,
        "CREATE TABLE kept (n int); INSERT INTO kept VALUES (42)",
    )
    .unwrap();
    assert_eq!(
        psql(
            &endpoint,
            PASSWORD,
            "SELECT usesuper FROM pg_user WHERE usename = 'app'"
        )
        .unwrap(),
        "f"
    );

    kill_and_come_back(&rds, &endpoint).await;
    until(&client, Some("available")).await;

    create_again(&rds, &endpoint).await;

    rds.stop().await;
    assert!(
        psql(&endpoint, PASSWORD, "SELECT 1").is_err(),
        "nothing runs after the stop"
    );
    // As a killed server leaves it, in a system where its number belongs to somebody else by now.
    let lock = rds
        .files(&rds.instance(&(REGION.into(), "app-db".into())).unwrap())
        .join("data/postmaster.pid");
    std::fs::write(lock, format!("{}\n", std::process::id())).unwrap();
    dir.save().unwrap();
    drop((client, rds));
    let (client, _rds) = service(&dir, network).await;
    until(&client, Some("available")).await;
    assert_eq!(psql(&endpoint, PASSWORD, "SELECT n FROM kept").unwrap(), "42");

    stop_start_and_delete(&client).await;
    let databases = std::fs::read_dir(folder.path().join("rds")).unwrap();
    let mut left: Vec<_> = databases.map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["snapshots", "trash", "wal"], "the data is gone");
}

#[tokio::test]
async fn what_cannot_be_made_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let (client, _) = service(&StateDir::open(folder.path()).unwrap(), 99).await;
    let create = |engine: &str, password: &str| {
        client
            .create_db_instance()
            .db_instance_identifier("x")
            .engine(engine)
            .db_instance_class("db.t4g.micro")
            .master_username("app")
            .master_user_password(password)
            .send()
    };
    let mysql = create("mysql", "long-enough").await.unwrap_err();
    assert_eq!(mysql.code(), Some("InvalidParameterValue"));
    assert!(mysql.message().unwrap().contains("mysql"));
    let short = create("postgres", "sh0rt").await.unwrap_err();
    assert_eq!(short.code(), Some("InvalidParameterValue"));
    assert!(
        !short.message().unwrap().contains("sh0rt"),
        "a password is never repeated"
    );
    let absent = client
        .describe_db_instances()
        .db_instance_identifier("nope")
        .send()
        .await
        .unwrap_err();
    assert!(absent.as_service_error().unwrap().is_db_instance_not_found_fault());
}
