use aws_sdk_ecr::Client;
use aws_sdk_ecr::config::{BehaviorVersion, Config, Region};

use crate::loopback::{REGION, credentials, serve};

#[tokio::test]
async fn a_token_names_the_registry() {
    let endpoint = serve(|call| async move { super::reply(&call, "http://127.0.0.1:4566") }).await;
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(credentials())
        .endpoint_url(endpoint);
    let answer = Client::from_conf(config.build())
        .get_authorization_token()
        .send()
        .await
        .unwrap();
    let data = &answer.authorization_data()[0];
    assert_eq!(data.proxy_endpoint(), Some("http://127.0.0.1:4566"));
    assert!(
        data.authorization_token().unwrap().starts_with("QVdTO"),
        "the user is AWS"
    );
}
