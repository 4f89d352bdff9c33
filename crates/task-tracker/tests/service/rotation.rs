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
use sqlx::{AssertSqlSafe, PgConnection};
use task_tracker::DatabaseUrl;
use tokio::{sync::OnceCell, task::JoinSet};
use uuid::Uuid;

use crate::{
    api::Api,
    cluster::{self, Database},
    instance::start_on,
    line::{until, within},
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
        let refused = task_tracker::export_user(&DatabaseUrl::parse(&wrong).unwrap(), Uuid::nil()).await;
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
}

#[tokio::test]
async fn a_new_password_fails_no_request_and_needs_no_new_start() {
    let database = cluster::migrated().await;
    let mut connection = database.connect().await;
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
    let onlooker = database.connect().await;
    let service = start_on(database, &url, "--database-pool 12 --database-acquire-seconds 30").await;
    let path = format!("/api/v1/projects/{}", service.api.project().await);
    let onlooker = tokio::sync::Mutex::new(onlooker);
    let sessions = async || {
        let count = "select count(*) from pg_stat_activity where usename = $1";
        let mut onlooker = onlooker.lock().await;
        let count: i64 = sqlx::query_scalar(count)
            .bind(&role)
            .fetch_one(&mut *onlooker)
            .await
            .unwrap();
        count
    };
    let mut crowd = Crowd {
        users: JoinSet::new(),
        asked: Arc::default(),
        end: Arc::default(),
    };
    crowd.add(&service.api, &path, 1);

    for (password, url) in ["second", "third"].into_iter().zip(&urls[1..]) {
        let before = sessions().await;
        // The worst order: until the file says so too, nobody can log in.
        change_password(&mut connection, &role, password).await;
        crowd.add(&service.api, &path, 6);
        tokio::time::sleep(Duration::from_millis(300)).await;
        write(url);
        until("new connections are made", async || sessions().await > before + 1).await;
        let asked = crowd.asked.load(Ordering::SeqCst);
        until("requests are answered", async || {
            crowd.asked.load(Ordering::SeqCst) > asked + 100
        })
        .await;
    }
    service.api.get("/readyz").await.expect(200);
    crowd.end.store(true, Ordering::SeqCst);
    for outcome in within(crowd.users.join_all()).await {
        assert_eq!(outcome, Ok(()));
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
