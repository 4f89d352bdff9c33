//! Full-text search: what it finds, and that it does not read a whole project for it.

use serde_json::json;
use task_tracker::Amounts;

use crate::{
    cluster,
    instance::{start, start_on},
    line::until,
};

#[tokio::test]
async fn words_phrases_and_exclusions_are_found_in_one_project_only() {
    let service = start("").await;
    let (project, other) = (service.api.project().await, service.api.project().await);
    for title in ["dig the garden", "garden fence", "paint"] {
        service.api.task(&project, title).await;
    }
    service.api.task(&other, "garden elsewhere").await;
    let found = async |query: &str| {
        let path = format!("/api/v1/projects/{project}/tasks?{query}");
        let page = service.api.get(&path).await.expect(200).body;
        let titles = page["items"].as_array().unwrap().iter();
        titles
            .map(|task| task["title"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    for (query, expected) in [
        ("q=garden", &["dig the garden", "garden fence"][..]),
        ("q=garden&sort=rank", &["dig the garden", "garden fence"]),
        ("q=%22the%20garden%22", &["dig the garden"]),
        ("q=garden%20-fence", &["dig the garden"]),
        ("q=-garden", &["paint"]),
        ("q=fence%20or%20paint", &["garden fence", "paint"]),
        ("q=garden&status=done", &[]),
        // Nothing that is a word, and what only the index knows.
        ("q=!!!", &[]),
        ("q=", &[]),
        (&format!("q=in%20{project}"), &[]),
    ] {
        assert_eq!(found(query).await, expected, "{query}");
    }
}

/// The statement that the service really sends, again and again: after the fifth time PostgreSQL may plan it without looking
/// at what is asked for.
#[tokio::test]
async fn a_search_goes_by_the_index() {
    let database = cluster::migrated().await;
    let url = database.parsed_url();
    let amounts = Amounts {
        users: 5,
        tasks: 20_000,
        seed: 3,
    };
    task_tracker::seed(&url, &amounts).await.unwrap();
    let mut connection = database.connect().await;
    sqlx::raw_sql("vacuum analyze tasks")
        .execute(&mut connection)
        .await
        .unwrap();
    let service = start_on(database, &url, "--database-pool 1").await;
    let login = json!({ "email": "user0.3@example.com", "password": task_tracker::SEED_PASSWORD });
    let session = service.api.anonymous().post("/api/v1/session", login).await.expect(200);
    let first = service.api.with_session(session.session());
    let projects = first.get("/api/v1/projects").await.expect(200).body;
    let project = projects["items"][0]["id"].as_str().unwrap();
    first.task(project, "polish the telescope").await;

    let times = 20;
    for _ in 0..times / 2 {
        for sort in ["id", "rank"] {
            let path = format!("/api/v1/projects/{project}/tasks?q=telescope&sort={sort}");
            let page = first.get(&path).await.expect(200).body;
            assert_eq!(page["items"].as_array().unwrap().len(), 1, "{sort}");
        }
    }
    // What a server process has to tell of its scans it tells at the latest when it ends.
    sqlx::raw_sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'task-tracker 1.2.3' and datname = current_database()")
        .execute(&mut connection)
        .await
        .unwrap();
    until("every search has used the index", async || {
        let mut onlooker = service.database.connect().await;
        let used: i64 = sqlx::query_scalar(
            "select coalesce(idx_scan, 0) from pg_stat_user_indexes where indexrelname = 'tasks_words'",
        )
        .fetch_one(&mut onlooker)
        .await
        .unwrap();
        used == times
    })
    .await;
}
