use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::{BehaviorVersion, Config, Region};
use aws_sdk_secretsmanager::error::ProvideErrorMetadata as _;

use super::*;
use crate::loopback::{ACCOUNT, REGION, credentials, serve};

async fn client(folder: &tempfile::TempDir) -> Client {
    let secrets = std::sync::Arc::new(Secrets::open(&StateDir::open(folder.path()).unwrap(), ACCOUNT).unwrap());
    let endpoint = serve(move |call| {
        let secrets = std::sync::Arc::clone(&secrets);
        async move { secrets.answer(&call) }
    })
    .await;
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(credentials())
        .endpoint_url(endpoint);
    Client::from_conf(config.build())
}

#[tokio::test]
async fn a_secret_lives_through_its_versions_until_it_is_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let client = client(&folder).await;
    let created = client
        .create_secret()
        .name("app/db")
        .secret_string("one")
        .send()
        .await
        .unwrap();
    assert!(
        created
            .arn()
            .unwrap()
            .starts_with("arn:aws:secretsmanager:eu-central-1:000000000000:secret:app/db-")
    );
    let again = client
        .create_secret()
        .name("app/db")
        .secret_string("two")
        .send()
        .await
        .unwrap_err();
    assert_eq!(again.code(), Some("ResourceExistsException"));

    client
        .put_secret_value()
        .secret_id("app/db")
        .secret_string("two")
        .send()
        .await
        .unwrap();
    let current = client
        .get_secret_value()
        .secret_id(created.arn().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(current.secret_string(), Some("two"));
    let previous = client
        .get_secret_value()
        .secret_id("app/db")
        .version_stage("AWSPREVIOUS")
        .send()
        .await
        .unwrap();
    assert_eq!(previous.secret_string(), Some("one"));
    assert_eq!(previous.version_id(), created.version_id());

    let described = client.describe_secret().secret_id("app/db").send().await.unwrap();
    assert_eq!(described.version_ids_to_stages().unwrap().len(), 2);
    let listed = client.list_secrets().send().await.unwrap();
    assert_eq!(listed.secret_list()[0].name(), Some("app/db"));

    client.delete_secret().secret_id("app/db").send().await.unwrap();
    let deleted = client.get_secret_value().secret_id("app/db").send().await.unwrap_err();
    assert_eq!(deleted.code(), Some("InvalidRequestException"));
    client.restore_secret().secret_id("app/db").send().await.unwrap();
    client
        .delete_secret()
        .secret_id("app/db")
        .force_delete_without_recovery(true)
        .send()
        .await
        .unwrap();
    let gone = client.get_secret_value().secret_id("app/db").send().await.unwrap_err();
    assert!(gone.as_service_error().unwrap().is_resource_not_found_exception());
}

#[test]
fn a_task_definition_can_refer_to_a_secret_in_every_way() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = Secrets::open(&StateDir::open(folder.path()).unwrap(), ACCOUNT).unwrap();
    let arn = secrets.create(REGION, "app/db", r#"{"url":"postgres://x","port":5432}"#);
    let value = |reference: &str| secrets.value(REGION, reference);
    let whole = Some(r#"{"url":"postgres://x","port":5432}"#.to_owned());
    assert_eq!(value("app/db"), whole);
    assert_eq!(value(&arn), whole);
    assert_eq!(value(&format!("{arn}:url::")), Some("postgres://x".to_owned()));
    assert_eq!(value(&format!("{arn}:port:AWSCURRENT:")), Some("5432".to_owned()));
    assert_eq!(value(&format!("{arn}:absent::")), None);
    assert_eq!(value(&format!("{arn}:url:AWSPREVIOUS:")), None);
    assert_eq!(secrets.value("us-east-1", "app/db"), None, "regions are isolated");
    assert_eq!(secrets.value("us-east-1", &arn), whole, "an ARN names its region");
    assert_eq!(
        secrets.create(REGION, "app/db", "new"),
        arn,
        "creating again keeps the secret and changes its value"
    );
    assert_eq!(value("app/db"), Some("new".to_owned()));
}
