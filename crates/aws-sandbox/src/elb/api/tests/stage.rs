//! Load balancers behind the AWS SDK's client, and what their parts are made of.

use std::net::Ipv4Addr;
use std::sync::Arc;

use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::config::{BehaviorVersion, Config, Region};
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, ForwardActionConfig, Matcher, ProtocolEnum, TargetGroupTuple, TargetTypeEnum,
};

use crate::cloudwatch::Metrics;
use crate::elb::Elb;
use crate::front::persist::StateDir;
use crate::loopback::{ACCOUNT, REGION, credentials, serve};

pub(super) struct Stage {
    pub(super) client: Client,
    pub(super) elsewhere: Client,
    _folder: tempfile::TempDir,
}

impl Stage {
    /// `listen` keeps the listeners of this test apart from those of the others.
    pub(super) async fn new(listen: Ipv4Addr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = StateDir::open(folder.path()).unwrap();
        let elb = Elb::open(&dir, ACCOUNT, listen, Arc::new(Metrics::default())).unwrap();
        elb.start().await.unwrap();
        let here = Arc::clone(&elb);
        let endpoint = serve(move |call| {
            let elb = Arc::clone(&here);
            async move { elb.answer(&call).await }
        })
        .await;
        let abroad = serve(move |mut call| {
            let elb = Arc::clone(&elb);
            call.region = String::from("us-east-1");
            async move { elb.answer(&call).await }
        })
        .await;
        Self {
            client: client(endpoint),
            elsewhere: client(abroad),
            _folder: folder,
        }
    }

    pub(super) async fn group(&self, name: &str) -> String {
        let created = self
            .client
            .create_target_group()
            .name(name)
            .protocol(ProtocolEnum::Http)
            .port(8080)
            .vpc_id("vpc-1")
            .target_type(TargetTypeEnum::Ip)
            .health_check_path("/readyz")
            .health_check_interval_seconds(1)
            .matcher(Matcher::builder().http_code("200-204").build())
            .send()
            .await
            .unwrap();
        created.target_groups()[0].target_group_arn().unwrap().to_owned()
    }

    pub(super) async fn balancer(&self) -> String {
        let created = self
            .client
            .create_load_balancer()
            .name("front")
            .subnets("subnet-1")
            .send()
            .await
            .unwrap();
        created.load_balancers()[0].load_balancer_arn().unwrap().to_owned()
    }

    pub(super) async fn listener(&self, balancer: &str, action: Action) -> String {
        let created = self
            .client
            .create_listener()
            .load_balancer_arn(balancer)
            .protocol(ProtocolEnum::Http)
            .port(8080)
            .default_actions(action)
            .send()
            .await
            .unwrap();
        created.listeners()[0].listener_arn().unwrap().to_owned()
    }
}

fn client(endpoint: String) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(credentials())
        .endpoint_url(endpoint);
    Client::from_conf(config.build())
}

/// An address per test and process.
pub(super) fn address(test: u8) -> Ipv4Addr {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 64 + high % 64, low, test)
}

pub(super) fn forward(weights: &[(&str, i32)]) -> Action {
    let groups = weights
        .iter()
        .map(|(arn, weight)| {
            TargetGroupTuple::builder()
                .target_group_arn(*arn)
                .weight(*weight)
                .build()
        })
        .collect();
    Action::builder()
        .r#type(ActionTypeEnum::Forward)
        .forward_config(ForwardActionConfig::builder().set_target_groups(Some(groups)).build())
        .build()
}

pub(super) fn weights(action: &Action) -> Vec<(String, i32)> {
    action
        .forward_config()
        .unwrap()
        .target_groups()
        .iter()
        .map(|group| (group.target_group_arn().unwrap().to_owned(), group.weight().unwrap()))
        .collect()
}
