//! The database's password changes while users are at work.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::body::Body;
use hyper::Method;
use serde_json::json;
use sqlx::{AssertSqlSafe, PgConnection};
use task_tracker::DatabaseUrl;
use tokio::{
    sync::{Mutex, OnceCell},
    task::JoinSet,
};
use tt_fixture::way::{Terrain, Way};
use uuid::Uuid;

use crate::{
    api::Api,
    cluster::{self, Database},
    command::{outcome, serve, task_tracker},
    instance::{WEBHOOK_KEYS, start_on},
    line::{until, within},
    store,
};

/// A role that must prove itself, unlike the others here.
async fn make_role(database: &Database, role: &str, password: &str) {
    static RULE: OnceCell<()> = OnceCell::const_new();
    let mut connection = database.connect().await;
    RULE.get_or_init(async || {
        sqlx::raw_sql(
            "create role provers;
             do $$ begin execute format(
                'copy (values (''local all +provers scram-sha-256''), (''local all all trust'')) to %L',
                current_setting('hba_file'));
             end $$;
             select pg_reload_conf()",
        )
        .execute(&mut connection)
        .await
        .unwrap();
    })
    .await;
    sqlx::raw_sql(AssertSqlSafe(format!(
        "create role {role} login password '{password}' in role provers;
         grant all on all tables in schema public to {role};
         grant usage on all sequences in schema public to {role}"
    )))
    .execute(&mut connection)
    .await
    .unwrap();
    // The server reads its rules anew when it comes to it.
    let wrong = login(database, role, "wrong");
    until("the server asks the role for its password", async || {
        let refused =
            task_tracker::export_user(&DatabaseUrl::parse(&wrong).unwrap(), Uuid::nil(), &mut Vec::new()).await;
        refused.is_err_and(|refused| format!("{refused:?}").contains("28P01"))
    })
    .await;
}

fn login(database: &Database, role: &str, password: &str) -> String {
    database.url().replace("postgres@", &format!("{role}:{password}@"))
}

async fn change_password(connection: &mut PgConnection, role: &str, password: &str) {
    sqlx::raw_sql(AssertSqlSafe(format!("alter role {role} password '{password}'")))
        .execute(connection)
        .await
        .unwrap();
}

/// Users who never stop, each over a connection of their own; a status other than 200 ends one.
#[derive(Default)]
struct Crowd {
    users: JoinSet<Result<(), String>>,
    asked: Arc<AtomicU64>,
    end: Arc<AtomicBool>,
}

impl Crowd {
    fn add(&mut self, api: &Api, path: &str, count: usize) {
        for _ in 0..count {
            let (api, path) = (api.afresh(), path.to_owned());
            let (asked, end) = (Arc::clone(&self.asked), Arc::clone(&self.end));
            self.users.spawn(async move {
                while !end.load(Ordering::SeqCst) {
                    let request = api.request(Method::GET, &path).body(Body::empty()).unwrap();
                    let reply = api.try_send(request).await?;
                    if reply.status != 200 {
                        return Err(format!("{reply:?}"));
                    }
                    asked.fetch_add(1, Ordering::SeqCst);
                }
                Ok(())
            });
        }
    }

    /// Changes the role's password, and what the service reads only later: the worst order, since nobody can log in
    /// meanwhile. Ends when there are new connections, and requests are answered.
    async fn rotate(
        &mut self,
        api: &Api,
        path: &str,
        database: &Database,
        role: &str,
        password: &str,
        write: impl AsyncFn(),
    ) {
        let mut connection = database.connect().await;
        if self.users.is_empty() {
            self.add(api, path, 1);
        }
        change_password(&mut connection, role, password).await;
        let since = now(&mut connection).await;
        self.add(api, path, 6);
        tokio::time::sleep(Duration::from_millis(300)).await;
        write().await;
        let connection = Mutex::new(connection);
        until("new connections are made", async || {
            let connection = &mut *connection.lock().await;
            if sessions(connection, role, &since).await > 0 {
                return true;
            }
            // Those that are open stay, and may be enough for everybody; one that breaks has to be replaced.
            break_a_lane(connection, role).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            false
        })
        .await;
        let asked = self.asked.load(Ordering::SeqCst);
        until("requests are answered", async || {
            self.asked.load(Ordering::SeqCst) > asked + 100
        })
        .await;
    }

    /// None of them was refused anything.
    async fn go_home(self) {
        self.end.store(true, Ordering::SeqCst);
        for outcome in within(self.users.join_all()).await {
            assert_eq!(outcome, Ok(()));
        }
    }
}

/// By the clock of the server.
async fn now(connection: &mut PgConnection) -> String {
    sqlx::query_scalar("select clock_timestamp()::text")
        .fetch_one(connection)
        .await
        .unwrap()
}

/// Those that began since then. How many there are in all says nothing: there may be as many as there can be before.
async fn sessions(connection: &mut PgConnection, role: &str, since: &str) -> i64 {
    let count = "select count(*) from pg_stat_activity where usename = $1 and backend_start > $2::timestamptz";
    sqlx::query_scalar(count)
        .bind(role)
        .bind(since)
        .fetch_one(connection)
        .await
        .unwrap()
}

/// Ends the oldest connection that answers what users ask.
async fn break_a_lane(connection: &mut PgConnection, role: &str) {
    sqlx::query(
        "select pg_terminate_backend(pid) from pg_stat_activity
         where usename = $1 and query like '%token_sha256%' order by backend_start limit 1",
    )
    .bind(role)
    .execute(connection)
    .await
    .unwrap();
}

#[tokio::test]
async fn a_new_password_fails_no_request_and_needs_no_new_start() {
    let database = cluster::migrated().await;
    let role = format!("rotating_{}", Uuid::now_v7().simple());
    make_role(&database, &role, "first").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("url");
    let urls = ["first", "second", "third"].map(|password| login(&database, &role, password));
    let write = |url: &str| {
        // As those who mount secrets do it: there is no moment in which half of it can be read.
        let new = folder.path().join("new");
        fs::write(&new, format!("{url}\n")).unwrap();
        fs::rename(new, &file).unwrap();
    };
    write(&urls[0]);
    let url = DatabaseUrl::from_file(&file).unwrap();
    let service = start_on(database, &url, "--database-pool 12 --database-acquire-seconds 30").await;
    let path = format!("/api/v1/projects/{}", service.api.project().await);
    let mut crowd = Crowd::default();
    for (password, url) in ["second", "third"].into_iter().zip(&urls[1..]) {
        crowd
            .rotate(&service.api, &path, &service.database, &role, password, async || {
                write(url);
            })
            .await;
    }
    service.api.get("/readyz").await.expect(200);
    crowd.go_home().await;
}

/// The program as it runs in a container: its environment names the secret, and nothing else is given to it.
#[tokio::test]
async fn a_password_that_secrets_manager_changed_fails_no_request_and_shows_nowhere() {
    let database = cluster::migrated().await;
    let role = format!("held_{}", Uuid::now_v7().simple());
    make_role(&database, &role, "first-p@ss").await;
    let store = store::start().await;
    let secrets = store.secrets();
    let url = login(&database, &role, "first-p%40ss");
    let made = secrets.create_secret().name("tasks/login").secret_string(url);
    let arn = made.send().await.unwrap().arn.unwrap();
    let keys = secrets.create_secret().name("tasks/keys").secret_string(WEBHOOK_KEYS);
    let keys = keys.send().await.unwrap().arn.unwrap();
    let variables = [
        ("DATABASE_URL", ""),
        ("DATABASE_SECRET_ARN", arn.as_str()),
        ("WEBHOOK_KEYS_SECRET_ARN", keys.as_str()),
        ("AWS_ENDPOINT_URL", store.endpoint.as_str()),
        ("AWS_ACCESS_KEY_ID", "task"),
        ("AWS_SECRET_ACCESS_KEY", "unguarded-key"),
        ("WEBHOOK_ALLOW", "127.0.0.1"),
        ("DATABASE_POOL", "12"),
        ("DATABASE_ACQUIRE_SECONDS", "30"),
    ];
    let running = serve(&database, &variables).await;
    let (_, session) = database.user("ann").await;
    let api = Api::at(running.address).with_session(&session);
    let project = api.project().await;
    let hook = json!({ "url": "http://127.0.0.1:9/hook" });
    let made = api.post(&format!("/api/v1/projects/{project}/webhooks"), hook).await;
    made.expect(201);
    let path = format!("/api/v1/projects/{project}");
    let put = async |value: String| {
        let put = secrets.put_secret_value().secret_id(&arn).secret_string(value);
        put.send().await.unwrap();
    };
    let mut crowd = Crowd::default();
    let url = login(&database, &role, "second-p%40ss");
    crowd
        .rotate(&api, &path, &database, &role, "second-p@ss", async || {
            put(url.clone()).await;
        })
        .await;
    // As AWS's rotation functions write it.
    let way = Way::to_the_database(Terrain::Plain);
    let json = json!({
        "engine": "postgres", "username": role, "password": "third-p@ss", "host": way.address.ip(), "port": way.address.port(),
        "dbname": database.name(),
    });
    crowd
        .rotate(&api, &path, &database, &role, "third-p@ss", async || {
            put(json.to_string()).await;
        })
        .await;
    api.get("/readyz").await.expect(200);
    crowd.go_home().await;
    let log = running.end().await;
    assert!(log.contains("the database URL has changed"), "{log}");
    for secret in ["p@ss", "p%40ss", "unguarded-key", WEBHOOK_KEYS] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_is_named_and_so_is_what_to_do() {
    let store = store::start().await;
    let secrets = store.secrets();
    let value = secrets.create_secret().name("odd").secret_string("hunter2");
    let odd = value.send().await.unwrap().arn.unwrap();
    let nowhere = "arn:aws:secretsmanager:us-east-1:000000000000:secret:nowhere";
    for (arn, expected) in [
        (
            nowhere,
            "ResourceNotFoundException: Secrets Manager can't find the specified secret",
        ),
        (odd.as_str(), "holds no login; it must be postgres://"),
        ("hunter2", "DATABASE_SECRET_ARN is not the ARN of a secret"),
    ] {
        let mut command = task_tracker("");
        command
            .arg("erase")
            .env("DATABASE_SECRET_ARN", arn)
            .env("AWS_ENDPOINT_URL", &store.endpoint)
            .env("AWS_ACCESS_KEY_ID", "task")
            .env("AWS_SECRET_ACCESS_KEY", "unguarded-key");
        let (code, out, error) = outcome(&mut command).await;
        assert_eq!(code, Some(1), "{out}{error}");
        assert!(error.contains(expected), "{error}");
        assert!(!format!("{out}{error}").contains("hunter2"), "{out}{error}");
    }
}

/// A password that is simply wrong must not keep anybody waiting for longer than a busy pool would.
#[tokio::test]
async fn a_login_that_stays_refused_is_answered_in_time() {
    let database = cluster::migrated().await;
    let mut connection = database.connect().await;
    let role = format!("refused_{}", Uuid::now_v7().simple());
    make_role(&database, &role, "right").await;
    let url = DatabaseUrl::parse(&login(&database, &role, "right")).unwrap();
    let service = start_on(database, &url, "--database-acquire-seconds 0.5").await;
    service.api.get("/readyz").await.expect(200);
    change_password(&mut connection, &role, "other").await;
    until("it is unavailable and says so", async || {
        // A connection may just have been made while the others were ended, so this is done again.
        let mut onlooker = service.database.connect().await;
        let ended = sqlx::query("select pg_terminate_backend(pid) from pg_stat_activity where usename = $1")
            .bind(&role)
            .execute(&mut onlooker)
            .await
            .unwrap();
        let reply = service.api.get("/api/v1/projects").await;
        assert!(reply.status == 503 || reply.status == 200, "{reply:?}");
        ended.rows_affected() == 0 && reply.problem() == "database-unavailable"
    })
    .await;
    until("it is not ready", async || {
        service.api.get("/readyz").await.status == 503
    })
    .await;
    service.api.get("/livez").await.expect(200);
}
