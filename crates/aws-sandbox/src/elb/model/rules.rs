//! Rules: their order, their actions and what may be changed about them.

use super::{Action, Forward, Listener, Model, Priority, Rule, Tags};
use crate::elb::ElbError;
use crate::elb::arn;
use crate::elb::condition::Condition;

/// "You can specify up to five target groups" (Elastic Load Balancing, "Listener rules for your Application Load Balancer").
const MOST_GROUPS: usize = 5;
const HIGHEST_WEIGHT: u32 = 999;
const LOWEST_PRIORITY: u32 = 50_000;

impl Model {
    pub(in crate::elb) fn create_rule(
        &mut self,
        listener: &str,
        priority: u32,
        conditions: Vec<Condition>,
        action: Action,
        tags: Tags,
    ) -> Result<String, ElbError> {
        let balancer = self.listener(listener)?.load_balancer.clone();
        self.check_action(&action, &balancer)?;
        check_priority(priority)?;
        let taken = self
            .rules_of(listener)
            .into_iter()
            .any(|rule| rule.priority == Priority::At(priority));
        if taken {
            return Err(ElbError::PriorityInUse(priority));
        }
        let arn = arn::rule(listener);
        let rule = Rule {
            arn: arn.clone(),
            listener: listener.to_owned(),
            priority: Priority::At(priority),
            conditions,
            action,
            tags,
        };
        self.rules.insert(arn.clone(), rule);
        Ok(arn)
    }

    pub(in crate::elb) fn rule(&self, arn: &str) -> Result<&Rule, ElbError> {
        self.rules
            .get(arn)
            .ok_or_else(|| ElbError::RuleNotFound(arn.to_owned()))
    }

    /// A listener's rules in the order they are tried.
    pub(in crate::elb) fn rules_of(&self, listener: &str) -> Vec<&Rule> {
        let mut rules: Vec<&Rule> = self.rules.values().filter(|rule| rule.listener == listener).collect();
        rules.sort_by_key(|rule| rule.priority);
        rules
    }

    pub(in crate::elb) fn set_action(&mut self, rule: &str, action: Action) -> Result<(), ElbError> {
        let balancer = self.listener_of(rule)?.load_balancer.clone();
        self.check_action(&action, &balancer)?;
        if let Some(rule) = self.rules.get_mut(rule) {
            rule.action = action;
        }
        Ok(())
    }

    pub(in crate::elb) fn set_conditions(&mut self, rule: &str, conditions: Vec<Condition>) -> Result<(), ElbError> {
        let rule = self
            .rules
            .get_mut(rule)
            .ok_or_else(|| ElbError::RuleNotFound(rule.to_owned()))?;
        if rule.priority == Priority::Default {
            return Err(default_rule_stays(&rule.arn, "given conditions"));
        }
        rule.conditions = conditions;
        Ok(())
    }

    /// Changes weights and keeps everything else of the action.
    pub(in crate::elb) fn set_forward(&mut self, rule: &str, groups: &[(String, u32)]) -> Result<(), ElbError> {
        let stickiness = match &self.rule(rule)?.action {
            Action::Forward(forward) => forward.stickiness,
            Action::FixedResponse { .. } | Action::Redirect(_) => None,
        };
        self.set_action(
            rule,
            Action::Forward(Forward {
                groups: groups.to_vec(),
                stickiness,
            }),
        )
    }

    /// All or nothing.
    pub(in crate::elb) fn set_priorities(&mut self, wanted: &[(String, u32)]) -> Result<(), ElbError> {
        for (arn, priority) in wanted {
            let rule = self.rule(arn)?;
            check_priority(*priority)?;
            if rule.priority == Priority::Default {
                return Err(default_rule_stays(arn, "given a priority"));
            }
            let stays = |other: &&Rule| !wanted.iter().any(|(moved, _)| *moved == other.arn);
            let taken = self.rules_of(&rule.listener).into_iter().filter(stays);
            let twice = wanted
                .iter()
                .filter(|(other, at)| at == priority && self.is_sibling(other, &rule.listener));
            if taken.into_iter().any(|other| other.priority == Priority::At(*priority)) || twice.count() > 1 {
                return Err(ElbError::PriorityInUse(*priority));
            }
        }
        for (arn, priority) in wanted {
            if let Some(rule) = self.rules.get_mut(arn) {
                rule.priority = Priority::At(*priority);
            }
        }
        Ok(())
    }

    pub(in crate::elb) fn delete_rule(&mut self, arn: &str) -> Result<(), ElbError> {
        if self.rule(arn)?.priority == Priority::Default {
            return Err(default_rule_stays(arn, "deleted"));
        }
        self.rules.remove(arn);
        Ok(())
    }

    fn is_sibling(&self, rule: &str, listener: &str) -> bool {
        self.rules.get(rule).is_some_and(|rule| rule.listener == listener)
    }

    fn listener_of(&self, rule: &str) -> Result<&Listener, ElbError> {
        self.listener(&self.rule(rule)?.listener)
    }

    /// Known groups of no other load balancer, and weights in AWS's range.
    pub(in crate::elb) fn check_action(&self, action: &Action, balancer: &str) -> Result<(), ElbError> {
        let Action::Forward(forward) = action else {
            return Ok(());
        };
        if forward.groups.is_empty() || forward.groups.len() > MOST_GROUPS {
            return Err(ElbError::Validation(format!(
                "A forward action must name 1 to {MOST_GROUPS} target groups, not {}",
                forward.groups.len()
            )));
        }
        for (group, weight) in &forward.groups {
            self.group(group)?;
            if *weight > HIGHEST_WEIGHT {
                return Err(ElbError::Validation(format!(
                    "Weight '{weight}' must be between 0 and {HIGHEST_WEIGHT}, inclusive"
                )));
            }
            if self.balancers_of(group).into_iter().any(|other| other != balancer) {
                return Err(ElbError::TargetGroupAssociationLimit(group.clone()));
            }
        }
        Ok(())
    }
}

fn default_rule_stays(arn: &str, change: &str) -> ElbError {
    ElbError::OperationNotPermitted(format!("Default rule '{arn}' cannot be {change}"))
}

fn check_priority(priority: u32) -> Result<(), ElbError> {
    if (1..=LOWEST_PRIORITY).contains(&priority) {
        return Ok(());
    }
    Err(ElbError::Validation(format!(
        "Rule priority '{priority}' must be between 1 and {LOWEST_PRIORITY}"
    )))
}
