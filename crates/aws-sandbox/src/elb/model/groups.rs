//! Target groups and the targets registered in them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use time::OffsetDateTime;

use super::balancers::check_name;
use super::{DEREGISTRATION_DELAY, HealthCheck, Model, Registration, Tags, Target, TargetGroup, TargetGroupSpec};
use crate::elb::ElbError;
use crate::elb::arn::{self, Place};

impl Model {
    /// Idempotent like the creation of a load balancer.
    pub(in crate::elb) fn create_group(
        &mut self,
        place: &Place,
        spec: TargetGroupSpec,
        vpc: Option<String>,
        tags: Tags,
    ) -> Result<String, ElbError> {
        check_name("target group", &spec.name)?;
        check_health_check(&spec.health_check)?;
        let attributes = attributes(&spec);
        if let Some(known) = self.group_named(&place.region, &spec.name) {
            let same = known.port == spec.port && known.health_check == spec.health_check && known.vpc == vpc;
            return if same {
                Ok(known.arn.clone())
            } else {
                Err(ElbError::DuplicateTargetGroupName(spec.name))
            };
        }
        let arn = place.target_group(&spec.name);
        let group = TargetGroup {
            arn: arn.clone(),
            name: spec.name,
            port: spec.port,
            vpc,
            health_check: spec.health_check,
            attributes,
            targets: Vec::new(),
            tags,
        };
        self.groups.insert(arn.clone(), group);
        Ok(arn)
    }

    pub(in crate::elb) fn group_named(&self, region: &str, name: &str) -> Option<&TargetGroup> {
        self.groups
            .values()
            .find(|known| known.name == name && arn::region(&known.arn) == region)
    }

    pub(in crate::elb) fn group(&self, arn: &str) -> Result<&TargetGroup, ElbError> {
        self.groups
            .get(arn)
            .ok_or_else(|| ElbError::TargetGroupNotFound(arn.to_owned()))
    }

    pub(in crate::elb) fn group_mut(&mut self, arn: &str) -> Result<&mut TargetGroup, ElbError> {
        self.groups
            .get_mut(arn)
            .ok_or_else(|| ElbError::TargetGroupNotFound(arn.to_owned()))
    }

    pub(in crate::elb) fn set_health_check(&mut self, arn: &str, check: HealthCheck) -> Result<(), ElbError> {
        check_health_check(&check)?;
        self.group_mut(arn)?.health_check = check;
        Ok(())
    }

    pub(in crate::elb) fn delete_group(&mut self, arn: &str) -> Result<(), ElbError> {
        self.group(arn)?;
        if self.balancers_of(arn).is_empty() {
            self.groups.remove(arn);
            return Ok(());
        }
        Err(ElbError::ResourceInUse(arn.to_owned()))
    }

    /// The load balancers with a rule that names this group, whatever its weight there.
    pub(in crate::elb) fn balancers_of(&self, group: &str) -> BTreeSet<&str> {
        self.rules
            .values()
            .filter(|rule| rule.action.groups().iter().any(|(arn, _)| arn == group))
            .filter_map(|rule| self.listeners.get(&rule.listener))
            .map(|listener| listener.load_balancer.as_str())
            .collect()
    }

    /// A target that drains comes back as a new one.
    pub(in crate::elb) fn register(&mut self, group: &str, target: Target) -> Result<(), ElbError> {
        if target.port == 0 || target.ip == Ipv4Addr::UNSPECIFIED {
            return Err(ElbError::InvalidTarget(format!(
                "The target '{}' has no address",
                target.address()
            )));
        }
        let targets = &mut self.group_mut(group)?.targets;
        targets.retain(|(known, registration)| *known != target || matches!(registration, Registration::Registered));
        if !targets.iter().any(|(known, _)| *known == target) {
            targets.push((target, Registration::Registered));
        }
        Ok(())
    }

    /// Lets a target drain. Answers when it is to be forgotten; nothing when it was not registered.
    pub(in crate::elb) fn deregister(
        &mut self,
        group: &str,
        target: Target,
        now: OffsetDateTime,
    ) -> Result<Option<OffsetDateTime>, ElbError> {
        let in_use = !self.balancers_of(group).is_empty();
        let group = self.group_mut(group)?;
        // Nobody sends requests to an unused group, so there is nothing to wait for.
        let delay = if in_use {
            group.deregistration_delay()
        } else {
            Duration::ZERO
        };
        let until = now + delay;
        let Some((_, registration)) = group.targets.iter_mut().find(|(known, _)| *known == target) else {
            return Ok(None);
        };
        match registration {
            Registration::Draining { until } => Ok(Some(*until)),
            Registration::Registered => {
                *registration = Registration::Draining { until };
                Ok(Some(until))
            }
        }
    }

    /// Forgets targets whose delay is over.
    pub(in crate::elb) fn forget_drained(&mut self, now: OffsetDateTime) {
        for group in self.groups.values_mut() {
            group.targets.retain(|(_, registration)| match registration {
                Registration::Registered => true,
                Registration::Draining { until } => *until > now,
            });
        }
    }
}

/// What AWS sets on a new target group (Elastic Load Balancing API Reference, `TargetGroupAttribute`), with the spec's own on
/// top. Stickiness can be set and is described, but the proxy always chooses anew.
fn attributes(spec: &TargetGroupSpec) -> BTreeMap<String, String> {
    let delay = spec.deregistration_delay.as_secs_f64().to_string();
    [
        (DEREGISTRATION_DELAY, delay.as_str()),
        ("stickiness.enabled", "false"),
        ("stickiness.type", "lb_cookie"),
        ("stickiness.lb_cookie.duration_seconds", "86400"),
        ("load_balancing.algorithm.type", "round_robin"),
        ("slow_start.duration_seconds", "0"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

fn check_health_check(check: &HealthCheck) -> Result<(), ElbError> {
    if !check.path.starts_with('/') || check.path.len() > 1024 {
        return Err(ElbError::Validation(format!(
            "Health check path '{}' must begin with a '/' character and have at most 1024 characters",
            check.path
        )));
    }
    if check.interval.is_zero() || check.timeout.is_zero() {
        return Err(ElbError::Validation(String::from(
            "Health check interval and timeout must be longer than zero seconds",
        )));
    }
    Ok(())
}
