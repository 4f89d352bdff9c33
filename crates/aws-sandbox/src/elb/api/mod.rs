//! The Query API of Elastic Load Balancing v2 (version 2015-12-01): reads parameters, calls the model, writes XML.

mod actions;
mod attributes;
mod conditions;
mod groups;
mod listeners;
mod load_balancers;
mod rules;
mod tags;
mod targets;

use super::{Elb, ElbError, arn};
use crate::front::call::{Call, Reply};
use crate::wire::{Parameters, QueryError, parameters};

const NAMESPACE: &str = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/";

/// As many as AWS gives at once.
const PAGE: usize = 400;

impl Elb {
    /// Carries out one call of the API.
    pub(crate) async fn answer(&self, call: &Call) -> Reply {
        let asked = Asked {
            elb: self,
            call,
            parameters: parameters(call),
        };
        asked
            .answer()
            .await
            .unwrap_or_else(|error| error.reply(call, NAMESPACE))
    }
}

/// A call with its parameters.
struct Asked<'a> {
    elb: &'a Elb,
    call: &'a Call,
    parameters: Parameters,
}

type Answer = Result<Reply, QueryError>;

impl Asked<'_> {
    async fn answer(&self) -> Answer {
        match self.call.operation.as_str() {
            "CreateLoadBalancer" => self.create_load_balancer(),
            "DescribeLoadBalancers" => self.describe_load_balancers(),
            "DeleteLoadBalancer" => self.delete_load_balancer(),
            "DescribeLoadBalancerAttributes" => self.describe_load_balancer_attributes(),
            "ModifyLoadBalancerAttributes" => self.modify_load_balancer_attributes(),
            "CreateTargetGroup" => self.create_target_group(),
            "DescribeTargetGroups" => self.describe_target_groups(),
            "ModifyTargetGroup" => self.modify_target_group(),
            "DeleteTargetGroup" => self.delete_target_group(),
            "DescribeTargetGroupAttributes" => self.describe_target_group_attributes(),
            "ModifyTargetGroupAttributes" => self.modify_target_group_attributes(),
            "CreateListener" => self.create_listener().await,
            "DescribeListeners" => self.describe_listeners(),
            "ModifyListener" => self.modify_listener().await,
            "DeleteListener" => self.delete_listener(),
            "DescribeListenerAttributes" => self.describe_listener_attributes(),
            "ModifyListenerAttributes" => self.modify_listener_attributes(),
            "CreateRule" => self.create_rule(),
            "DescribeRules" => self.describe_rules(),
            "ModifyRule" => self.modify_rule(),
            "SetRulePriorities" => self.set_rule_priorities(),
            "DeleteRule" => self.delete_rule(),
            "RegisterTargets" => self.register_targets(),
            "DeregisterTargets" => self.deregister_targets(),
            "DescribeTargetHealth" => self.describe_target_health(),
            "AddTags" => self.add_tags(),
            "RemoveTags" => self.remove_tags(),
            "DescribeTags" => self.describe_tags(),
            _ => Err(QueryError::unknown_operation(self.call)),
        }
    }

    /// A required ARN. One of another region does not exist here.
    fn arn(&self, name: &str, missing: fn(String) -> ElbError) -> Result<&str, QueryError> {
        let arn = self.parameters.required(name)?;
        if self.is_local(arn) {
            Ok(arn)
        } else {
            Err(missing(arn.to_owned()).into())
        }
    }

    /// An ARN that may be left out.
    fn optional_arn(&self, name: &str, missing: fn(String) -> ElbError) -> Result<Option<&str>, QueryError> {
        if self.parameters.text(name).is_none_or(str::is_empty) {
            return Ok(None);
        }
        self.arn(name, missing).map(Some)
    }

    /// A list of ARNs, under the same condition.
    fn arns(&self, name: &str, missing: fn(String) -> ElbError) -> Result<Vec<&str>, QueryError> {
        let arns = self.parameters.texts(name);
        match arns.iter().find(|arn| !self.is_local(arn)) {
            None => Ok(arns),
            Some(foreign) => Err(missing((*foreign).to_owned()).into()),
        }
    }

    fn is_local(&self, arn: &str) -> bool {
        arn::region(arn) == self.call.region
    }

    /// The page that was asked for, and the marker of the next one: the number of items before it.
    fn page<T>(&self, items: Vec<T>) -> Result<(Vec<T>, Option<String>), QueryError> {
        let size = self
            .parameters
            .parsed::<usize>("PageSize")?
            .unwrap_or(PAGE)
            .clamp(1, PAGE);
        let from = self.parameters.parsed::<usize>("Marker")?.unwrap_or(0);
        let rest = items.len() > from.saturating_add(size);
        let page = items.into_iter().skip(from).take(size).collect();
        Ok((page, rest.then(|| (from + size).to_string())))
    }
}

#[cfg(test)]
mod tests;
