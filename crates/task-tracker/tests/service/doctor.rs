//! `task-tracker doctor`: what it finds when all is well, and what it says when it is not.

use serde_json::Value;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{
    cluster::{self, Database},
    command::{outcome, task_tracker},
    instance::WEBHOOK_KEYS,
    store,
};

/// Exit code, and each check with its verdict and detail.
async fn examined(
    database: &Database,
    url: &str,
    variables: &[(&str, &str)],
) -> (Option<i32>, Vec<(String, String, String)>) {
    let mut command = task_tracker(if url.is_empty() { database.url() } else { url.to_owned() }.as_str());
    command
        .args(["doctor", "--output", "json"])
        // How many files may be open is a matter of the machine.
        .env("MAX_CONNECTIONS", "100")
        .envs(variables.iter().copied());
    let (code, out, error) = outcome(&mut command).await;
    assert_eq!(error, "", "{out}");
    let findings = out.lines().map(|line| {
        let finding: Value = serde_json::from_str(line).unwrap();
        assert_eq!(finding["v"], 1);
        let needs_something = ["warning", "failed"].contains(&finding["verdict"].as_str().unwrap());
        assert_eq!(finding["next"].is_string(), needs_something, "{line}");
        let text = |key: &str| finding[key].as_str().unwrap().to_owned();
        (text("check"), text("verdict"), text("detail"))
    });
    (code, findings.collect())
}

fn verdicts(findings: &[(String, String, String)]) -> Vec<(&str, &str)> {
    findings
        .iter()
        .map(|(check, verdict, _)| (check.as_str(), verdict.as_str()))
        .collect()
}

fn detail<'f>(findings: &'f [(String, String, String)], wanted: &str) -> &'f str {
    &findings.iter().find(|(check, ..)| check == wanted).unwrap().2
}

const WELL: [(&str, &str); 11] = [
    ("settings", "ok"),
    ("open-files", "ok"),
    ("secrets", "ok"),
    ("database", "ok"),
    ("schema", "ok"),
    ("rights", "ok"),
    ("clock", "ok"),
    ("connections", "ok"),
    ("webhooks", "skipped"),
    ("attachments", "skipped"),
    ("traces", "skipped"),
];

fn well_but(others: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    let verdict = |check| {
        others
            .iter()
            .find(|(other, _)| *other == check)
            .map(|(_, verdict)| *verdict)
    };
    WELL.map(|(check, usual)| (check, verdict(check).unwrap_or(usual)))
        .to_vec()
}

#[tokio::test]
async fn a_service_that_can_be_started_is_well() {
    let database = cluster::migrated().await;
    let (code, findings) = examined(&database, "", &[]).await;
    assert_eq!((code, verdicts(&findings)), (Some(0), WELL.to_vec()), "{findings:?}");
    let (code, out, _) = outcome(
        task_tracker(&database.url())
            .env("MAX_CONNECTIONS", "100")
            .arg("doctor"),
    )
    .await;
    assert_eq!(code, Some(0));
    assert!(
        out.starts_with("ok      settings     release 1.2.3 on 127.0.0.1"),
        "{out}"
    );
    assert_eq!(out.lines().count(), WELL.len());
}

#[tokio::test]
async fn what_is_in_the_way_of_serving_is_named() {
    let database = cluster::migrated().await;
    let empty = cluster::empty().await;
    let (code, findings) = examined(&empty, "", &[]).await;
    assert_eq!(
        (code, verdicts(&findings)),
        (Some(1), well_but(&[("schema", "failed")]))
    );
    assert_eq!(detail(&findings, "schema"), cluster::needs_its_schema());

    let (code, findings) = examined(&database, "", &[("DATABASE_POOL", "400")]).await;
    assert_eq!(
        (code, verdicts(&findings)),
        (Some(1), well_but(&[("connections", "failed")])),
        "{findings:?}"
    );

    let (code, findings) = examined(&database, "", &[("FINISH_SECONDS", "200")]).await;
    assert_eq!(
        (code, verdicts(&findings)),
        (Some(1), well_but(&[("settings", "failed")]))
    );

    let role = format!("poor_{}", Uuid::now_v7().simple());
    let mut connection = database.connect().await;
    sqlx::raw_sql(AssertSqlSafe(format!(
        "create role {role} login; grant select on all tables in schema public to {role};
         grant insert, update, delete on all tables in schema public to {role};
         revoke update on tasks from {role}"
    )))
    .execute(&mut connection)
    .await
    .unwrap();
    let poor = database.url().replace("postgres@", &format!("{role}@"));
    let (code, findings) = examined(&database, &poor, &[]).await;
    assert_eq!(
        (code, verdicts(&findings)),
        (Some(1), well_but(&[("rights", "failed")])),
        "{findings:?}"
    );
    assert!(detail(&findings, "rights").ends_with("all of: tasks"), "{findings:?}");
}

#[tokio::test]
async fn without_a_database_the_rest_is_still_looked_at_and_no_password_is_shown() {
    let database = cluster::migrated().await;
    let gone = "postgres://app:hunter2@127.0.0.1:1/tasks";
    let skipped = ["schema", "rights", "clock", "connections"].map(|check| (check, "skipped"));
    let (code, findings) = examined(&database, gone, &[]).await;
    assert_eq!(
        (code, verdicts(&findings)),
        (Some(1), well_but(&[&[("database", "failed")], &skipped[..]].concat()))
    );
    assert!(!format!("{findings:?}").contains("hunter2"));
    let (code, findings) = examined(&database, "mysql://app:hunter2@db/tasks", &[]).await;
    assert_eq!(code, Some(1));
    assert_eq!(
        verdicts(&findings),
        [
            ("settings", "ok"),
            ("open-files", "ok"),
            ("secrets", "failed"),
            ("webhooks", "skipped"),
            ("attachments", "skipped"),
            ("traces", "skipped")
        ]
    );
    assert!(!format!("{findings:?}").contains("hunter2"));
}

/// What the service has from AWS, looked at as the service would.
#[tokio::test]
async fn the_bucket_and_the_secrets_are_tried_out() {
    let database = cluster::migrated().await;
    let store = store::start().await;
    let secrets = store.secrets();
    let put = async |name: &str, value: &str| {
        let made = secrets.create_secret().name(name).secret_string(value);
        made.send().await.unwrap().arn.unwrap()
    };
    let (url, keys) = (put("url", &database.url()).await, put("keys", WEBHOOK_KEYS).await);
    let known = [
        ("AWS_ENDPOINT_URL", store.endpoint.as_str()),
        ("AWS_ACCESS_KEY_ID", "sandbox"),
        ("AWS_SECRET_ACCESS_KEY", "sandbox"),
        ("ATTACHMENTS_BUCKET", "files"),
        ("DATABASE_SECRET_ARN", url.as_str()),
        ("WEBHOOK_KEYS_SECRET_ARN", keys.as_str()),
    ];
    let with = |others: &[(&'static str, &'static str)]| [&known[..], others].concat();
    let all = [("webhooks", "ok"), ("attachments", "ok")];
    let (code, findings) = examined(&database, "", &known).await;
    assert_eq!((code, verdicts(&findings)), (Some(0), well_but(&all)), "{findings:?}");
    assert!(
        detail(&findings, "secrets").contains("Secrets Manager, and followed"),
        "{findings:?}"
    );

    for (others, check, expected) in [
        (
            ("ATTACHMENTS_BUCKET", "no-such-files"),
            "attachments",
            "the bucket answered 404",
        ),
        (
            ("AWS_SECRET_ACCESS_KEY", "wrong"),
            "attachments",
            "the bucket answered 403",
        ),
    ] {
        let (code, findings) = examined(&database, "", &with(&[others])).await;
        let but = well_but(&[("webhooks", "ok"), (check, "failed")]);
        assert_eq!((code, verdicts(&findings)), (Some(1), but), "{findings:?}");
        assert!(detail(&findings, check).contains(expected), "{findings:?}");
    }
    let nowhere = "arn:aws:secretsmanager:us-east-1:000000000000:secret:nowhere";
    let (code, findings) = examined(&database, "", &with(&[("WEBHOOK_KEYS_SECRET_ARN", nowhere)])).await;
    let but = well_but(&[("webhooks", "failed")]);
    assert_eq!((code, verdicts(&findings)), (Some(1), but), "{findings:?}");
    assert!(
        detail(&findings, "webhooks").contains("ResourceNotFoundException"),
        "{findings:?}"
    );
    assert!(!format!("{findings:?}").contains(WEBHOOK_KEYS));
}
