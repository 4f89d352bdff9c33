//! How requests reach the service: listener rules with their weights, target groups with their health.

use aws_sdk_elasticloadbalancingv2::types::{ForwardActionConfig, Rule, TargetHealthStateEnum};
use tt_execute::PortError;
use tt_plan::{Arn, Route, Share, TargetGroup};

use crate::{
    clients::Clients,
    error::{absent, failed, not_found},
};

/// A listener rule with its listener's address.
pub(crate) async fn route(clients: &Clients, rule: &Arn) -> Result<(Route, Arn), PortError> {
    let action = format!("describe listener rule {rule}");
    let (weights, sticky) = forward(clients, rule).await?;
    let listener = listener_of(rule);
    let listeners = clients
        .elb
        .describe_listeners()
        .listener_arns(listener.as_str())
        .send()
        .await
        .map_err(failed(action.clone()))?;
    let listener = listeners
        .listeners()
        .first()
        .ok_or_else(|| absent(&action, "listener"))?;
    let balancer = Arn::new(
        listener
            .load_balancer_arn()
            .ok_or_else(|| absent(&action, "load balancer"))?,
    );
    let port = listener.port().ok_or_else(|| absent(&action, "port"))?;
    let scheme = if listener.protocol().is_some_and(|protocol| protocol.as_str() == "HTTPS") {
        "https"
    } else {
        "http"
    };
    let balancers = clients
        .elb
        .describe_load_balancers()
        .load_balancer_arns(balancer.as_str())
        .send()
        .await
        .map_err(failed(action.clone()))?;
    let host = balancers
        .load_balancers()
        .first()
        .and_then(|found| found.dns_name())
        .ok_or_else(|| absent(&action, "DNS name"))?;
    let base_url = format!("{scheme}://{host}:{port}");
    Ok((
        Route {
            rule: rule.clone(),
            base_url,
            weights,
            sticky,
        },
        balancer,
    ))
}

/// A rule's target groups with their weights, and whether it is sticky.
async fn forward(clients: &Clients, rule: &Arn) -> Result<(Vec<(Arn, u32)>, bool), PortError> {
    let action = format!("describe listener rule {rule}");
    let rules = clients
        .elb
        .describe_rules()
        .rule_arns(rule.as_str())
        .send()
        .await
        .map_err(failed(action.clone()))?;
    let found = rules.rules().first().ok_or_else(|| {
        not_found(
            action.clone(),
            "the load balancer has no such rule",
            "the service names a rule that was deleted; apply Terraform again",
        )
    })?;
    Ok(weights(found))
}

fn weights(rule: &Rule) -> (Vec<(Arn, u32)>, bool) {
    let mut groups = Vec::new();
    let mut sticky = false;
    for action in rule.actions() {
        if let Some(config) = action.forward_config() {
            groups.extend(tuples(config));
            sticky |= config
                .target_group_stickiness_config()
                .and_then(aws_sdk_elasticloadbalancingv2::types::TargetGroupStickinessConfig::enabled)
                .unwrap_or(false);
        } else if let Some(group) = action.target_group_arn() {
            groups.push((Arn::new(group), 1));
        }
    }
    (groups, sticky)
}

fn tuples(config: &ForwardActionConfig) -> impl Iterator<Item = (Arn, u32)> {
    let weight = |weight: Option<i32>| weight.and_then(|weight| u32::try_from(weight).ok()).unwrap_or(1);
    config
        .target_groups()
        .iter()
        .filter_map(move |tuple| Some((Arn::new(tuple.target_group_arn()?), weight(tuple.weight()))))
}

/// The share of a rule's requests that goes to `group` right now.
pub(crate) async fn share(clients: &Clients, rule: &Arn, group: &Arn) -> Result<Share, PortError> {
    let (weights, _) = forward(clients, rule).await?;
    let total = weights.iter().map(|(_, weight)| u64::from(*weight)).sum();
    let ours = weights
        .iter()
        .filter(|(arn, _)| arn == group)
        .map(|(_, weight)| u64::from(*weight))
        .sum();
    Ok(Share::of(ours, total))
}

/// A target group's health; draining targets do not count.
pub(crate) async fn health(clients: &Clients, group: &Arn) -> Result<TargetGroup, PortError> {
    let states = target_states(clients, group).await?;
    let counted = states
        .iter()
        .filter(|target| target.state != TargetHealthStateEnum::Draining);
    let healthy = counted
        .clone()
        .filter(|target| target.state == TargetHealthStateEnum::Healthy)
        .count();
    let whole = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Ok(TargetGroup {
        arn: group.clone(),
        healthy: whole(healthy),
        total: whole(counted.count()),
    })
}

/// One target.
pub(crate) struct TargetState {
    pub(crate) address: String,
    pub(crate) state: TargetHealthStateEnum,
    pub(crate) reason: String,
}

pub(crate) async fn target_states(clients: &Clients, group: &Arn) -> Result<Vec<TargetState>, PortError> {
    let action = format!("read the health of target group {}", group.short());
    let answer = clients
        .elb
        .describe_target_health()
        .target_group_arn(group.as_str())
        .send()
        .await
        .map_err(failed(action))?;
    let state = |found: &aws_sdk_elasticloadbalancingv2::types::TargetHealthDescription| {
        let health = found.target_health()?;
        let address = found
            .target()
            .map(|target| format!("{}:{}", target.id().unwrap_or("?"), target.port().unwrap_or(0)))?;
        let reason = health
            .description()
            .or_else(|| {
                health
                    .reason()
                    .map(aws_sdk_elasticloadbalancingv2::types::TargetHealthReasonEnum::as_str)
            })
            .unwrap_or_default()
            .to_owned();
        Some(TargetState {
            address,
            state: health.state()?.clone(),
            reason,
        })
    };
    Ok(answer.target_health_descriptions().iter().filter_map(state).collect())
}

/// `…:listener-rule/app/x/1/2/3` belongs to `…:listener/app/x/1/2`; a listener's default rule may be named by the listener itself.
fn listener_of(rule: &Arn) -> Arn {
    match rule.as_str().split_once(":listener-rule/") {
        Some((head, tail)) => Arn::new(format!(
            "{head}:listener/{}",
            tail.rsplit_once('/').map_or(tail, |(listener, _)| listener)
        )),
        None => rule.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_names_its_listener() {
        let rule = Arn::new("arn:aws:elasticloadbalancing:r:0:listener-rule/app/web/50dc/f2f7/9683");
        assert_eq!(
            listener_of(&rule).as_str(),
            "arn:aws:elasticloadbalancing:r:0:listener/app/web/50dc/f2f7"
        );
    }
}
