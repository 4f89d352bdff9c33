use aws_sdk_sts::Client;
use aws_sdk_sts::config::{BehaviorVersion, Config, Region};

use crate::loopback::{ACCOUNT, REGION, credentials, serve};

#[tokio::test]
async fn the_caller_is_the_one_account() {
    let endpoint = serve(|call| async move { super::reply(&call) }).await;
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(credentials())
        .endpoint_url(endpoint);
    let identity = Client::from_conf(config.build())
        .get_caller_identity()
        .send()
        .await
        .unwrap();
    assert_eq!(identity.account(), Some(ACCOUNT));
    assert_eq!(identity.arn(), Some("arn:aws:iam::000000000000:user/sandbox"));
}
