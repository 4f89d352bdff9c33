//! Attributes of load balancers, target groups and listeners: described and modified. The idle timeout, deletion
//! protection and the deregistration delay have their effect here; the others are kept for those who read them.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::{Answer, Asked, NAMESPACE};
use crate::elb::ElbError;
use crate::elb::model::{DEREGISTRATION_DELAY, IDLE_TIMEOUT};
use crate::front::call::Reply;
use crate::wire::{QueryError, answer};

type Attributes = BTreeMap<String, String>;

/// What AWS shows when nothing was set (Elastic Load Balancing API Reference, `LoadBalancerAttribute`).
const LOAD_BALANCER: &[(&str, &str)] = &[
    ("access_logs.s3.enabled", "false"),
    ("deletion_protection.enabled", "false"),
    ("idle_timeout.timeout_seconds", "60"),
    ("routing.http.desync_mitigation_mode", "defensive"),
    ("routing.http.drop_invalid_header_fields.enabled", "false"),
    ("routing.http.preserve_host_header.enabled", "true"),
    ("routing.http2.enabled", "false"),
];

/// The same for `ListenerAttribute`.
const LISTENER: &[(&str, &str)] = &[("routing.http.response.server.enabled", "true")];

/// A time that has an effect must be one AWS takes.
fn check_seconds(attributes: &Attributes, name: &str, allowed: RangeInclusive<u32>) -> Result<(), ElbError> {
    let Some(sent) = attributes.get(name) else {
        return Ok(());
    };
    if sent.parse().is_ok_and(|seconds| allowed.contains(&seconds)) {
        return Ok(());
    }
    let (low, high) = (allowed.start(), allowed.end());
    Err(ElbError::Validation(format!(
        "'{sent}' must be a valid value between '{low}' and '{high}' for '{name}'"
    )))
}

impl Asked<'_> {
    pub(super) fn describe_load_balancer_attributes(&self) -> Answer {
        let arn = self.arn("LoadBalancerArn", ElbError::LoadBalancerNotFound)?;
        let set = self
            .elb
            .model
            .read(|model| model.load_balancer(arn).map(|known| known.attributes.clone()))?;
        Ok(self.write_attributes(LOAD_BALANCER, set))
    }

    pub(super) fn modify_load_balancer_attributes(&self) -> Answer {
        let arn = self.arn("LoadBalancerArn", ElbError::LoadBalancerNotFound)?;
        let wanted = self.wanted_attributes()?;
        check_seconds(&wanted, IDLE_TIMEOUT, 1..=4000)?;
        let set = self.elb.change(|model| {
            let known = model.load_balancers.get_mut(arn);
            let known = known.ok_or_else(|| ElbError::LoadBalancerNotFound(arn.to_owned()))?;
            known.attributes.extend(wanted);
            Ok::<_, ElbError>(known.attributes.clone())
        })?;
        Ok(self.write_attributes(LOAD_BALANCER, set))
    }

    pub(super) fn describe_target_group_attributes(&self) -> Answer {
        let arn = self.arn("TargetGroupArn", ElbError::TargetGroupNotFound)?;
        let set = self
            .elb
            .model
            .read(|model| model.group(arn).map(|known| known.attributes.clone()))?;
        Ok(self.write_attributes(&[], set))
    }

    pub(super) fn modify_target_group_attributes(&self) -> Answer {
        let arn = self.arn("TargetGroupArn", ElbError::TargetGroupNotFound)?;
        let wanted = self.wanted_attributes()?;
        check_seconds(&wanted, DEREGISTRATION_DELAY, 0..=3600)?;
        let set = self.elb.change(|model| {
            let known = model.group_mut(arn)?;
            known.attributes.extend(wanted);
            Ok::<_, ElbError>(known.attributes.clone())
        })?;
        Ok(self.write_attributes(&[], set))
    }

    pub(super) fn describe_listener_attributes(&self) -> Answer {
        let arn = self.arn("ListenerArn", ElbError::ListenerNotFound)?;
        let set = self
            .elb
            .model
            .read(|model| model.listener(arn).map(|known| known.attributes.clone()))?;
        Ok(self.write_attributes(LISTENER, set))
    }

    pub(super) fn modify_listener_attributes(&self) -> Answer {
        let arn = self.arn("ListenerArn", ElbError::ListenerNotFound)?;
        let wanted = self.wanted_attributes()?;
        let set = self.elb.change(|model| {
            let known = model.listeners.get_mut(arn);
            let known = known.ok_or_else(|| ElbError::ListenerNotFound(arn.to_owned()))?;
            known.attributes.extend(wanted);
            Ok::<_, ElbError>(known.attributes.clone())
        })?;
        Ok(self.write_attributes(LISTENER, set))
    }

    fn wanted_attributes(&self) -> Result<Attributes, QueryError> {
        let pair = |attribute: &crate::wire::Parameters| {
            Ok((
                attribute.required("Key")?.to_owned(),
                attribute.text("Value").unwrap_or_default().to_owned(),
            ))
        };
        self.parameters.list("Attributes").into_iter().map(pair).collect()
    }

    fn write_attributes(&self, otherwise: &[(&str, &str)], set: Attributes) -> Reply {
        let mut all: Attributes = otherwise
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        all.extend(set);
        answer(self.call, NAMESPACE, |xml| {
            xml.list("Attributes", &all, |xml, (key, value)| {
                xml.text("Key", key);
                xml.text("Value", value);
            });
        })
    }
}
