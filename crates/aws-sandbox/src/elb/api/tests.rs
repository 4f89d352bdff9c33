//! The API as the AWS SDK for Rust reads it.

mod stage;

use aws_sdk_elasticloadbalancingv2::error::ProvideErrorMetadata as _;
use aws_sdk_elasticloadbalancingv2::types::{
    PathPatternConditionConfig, ProtocolEnum, RuleCondition, RulePriorityPair, Tag, TargetDescription,
    TargetGroupAttribute, TargetHealthReasonEnum, TargetHealthStateEnum,
};

use stage::{Stage, address, forward, weights};

#[tokio::test]
async fn what_is_created_is_described() {
    let stage = Stage::new(address(1)).await;
    let (blue, green) = (stage.group("blue").await, stage.group("green").await);
    let balancer = stage.balancer().await;
    let listener = stage.listener(&balancer, forward(&[(&blue, 100), (&green, 0)])).await;

    let described = stage
        .client
        .describe_load_balancers()
        .names("front")
        .send()
        .await
        .unwrap();
    let front = &described.load_balancers()[0];
    assert_eq!(front.dns_name(), Some(address(1).to_string().as_str()));
    assert!(front.created_time().is_some() && front.availability_zones().len() == 1);

    let described = stage
        .client
        .describe_target_groups()
        .load_balancer_arn(&balancer)
        .send()
        .await
        .unwrap();
    let groups = described.target_groups();
    assert_eq!(groups.len(), 2);
    let group = &groups[0];
    assert_eq!(group.target_group_arn(), Some(blue.as_str()));
    assert_eq!(group.load_balancer_arns(), std::slice::from_ref(&balancer));
    assert_eq!(group.matcher().unwrap().http_code(), Some("200-204"));
    assert_eq!(
        (group.health_check_interval_seconds(), group.healthy_threshold_count()),
        (Some(1), Some(5))
    );

    let described = stage
        .client
        .describe_listeners()
        .load_balancer_arn(&balancer)
        .send()
        .await
        .unwrap();
    assert_eq!(described.listeners()[0].listener_arn(), Some(listener.as_str()));
    let action = &described.listeners()[0].default_actions()[0];
    assert_eq!(weights(action), [(blue.clone(), 100), (green, 0)]);
    assert_eq!(action.target_group_arn(), None, "there is more than one");

    let elsewhere = stage.elsewhere.describe_load_balancers().send().await.unwrap();
    assert!(elsewhere.load_balancers().is_empty(), "regions are isolated");
    let error = stage
        .elsewhere
        .describe_target_groups()
        .target_group_arns(&blue)
        .send()
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some("TargetGroupNotFound"));
}

#[tokio::test]
async fn rules_are_created_shifted_and_deleted() {
    let stage = Stage::new(address(2)).await;
    let (blue, green) = (stage.group("blue").await, stage.group("green").await);
    let balancer = stage.balancer().await;
    let listener = stage.listener(&balancer, forward(&[(&blue, 1)])).await;
    let path = PathPatternConditionConfig::builder().values("/api/*").build();
    let rule = |priority| {
        let condition = RuleCondition::builder()
            .field("path-pattern")
            .path_pattern_config(path.clone())
            .build();
        stage
            .client
            .create_rule()
            .listener_arn(&listener)
            .priority(priority)
            .conditions(condition)
            .actions(forward(&[(&blue, 1), (&green, 1)]))
            .send()
    };
    let created = rule(5).await.unwrap();
    let arn = created.rules()[0].rule_arn().unwrap().to_owned();
    assert_eq!(rule(5).await.unwrap_err().code(), Some("PriorityInUse"));

    let action = forward(&[(&blue, 90), (&green, 10)]);
    let modified = stage
        .client
        .modify_rule()
        .rule_arn(&arn)
        .actions(action)
        .send()
        .await
        .unwrap();
    assert_eq!(
        weights(&modified.rules()[0].actions()[0]),
        [(blue.clone(), 90), (green.clone(), 10)]
    );
    assert_eq!(
        modified.rules()[0].conditions()[0]
            .path_pattern_config()
            .unwrap()
            .values(),
        ["/api/*"]
    );

    let pair = RulePriorityPair::builder().rule_arn(&arn).priority(7).build();
    stage
        .client
        .set_rule_priorities()
        .rule_priorities(pair)
        .send()
        .await
        .unwrap();
    let described = stage
        .client
        .describe_rules()
        .listener_arn(&listener)
        .send()
        .await
        .unwrap();
    let priorities: Vec<_> = described.rules().iter().map(|rule| rule.priority().unwrap()).collect();
    assert_eq!(priorities, ["7", "default"]);
    let default = &described.rules()[1];
    assert_eq!(
        (default.is_default(), default.actions()[0].target_group_arn()),
        (Some(true), Some(blue.as_str()))
    );

    let default = default.rule_arn().unwrap();
    let refused = stage.client.delete_rule().rule_arn(default).send().await.unwrap_err();
    assert_eq!(refused.code(), Some("OperationNotPermitted"));
    let action = forward(&[(&green, 1)]);
    stage
        .client
        .modify_listener()
        .listener_arn(&listener)
        .default_actions(action)
        .send()
        .await
        .unwrap();
    stage.client.delete_rule().rule_arn(&arn).send().await.unwrap();
    let described = stage.client.describe_rules().rule_arns(default).send().await.unwrap();
    assert_eq!(weights(&described.rules()[0].actions()[0]), [(green.clone(), 1)]);

    let refused = stage
        .client
        .delete_target_group()
        .target_group_arn(&green)
        .send()
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Some("ResourceInUse"));
    stage
        .client
        .delete_load_balancer()
        .load_balancer_arn(&balancer)
        .send()
        .await
        .unwrap();
    stage
        .client
        .delete_target_group()
        .target_group_arn(&green)
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn targets_are_registered_checked_and_drained() {
    let stage = Stage::new(address(3)).await;
    let blue = stage.group("blue").await;
    let balancer = stage.balancer().await;
    let target = || TargetDescription::builder().id("127.0.0.1").port(1).build();
    stage
        .client
        .register_targets()
        .target_group_arn(&blue)
        .targets(target())
        .send()
        .await
        .unwrap();
    let health = || async {
        let described = stage
            .client
            .describe_target_health()
            .target_group_arn(&blue)
            .send()
            .await
            .unwrap();
        let health = described.target_health_descriptions()[0].target_health().unwrap();
        (health.state().unwrap().clone(), health.reason().cloned())
    };
    assert_eq!(
        health().await,
        (TargetHealthStateEnum::Unused, Some(TargetHealthReasonEnum::NotInUse))
    );
    stage.listener(&balancer, forward(&[(&blue, 1)])).await;
    let (found, _) = health().await;
    assert!(
        matches!(found, TargetHealthStateEnum::Initial | TargetHealthStateEnum::Unhealthy),
        "{found}"
    );
    stage
        .client
        .deregister_targets()
        .target_group_arn(&blue)
        .targets(target())
        .send()
        .await
        .unwrap();
    assert_eq!(
        health().await,
        (
            TargetHealthStateEnum::Draining,
            Some(TargetHealthReasonEnum::DeregistrationInProgress)
        )
    );
    let instance = TargetDescription::builder().id("i-0123456789").build();
    let refused = stage
        .client
        .register_targets()
        .target_group_arn(&blue)
        .targets(instance)
        .send()
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Some("InvalidTarget"));
}

#[tokio::test]
async fn attributes_and_tags_are_kept() {
    let stage = Stage::new(address(4)).await;
    let blue = stage.group("blue").await;
    let attribute = |key: &str, value: &str| TargetGroupAttribute::builder().key(key).value(value).build();
    stage
        .client
        .modify_target_group_attributes()
        .target_group_arn(&blue)
        .attributes(attribute("stickiness.enabled", "true"))
        .attributes(attribute("deregistration_delay.timeout_seconds", "7"))
        .send()
        .await
        .unwrap();
    let described = stage
        .client
        .describe_target_group_attributes()
        .target_group_arn(&blue)
        .send()
        .await
        .unwrap();
    let value = |key| {
        described
            .attributes()
            .iter()
            .find(|found| found.key() == Some(key))
            .and_then(|found| found.value())
    };
    assert_eq!(value("stickiness.enabled"), Some("true"));
    assert_eq!(value("deregistration_delay.timeout_seconds"), Some("7"));
    let refused = stage
        .client
        .modify_target_group_attributes()
        .target_group_arn(&blue)
        .attributes(attribute("deregistration_delay.timeout_seconds", "long"))
        .send()
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Some("ValidationError"));

    let tag = Tag::builder().key("owner").value("tasks & co").build();
    stage
        .client
        .add_tags()
        .resource_arns(&blue)
        .tags(tag)
        .send()
        .await
        .unwrap();
    let described = stage.client.describe_tags().resource_arns(&blue).send().await.unwrap();
    assert_eq!(described.tag_descriptions()[0].tags()[0].value(), Some("tasks & co"));
    stage
        .client
        .remove_tags()
        .resource_arns(&blue)
        .tag_keys("owner")
        .send()
        .await
        .unwrap();
    let described = stage.client.describe_tags().resource_arns(&blue).send().await.unwrap();
    assert!(described.tag_descriptions()[0].tags().is_empty());

    let balancer = stage.balancer().await;
    let described = stage
        .client
        .describe_load_balancer_attributes()
        .load_balancer_arn(&balancer)
        .send()
        .await
        .unwrap();
    assert!(
        described
            .attributes()
            .iter()
            .any(|found| found.key() == Some("deletion_protection.enabled"))
    );
}

#[tokio::test]
async fn lists_come_in_pages() {
    let stage = Stage::new(address(5)).await;
    for name in ["a", "b", "c"] {
        stage.group(name).await;
    }
    let pages = stage
        .client
        .describe_target_groups()
        .page_size(2)
        .into_paginator()
        .items()
        .send();
    let names: Vec<_> = pages
        .collect::<Result<Vec<_>, _>>()
        .await
        .unwrap()
        .iter()
        .map(|group| group.target_group_name().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[tokio::test]
async fn what_the_sandbox_does_not_have_is_refused_by_name() {
    let stage = Stage::new(address(6)).await;
    let error = stage.client.describe_account_limits().send().await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidAction"));
    assert!(error.message().unwrap().contains("DescribeAccountLimits"));
    let balancer = stage.balancer().await;
    let https = stage
        .client
        .create_listener()
        .load_balancer_arn(&balancer)
        .protocol(ProtocolEnum::Https)
        .port(443)
        .default_actions(forward(&[("arn:none", 1)]))
        .send()
        .await
        .unwrap_err();
    assert_eq!(https.code(), Some("UnsupportedProtocol"));
}
