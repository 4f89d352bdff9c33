//! `CreateRule`, `DescribeRules`, `ModifyRule`, `SetRulePriorities`, `DeleteRule`.

use super::actions::write_actions;
use super::conditions::write_conditions;
use super::{Answer, Asked, NAMESPACE};
use crate::elb::ElbError;
use crate::elb::model::{Priority, Rule};
use crate::front::call::Reply;
use crate::wire::{QueryError, Xml, answer, empty_answer};

impl Asked<'_> {
    pub(super) fn create_rule(&self) -> Answer {
        let listener = self.arn("ListenerArn", ElbError::ListenerNotFound)?;
        self.parameters.required("Priority")?;
        let priority = self.parameters.parsed("Priority")?.unwrap_or_default();
        let conditions = self.conditions()?.unwrap_or_default();
        if conditions.is_empty() {
            return Err(ElbError::Validation(String::from("A condition must be specified")).into());
        }
        let action = self
            .action("Actions")?
            .ok_or_else(|| ElbError::Validation(String::from("An action must be specified")))?;
        let tags = self.tags();
        let created = self.elb.change(|model| {
            let arn = model.create_rule(listener, priority, conditions, action, tags)?;
            model.rule(&arn).cloned()
        })?;
        Ok(self.write_rules(&[created], None))
    }

    pub(super) fn describe_rules(&self) -> Answer {
        let arns = self.arns("RuleArns", ElbError::RuleNotFound)?;
        let listener = self.parameters.text("ListenerArn").filter(|text| !text.is_empty());
        let found: Vec<Rule> = match listener {
            Some(_) => {
                let listener = self.arn("ListenerArn", ElbError::ListenerNotFound)?;
                self.elb.model.read(|model| {
                    model.listener(listener)?;
                    Ok::<_, ElbError>(model.rules_of(listener).into_iter().cloned().collect())
                })?
            }
            None if arns.is_empty() => {
                let message = "You must specify either listener rule ARNs or a listener ARN";
                return Err(QueryError::sender("ValidationError", message));
            }
            None => self.elb.model.read(|model| {
                arns.iter()
                    .map(|arn| model.rule(arn).cloned())
                    .collect::<Result<_, _>>()
            })?,
        };
        let (page, marker) = self.page(found)?;
        Ok(self.write_rules(&page, marker.as_deref()))
    }

    pub(super) fn modify_rule(&self) -> Answer {
        let arn = self.arn("RuleArn", ElbError::RuleNotFound)?;
        let conditions = self.conditions()?;
        let action = self.action("Actions")?;
        let modified = self.elb.change(|model| {
            model.rule(arn)?;
            if let Some(conditions) = conditions {
                model.set_conditions(arn, conditions)?;
            }
            if let Some(action) = action {
                model.set_action(arn, action)?;
            }
            model.rule(arn).cloned()
        })?;
        Ok(self.write_rules(&[modified], None))
    }

    pub(super) fn set_rule_priorities(&self) -> Answer {
        let mut wanted = Vec::new();
        for pair in self.parameters.list("RulePriorities") {
            let arn = pair.required("RuleArn")?;
            if !self.is_local(arn) {
                return Err(ElbError::RuleNotFound(arn.to_owned()).into());
            }
            wanted.push((arn.to_owned(), pair.parsed("Priority")?.unwrap_or_default()));
        }
        let moved = self.elb.change(|model| {
            model.set_priorities(&wanted)?;
            wanted
                .iter()
                .map(|(arn, _)| model.rule(arn).cloned())
                .collect::<Result<Vec<_>, _>>()
        })?;
        Ok(self.write_rules(&moved, None))
    }

    pub(super) fn delete_rule(&self) -> Answer {
        let arn = self.arn("RuleArn", ElbError::RuleNotFound)?;
        self.elb.change(|model| model.delete_rule(arn))?;
        Ok(empty_answer(self.call, NAMESPACE))
    }

    fn write_rules(&self, rules: &[Rule], marker: Option<&str>) -> Reply {
        answer(self.call, NAMESPACE, |xml| {
            xml.list("Rules", rules, write_rule);
            xml.optional("NextMarker", marker);
        })
    }
}

fn write_rule(xml: &mut Xml, rule: &Rule) {
    xml.text("RuleArn", &rule.arn);
    match rule.priority {
        Priority::At(priority) => xml.text("Priority", priority),
        Priority::Default => xml.text("Priority", "default"),
    }
    write_conditions(xml, &rule.conditions);
    write_actions(xml, "Actions", Some(&rule.action));
    xml.text("IsDefault", rule.priority == Priority::Default);
}
