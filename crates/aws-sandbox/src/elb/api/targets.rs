//! `RegisterTargets`, `DeregisterTargets`, `DescribeTargetHealth`.

use super::{Answer, Asked, NAMESPACE};
use crate::elb::model::Target;
use crate::elb::{ElbError, TargetState};
use crate::wire::{Parameters, QueryError, answer, empty_answer};

impl Asked<'_> {
    pub(super) fn register_targets(&self) -> Answer {
        let (group, targets) = self.targets()?;
        self.elb
            .change(|model| targets.iter().try_for_each(|target| model.register(group, *target)))?;
        Ok(empty_answer(self.call, NAMESPACE))
    }

    pub(super) fn deregister_targets(&self) -> Answer {
        let (group, targets) = self.targets()?;
        for target in targets {
            self.elb.deregister(group, target)?;
        }
        Ok(empty_answer(self.call, NAMESPACE))
    }

    pub(super) fn describe_target_health(&self) -> Answer {
        let (arn, asked) = self.targets()?;
        let check_port = self
            .elb
            .model
            .read(|model| model.group(arn).map(|group| group.health_check.port))?;
        let mut states = self.elb.target_states(arn)?;
        if !asked.is_empty() {
            let known = states;
            let state = |target: &Target| known.iter().find(|(other, _)| other == target).map(|(_, state)| *state);
            states = asked
                .iter()
                .map(|target| (*target, state(target).unwrap_or(TargetState::NotRegistered)))
                .collect();
        }
        Ok(answer(self.call, NAMESPACE, |xml| {
            xml.list("TargetHealthDescriptions", states, |xml, (target, state)| {
                xml.element("Target", |xml| {
                    xml.text("Id", target.ip);
                    xml.text("Port", target.port);
                    xml.text("AvailabilityZone", format_args!("{}a", self.call.region));
                });
                xml.text("HealthCheckPort", check_port.unwrap_or(target.port));
                xml.element("TargetHealth", |xml| {
                    xml.text("State", state.word());
                    xml.optional("Reason", state.reason());
                    xml.optional("Description", state.description());
                });
            });
        }))
    }

    /// The group and the targets of a call; a target without a port has the group's.
    fn targets(&self) -> Result<(&str, Vec<Target>), QueryError> {
        let arn = self.arn("TargetGroupArn", ElbError::TargetGroupNotFound)?;
        let port = self.elb.model.read(|model| model.group(arn).map(|group| group.port))?;
        let read = |target: &Parameters| {
            let id = target.required("Id")?;
            let ip = id.parse().map_err(|_| {
                let message =
                    format!("The target ID '{id}' is not an IPv4 address; the sandbox has targets of the type 'ip'");
                ElbError::InvalidTarget(message)
            })?;
            Ok::<_, QueryError>(Target {
                ip,
                port: target.parsed("Port")?.unwrap_or(port),
            })
        };
        Ok((
            arn,
            self.parameters
                .list("Targets")
                .into_iter()
                .map(read)
                .collect::<Result<_, _>>()?,
        ))
    }
}
