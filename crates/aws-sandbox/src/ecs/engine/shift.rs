//! A rollout's effects on the load balancers' rules and on the service's event list.

use time::OffsetDateTime;

use super::Engine;
use crate::ecs::events;
use crate::ecs::rollout::{Effect, Milestone};
use crate::ecs::weights::weights;
use crate::ecs::world::{Service, Slot};

impl Engine {
    /// Carries out a rollout's effects on the load balancers and the event list.
    pub(in crate::ecs) fn apply(&self, service: &mut Service, effects: &[Effect], now: OffsetDateTime) {
        for effect in effects {
            match effect {
                Effect::Production(percent) => self.shift(service, Listener::Production, *percent, now),
                Effect::Test(percent) => self.shift(service, Listener::Test, *percent, now),
                Effect::Event(milestone) => {
                    if *milestone == Milestone::RollingBack {
                        go_back_to_source(service);
                    }
                    tell(service, *milestone, now);
                }
            }
        }
    }

    fn shift(&self, service: &mut Service, listener: Listener, percent: f64, now: OffsetDateTime) {
        let Some(current) = service.current() else { return };
        let Some(target) = service.revision(&current.target) else {
            return;
        };
        let source_slot = current
            .source
            .as_deref()
            .and_then(|source| service.revision(source))
            .map(|source| source.slot);
        // A rolling update keeps its one target group.
        if source_slot == Some(target.slot) {
            return;
        }
        let (to_target, to_other) = weights(percent);
        let mut complaints = Vec::new();
        for balancer in &target.load_balancers {
            let Some(advanced) = balancer.0.advanced_configuration() else {
                continue;
            };
            let rule = match listener {
                Listener::Production => advanced.production_listener_rule(),
                Listener::Test => advanced.test_listener_rule(),
            };
            let groups = (
                rule,
                balancer.0.target_group_arn(),
                advanced.alternate_target_group_arn(),
            );
            let (Some(rule), Some(primary), Some(alternate)) = groups else {
                continue;
            };
            let (to_primary, to_alternate) = match target.slot {
                Slot::Primary => (to_target, to_other),
                Slot::Alternate => (to_other, to_target),
            };
            let forward = [(primary.to_owned(), to_primary), (alternate.to_owned(), to_alternate)];
            if let Err(error) = self.plane.elb.set_forward(rule, &forward) {
                complaints.push(events::unable_to_shift(&service.name, rule, &error.to_string()));
            }
        }
        for complaint in complaints {
            tracing::warn!("{complaint}");
            service.say(now, complaint);
        }
    }
}

/// Which of the two listener rules of a service.
#[derive(Debug, Clone, Copy)]
enum Listener {
    Production,
    Test,
}

/// A service that goes back has its old configuration again: deploying the failed one anew is a change, and staying with
/// the old one is none.
fn go_back_to_source(service: &mut Service) {
    let source = service.current().and_then(|current| current.source.clone());
    let Some(revision) = source.and_then(|source| service.revision(&source)).cloned() else {
        return;
    };
    service.task_definition = revision.task_definition;
    service.load_balancers = revision.load_balancers;
    service.network = revision.network;
}

fn tell(service: &mut Service, milestone: Milestone, now: OffsetDateTime) {
    let Some(current) = service.current() else { return };
    let failed = milestone == Milestone::RollingBack && current.rollout.failures > 0;
    let deployment = service
        .revision(&current.target)
        .map_or_else(String::new, |target| target.deployment_id.clone());
    if failed {
        service.say(now, events::unable_to_start(&service.name));
    }
    service.say(now, events::milestone(&service.name, &deployment, milestone));
}
