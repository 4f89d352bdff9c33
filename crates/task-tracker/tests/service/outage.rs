//! The database goes away and comes back, is busy, or was never there.

use serde_json::json;
use task_tracker::{Service, StartError};
use tt_fixture::way::{Terrain, Way};

use crate::{
    cluster,
    instance::{settings, start, start_on},
    line::until,
};

#[tokio::test]
async fn without_its_database_the_service_lives_is_not_ready_and_recovers_by_itself() {
    let database = cluster::migrated().await;
    let way = Way::to_the_database(Terrain::Plain);
    let url = database.url_by(way.address);
    let service = start_on(database, &url, "--database-acquire-seconds 0.3").await;
    let project = service.api.project().await;
    service.api.get("/readyz").await.expect(200);

    way.cut();
    service.api.get("/livez").await.expect(200);
    service.api.get("/readyz").await.expect(503);
    for _ in 0..3 {
        let reply = service
            .api
            .get(&format!("/api/v1/projects/{project}"))
            .await
            .expect(503);
        assert_eq!(
            (reply.problem(), reply.header("retry-after")),
            ("database-unavailable", "1")
        );
    }

    way.mend();
    until("ready again", async || service.api.get("/readyz").await.status == 200).await;
    until("serves again", async || {
        service.api.get(&format!("/api/v1/projects/{project}")).await.status == 200
    })
    .await;
}

#[tokio::test]
async fn a_busy_pool_refuses_in_time_and_does_not_look_like_a_missing_database() {
    let service = start("--database-pool 1 --database-acquire-seconds 0.2").await;
    let path = format!("/api/v1/projects/{}", service.api.project().await);
    let mut other = service.database.connect().await;
    sqlx::raw_sql("begin; select from projects for update")
        .execute(&mut other)
        .await
        .unwrap();

    let (api, blocked) = (service.api.clone(), path.clone());
    let blocked = tokio::spawn(async move { api.patch(&blocked, "*", json!({ "name": "orchard" })).await });
    until("the pool is busy", async || service.api.get(&path).await.status == 503).await;
    service.api.get("/readyz").await.expect(200);

    sqlx::raw_sql("commit").execute(&mut other).await.unwrap();
    // Under a slow enough machine the change gives up at its lock timeout instead, which is an answer too.
    let status = blocked.await.unwrap().status;
    assert!(status == 200 || status == 503, "{status}");
    until("the pool is free", async || service.api.get(&path).await.status == 200).await;
}

/// As a backfill holds rows for a while, or somebody who types SQL by hand.
#[tokio::test]
async fn changes_that_wait_for_a_locked_row_keep_nobody_from_reading() {
    let service = start("--database-acquire-seconds 0.5").await;
    let project = service.api.project().await;
    let held = format!("/api/v1/tasks/{}", service.api.task(&project, "dig").await);
    let free = format!("/api/v1/tasks/{}", service.api.task(&project, "sow").await);
    let mut other = service.database.connect().await;
    sqlx::raw_sql("begin; select from tasks where title = 'dig' for update")
        .execute(&mut other)
        .await
        .unwrap();

    let mut changes = tokio::task::JoinSet::new();
    for _ in 0..30 {
        let (api, held) = (service.api.clone(), held.clone());
        changes.spawn(async move { api.patch(&held, "*", json!({ "status": "done" })).await.status });
    }
    let waiting =
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    until("all lanes for changes wait", async || {
        let waiting: i64 = sqlx::query_scalar(waiting)
            .fetch_one(&mut service.database.connect().await)
            .await
            .unwrap();
        waiting >= 3
    })
    .await;
    for _ in 0..5 {
        for path in [&free, &held, &format!("/api/v1/projects/{project}/tasks")] {
            service.api.get(path).await.expect(200);
        }
    }

    sqlx::raw_sql("commit").execute(&mut other).await.unwrap();
    while let Some(status) = changes.join_next().await {
        // What waited for too long was given up; nothing of it was done.
        let status = status.unwrap();
        assert!(status == 200 || status == 503, "{status}");
    }
}

#[tokio::test]
async fn a_service_does_not_start_on_a_schema_older_than_it_needs() {
    let database = cluster::empty().await;
    let refused = Service::start(settings(""), &database.parsed_url(), |routes| routes)
        .await
        .map(|_| ())
        .unwrap_err();
    let StartError::Schema(cause) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(cause.to_string(), cluster::needs_its_schema());
}

#[tokio::test]
async fn a_schema_newer_than_the_release_will_do() {
    let database = cluster::migrated().await;
    let mut connection = database.connect().await;
    sqlx::raw_sql("insert into _sqlx_migrations select 9999, 'later', now(), true, ''::bytea, 0")
        .execute(&mut connection)
        .await
        .unwrap();
    let url = database.parsed_url();
    let service = start_on(database, &url, "").await;
    service.api.get("/readyz").await.expect(200);
}
