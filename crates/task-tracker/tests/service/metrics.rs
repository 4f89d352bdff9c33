use crate::{api::Api, instance::start};

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
        "database_pool_wait_seconds_count 5",
        "database_pool_max_connections 8",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("wp-admin") && !text.contains(&project));
    service.api.get("/metrics").await.expect(404);
}
