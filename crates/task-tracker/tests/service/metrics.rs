use serde_json::json;

use crate::{api::Api, instance::start, line::until};

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
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("wp-admin") && !text.contains(&project));
    service.api.get("/metrics").await.expect(404);
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
    assert_eq!(made, 12 + 3 + 12 + 12 + 100 + 25);

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
