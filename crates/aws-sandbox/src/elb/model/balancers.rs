//! Load balancers and their listeners.

use std::collections::BTreeMap;

use super::{Action, Listener, LoadBalancer, LoadBalancerSpec, Model, Priority, Rule, Tags};
use crate::elb::ElbError;
use crate::elb::arn::{self, Place};

/// The attribute that keeps a load balancer from being deleted.
const DELETION_PROTECTION: &str = "deletion_protection.enabled";

impl Model {
    /// The same name with the same settings is the same load balancer: the call is idempotent, as AWS's is.
    pub(in crate::elb) fn create_load_balancer(
        &mut self,
        place: &Place,
        name: &str,
        spec: LoadBalancerSpec,
        tags: Tags,
    ) -> Result<String, ElbError> {
        check_name("load balancer", name)?;
        if let Some(known) = self.load_balancer_named(&place.region, name) {
            return if known.spec == spec {
                Ok(known.arn.clone())
            } else {
                Err(ElbError::DuplicateLoadBalancerName(name.to_owned()))
            };
        }
        let arn = place.load_balancer(name);
        let balancer = LoadBalancer {
            arn: arn.clone(),
            name: name.to_owned(),
            created: crate::clock::now(),
            spec,
            attributes: BTreeMap::new(),
            tags,
        };
        self.load_balancers.insert(arn.clone(), balancer);
        Ok(arn)
    }

    pub(in crate::elb) fn load_balancer_named(&self, region: &str, name: &str) -> Option<&LoadBalancer> {
        self.load_balancers
            .values()
            .find(|known| known.name == name && arn::region(&known.arn) == region)
    }

    pub(in crate::elb) fn load_balancer(&self, arn: &str) -> Result<&LoadBalancer, ElbError> {
        self.load_balancers
            .get(arn)
            .ok_or_else(|| ElbError::LoadBalancerNotFound(arn.to_owned()))
    }

    /// Takes its listeners and their rules with it. An absent one is no error, as on AWS.
    pub(in crate::elb) fn delete_load_balancer(&mut self, arn: &str) -> Result<(), ElbError> {
        let protected = |balancer: &LoadBalancer| {
            balancer
                .attributes
                .get(DELETION_PROTECTION)
                .is_some_and(|enabled| enabled == "true")
        };
        if self.load_balancers.get(arn).is_some_and(protected) {
            return Err(ElbError::OperationNotPermitted(format!(
                "Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
            )));
        }
        self.load_balancers.remove(arn);
        self.listeners.retain(|_, listener| listener.load_balancer != arn);
        let listeners = &self.listeners;
        self.rules.retain(|_, rule| listeners.contains_key(&rule.listener));
        Ok(())
    }

    /// What a listener on this port may become: an existing one with the same settings, or a new one.
    pub(in crate::elb) fn listener_for(
        &self,
        load_balancer: &str,
        port: u16,
        action: &Action,
    ) -> Result<Option<String>, ElbError> {
        self.load_balancer(load_balancer)?;
        self.check_action(action, load_balancer)?;
        let known = self
            .listeners
            .values()
            .find(|listener| listener.load_balancer == load_balancer && listener.port == port);
        match known {
            None => Ok(None),
            Some(listener)
                if self
                    .default_rule(&listener.arn)
                    .is_some_and(|rule| rule.action == *action) =>
            {
                Ok(Some(listener.arn.clone()))
            }
            Some(_) => Err(ElbError::DuplicateListener(port)),
        }
    }

    pub(in crate::elb) fn create_listener(
        &mut self,
        load_balancer: &str,
        port: u16,
        action: Action,
        tags: Tags,
    ) -> Result<String, ElbError> {
        if let Some(known) = self.listener_for(load_balancer, port, &action)? {
            return Ok(known);
        }
        let arn = arn::listener(load_balancer);
        let listener = Listener {
            arn: arn.clone(),
            load_balancer: load_balancer.to_owned(),
            port,
            attributes: BTreeMap::new(),
            tags,
        };
        let default = Rule {
            arn: arn::rule(&arn),
            listener: arn.clone(),
            priority: Priority::Default,
            conditions: Vec::new(),
            action,
            tags: Tags::new(),
        };
        self.listeners.insert(arn.clone(), listener);
        self.rules.insert(default.arn.clone(), default);
        Ok(arn)
    }

    pub(in crate::elb) fn listener(&self, arn: &str) -> Result<&Listener, ElbError> {
        self.listeners
            .get(arn)
            .ok_or_else(|| ElbError::ListenerNotFound(arn.to_owned()))
    }

    pub(in crate::elb) fn delete_listener(&mut self, arn: &str) -> Result<(), ElbError> {
        self.listeners
            .remove(arn)
            .ok_or_else(|| ElbError::ListenerNotFound(arn.to_owned()))?;
        self.rules.retain(|_, rule| rule.listener != arn);
        Ok(())
    }

    pub(in crate::elb) fn default_rule(&self, listener: &str) -> Option<&Rule> {
        self.rules
            .values()
            .find(|rule| rule.listener == listener && rule.priority == Priority::Default)
    }
}

/// At most 32 letters, digits and hyphens (Elastic Load Balancing API Reference, `CreateLoadBalancer` and `CreateTargetGroup`).
pub(super) fn check_name(kind: &str, name: &str) -> Result<(), ElbError> {
    let wrong = |why: &str| Err(ElbError::Validation(format!("The {kind} name '{name}' {why}")));
    if name.is_empty() || name.len() > 32 {
        return wrong("must have 1 to 32 characters");
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return wrong("can only contain characters that are alphanumeric characters or hyphens(-)");
    }
    if name.starts_with('-') || name.ends_with('-') {
        return wrong("cannot begin or end with a hyphen(-)");
    }
    Ok(())
}
