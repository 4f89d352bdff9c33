use std::collections::BTreeSet;

use serde_json::json;

use task_tracker::Secrets;

use crate::{
    api::Api,
    following::Stream,
    instance::{Instance, settings, start, start_as},
    line::until,
};

#[tokio::test]
async fn requests_are_counted_by_route_and_never_by_path() {
    let service = start("").await;
    let project = service.api.project().await;
    service
        .api
        .get(&format!("/api/v1/projects/{project}"))
        .await
        .expect(200);
    service.api.get("/wp-admin.php").await.expect(404);

    let reply = Api::at(service.metrics).get("/metrics").await.expect(200);
    let text = reply.body.as_str().unwrap();
    for line in [
        r#"http_requests_total{method="POST",route="/api/v1/projects",status="201"} 1"#,
        r#"http_requests_total{method="GET",route="/api/v1/projects/{id}",status="200"} 1"#,
        r#"http_requests_total{method="GET",route="<unmatched>",status="404"} 1"#,
        r#"http_request_duration_seconds_count{method="GET",route="/api/v1/projects/{id}"} 1"#,
        "database_pool_max_connections 8",
        r#"database_query_seconds_count{operation="create_project"} 1"#,
        r#"database_query_seconds_count{operation="get_project"} 1"#,
        r#"database_query_seconds_count{operation="guard"} 2"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("wp-admin") && !text.contains(&project));
    service.api.get("/metrics").await.expect(404);
}

/// A rule or a panel about a metric that nobody gives shows nothing, and says nothing about it.
#[tokio::test]
async fn rules_and_dashboards_are_about_metrics_that_there_are() {
    let service = start("").await;
    service.api.project().await;
    let reply = Api::at(service.metrics).get("/metrics").await.expect(200);
    let lines = reply.body.as_str().unwrap().lines();
    let given: BTreeSet<&str> = lines.filter_map(|line| line.split(['{', ' ']).next()).collect();
    for file in [
        include_str!("../../../../monitoring/prometheus/rules/task-tracker.yml"),
        include_str!("../../../../monitoring/grafana/dashboards/task-tracker.json"),
    ] {
        let mut wanted = BTreeSet::new();
        let mut parts = file.split("{job=").peekable();
        while let (Some(part), Some(_)) = (parts.next(), parts.peek()) {
            let name = part
                .rsplit(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                .next()
                .unwrap();
            wanted.insert(name);
        }
        // Prometheus gives this one itself.
        wanted.remove("up");
        assert!(wanted.len() > 3, "{wanted:?}");
        assert!(wanted.is_subset(&given), "{:?}", wanted.difference(&given));
    }
}

/// The figure of a series; below zero when there is none.
async fn figure(service: &Instance, series: &str) -> f64 {
    let reply = Api::at(service.metrics).get("/metrics").await.expect(200);
    let text = reply.body.as_str().unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{series} ")));
    line.map_or(-1.0, |figure| figure.parse::<f64>().unwrap())
}

fn is(figure: f64, expected: f64) -> bool {
    (figure - expected).abs() < f64::EPSILON
}

/// An alert cannot tell a series that is missing from one that is fine.
#[tokio::test]
async fn what_is_yet_to_happen_is_nought() {
    let service = start("").await;
    for series in [
        r#"webhook_attempts_total{outcome="delivered"}"#,
        r#"webhook_attempts_total{outcome="refused"}"#,
        r#"webhook_attempts_total{outcome="unanswered"}"#,
        r#"webhook_attempts_total{outcome="hopeless"}"#,
        r#"webhook_attempts_total{outcome="fault"}"#,
        r#"webhook_backlog{state="due"}"#,
        r#"webhook_backlog{state="later"}"#,
        "webhook_backlog_age_seconds",
        "live_listeners",
    ] {
        until(series, async || is(figure(&service, series).await, 0.0)).await;
    }
}

#[tokio::test]
async fn messages_that_wait_are_counted_and_for_how_long_the_oldest_has() {
    let database = crate::cluster::migrated().await;
    sqlx::raw_sql(
        "insert into projects (id, name) values (gen_random_uuid(), 'garden');
         insert into webhooks (id, project_id, url, secret, state, not_before)
             select gen_random_uuid(), projects.id, 'https://example.com', '', hook.state, hook.not_before
             from projects, (values ('active', null), ('active', now() + interval '1 hour'), ('paused', null)) as hook (state, not_before);
         insert into webhook_deliveries (id, webhook_id, action, next_at, state)
             select gen_random_uuid(), webhooks.id, 'ping', now() - message.age, message.state
             from webhooks, (values (interval '1 hour', 'pending'), (interval '2 hours', 'pending'), (interval '-1 hour', 'pending'),
                                    (interval '3 hours', 'delivered'), (interval '3 hours', 'dead')) as message (age, state);",
    )
    .execute(&mut database.connect().await)
    .await
    .unwrap();
    // Without a key nothing is sent.
    let mut settings = settings("");
    settings.secrets = Secrets::default();
    let url = database.parsed_url();
    let service = start_as(database, &url, settings).await;
    until("they are counted", async || {
        is(figure(&service, r#"webhook_backlog{state="due"}"#).await, 2.0)
    })
    .await;
    assert!(is(figure(&service, r#"webhook_backlog{state="later"}"#).await, 4.0));
    let age = figure(&service, "webhook_backlog_age_seconds").await;
    assert!((7200.0..7400.0).contains(&age), "{age}");
    // An alert ends only when the figures go back.
    sqlx::raw_sql("update webhook_deliveries set state = 'delivered'")
        .execute(&mut service.database.connect().await)
        .await
        .unwrap();
    for series in [
        r#"webhook_backlog{state="due"}"#,
        r#"webhook_backlog{state="later"}"#,
        "webhook_backlog_age_seconds",
    ] {
        until(series, async || is(figure(&service, series).await, 0.0)).await;
    }
}

#[tokio::test]
async fn whoever_follows_a_project_is_counted_while_it_lasts() {
    let service = start("").await;
    let project = service.api.project().await;
    let first = Stream::open(&service.api, &project, None).await;
    let second = Stream::open(&service.api.afresh(), &project, None).await;
    assert!(is(figure(&service, "live_listeners").await, 2.0));
    drop(second);
    until("one has gone", async || {
        is(figure(&service, "live_listeners").await, 1.0)
    })
    .await;
    drop(first);
    until("both have gone", async || {
        is(figure(&service, "live_listeners").await, 0.0)
    })
    .await;
}

/// What it costs to count does not grow with what is counted.
#[tokio::test]
async fn a_large_table_is_estimated() {
    let database = crate::cluster::migrated().await;
    let url = database.parsed_url();
    let mut connection = database.connect().await;
    sqlx::raw_sql(
        "insert into projects (id, name) values ('00000000-0000-0000-0000-000000000001', 'large');
         insert into tasks (id, project_id, title, status)
         select gen_random_uuid(), '00000000-0000-0000-0000-000000000001', 'dig', (array['open', 'done'])[1 + n % 2]
         from generate_series(1, 80000) as n",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    let pages: i64 = sqlx::query_scalar("select pg_relation_size('tasks') / 8192")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert!(pages > 800, "{pages} pages are not many");
    let service = crate::instance::start_on(database, &url, "").await;
    until("the tasks are counted", async || {
        let reply = Api::at(service.metrics).get("/metrics").await.expect(200);
        let counts = reply.body.as_str().unwrap().lines().filter_map(|line| {
            let (series, count) = line.split_once(' ')?;
            series.starts_with("tasks{").then(|| count.parse::<f64>().unwrap())
        });
        // Of some 1300 pages 512 are picked at random: seven times the deviation to be expected.
        let counts: Vec<f64> = counts.collect();
        let total: f64 = counts.iter().sum();
        let near = (total - 80_000.0).abs() < 20_000.0;
        assert!(total < 1.0 || near, "{counts:?}");
        near
    })
    .await;
}

#[tokio::test]
async fn people_and_work_are_counted() {
    let database = crate::cluster::migrated().await;
    let (user, _) = database.user("bob").await;
    let url = database.parsed_url();
    let amounts = task_tracker::Amounts {
        users: 12,
        tasks: 100,
        seed: 7,
    };
    let made = task_tracker::seed(&url, &amounts).await.unwrap();
    assert_eq!(
        task_tracker::seed(&url, &amounts).await.unwrap(),
        0,
        "again adds nothing"
    );
    assert_eq!(made, 12 + 3 + 12 + 12 + 100 + 25 + 14 + 6 + 3 + 1);

    let service = crate::instance::start_on(database, &url, "").await;
    let count = async |series: &str| {
        let reply = Api::at(service.metrics).get("/metrics").await.expect(200);
        let text = reply.body.as_str().unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        line.map_or(-1.0, |count| count.trim().parse::<f64>().unwrap())
    };
    // Bob, and Ann whom every instance has.
    until("the sessions are counted", async || count("user_sessions ").await > 1.5).await;
    let states = [
        r#"tasks{status="open"}"#,
        r#"tasks{status="in_progress"}"#,
        r#"tasks{status="done"}"#,
    ];
    let mut tasks = 0.0;
    for state in states {
        let found = count(state).await;
        assert!(found > 0.0, "{state}");
        tasks += found;
    }
    assert!((tasks - 100.0).abs() < f64::EPSILON);
    assert!((count("active_users ").await - 2.0).abs() < f64::EPSILON);
    assert!(!user.is_nil());

    // The data is of use: somebody can log in and sees a project with tasks.
    let login = json!({ "email": "user0.7@example.com", "password": task_tracker::SEED_PASSWORD });
    let session = service.api.anonymous().post("/api/v1/session", login).await.expect(200);
    let first = service.api.with_session(session.session());
    let projects = first.get("/api/v1/projects").await.expect(200).body;
    let project = projects["items"][0]["id"].as_str().unwrap();
    let tasks = first
        .get(&format!("/api/v1/projects/{project}/tasks?sort=rank"))
        .await
        .expect(200)
        .body;
    assert!(!tasks["items"].as_array().unwrap().is_empty());
}
