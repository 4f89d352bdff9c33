//! Where requests go right now: an immutable table per listener, built anew at every change of rules, targets or health.
//!
//! Building is pure. The proxy reads the newest table without a lock; a request keeps the table it began with.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rand::Rng as _;

use super::arn;
use super::condition::{Condition, Seen};
use super::health;
use super::model::{Action, DEFAULT_IDLE_TIMEOUT, Forward, LoadBalancer, Model, Redirect, Target};

/// The rules of one listener in the order they are tried.
#[derive(Debug)]
pub(super) struct Routes {
    rules: Vec<(Vec<Condition>, Destination)>,
    idle_timeout: Duration,
}

/// What a rule does with a request.
#[derive(Debug)]
pub(super) enum Destination {
    Forward(Weighted),
    FixedResponse {
        status: u16,
        content_type: Option<String>,
        body: Option<String>,
    },
    Redirect(Redirect),
}

/// Target groups to choose from, request by request.
#[derive(Debug)]
pub(super) struct Weighted {
    /// Only groups with a weight.
    groups: Vec<(u32, Arc<Group>)>,
    total: u32,
}

/// A target group as requests see it.
#[derive(Debug)]
pub(super) struct Group {
    /// CloudWatch's dimensions of this group: `[LoadBalancer]` and `[LoadBalancer, TargetGroup]`.
    pub(super) dimensions: [Vec<(&'static str, String)>; 2],
    targets: Vec<SocketAddrV4>,
    next: AtomicUsize,
}

/// What is known about the health of targets.
pub(super) type Healths<'a> = dyn Fn(&str, Target) -> Option<health::Condition> + 'a;

/// The tables of all listeners.
pub(super) fn build(model: &Model, healths: &Healths<'_>) -> HashMap<String, Routes> {
    let mut groups: BTreeMap<(&str, &str), Arc<Group>> = BTreeMap::new();
    let mut tables = HashMap::new();
    for listener in model.listeners.values() {
        let mut group = |arn: &str| {
            let known = model.groups.get_key_value(arn)?;
            let key = (listener.load_balancer.as_str(), known.0.as_str());
            let built = groups
                .entry(key)
                .or_insert_with(|| Arc::new(Group::new(model, key, healths)));
            Some(Arc::clone(built))
        };
        let rules = model
            .rules_of(&listener.arn)
            .into_iter()
            .map(|rule| (rule.conditions.clone(), destination(&rule.action, &mut group)))
            .collect();
        let balancer = model.load_balancers.get(&listener.load_balancer);
        let idle_timeout = balancer.map_or(DEFAULT_IDLE_TIMEOUT, LoadBalancer::idle_timeout);
        tables.insert(listener.arn.clone(), Routes { rules, idle_timeout });
    }
    tables
}

fn destination(action: &Action, group: &mut impl FnMut(&str) -> Option<Arc<Group>>) -> Destination {
    match action {
        Action::Forward(forward) => Destination::Forward(Weighted::new(forward, group)),
        Action::FixedResponse {
            status,
            content_type,
            body,
        } => Destination::FixedResponse {
            status: *status,
            content_type: content_type.clone(),
            body: body.clone(),
        },
        Action::Redirect(redirect) => Destination::Redirect(redirect.clone()),
    }
}

impl Default for Routes {
    /// No rules yet.
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            idle_timeout: DEFAULT_IDLE_TIMEOUT,
        }
    }
}

impl Routes {
    /// The first rule whose conditions all hold. A listener always has a default rule; only a table not yet built has none.
    pub(super) fn find(&self, seen: &Seen<'_>) -> Option<&Destination> {
        self.rules
            .iter()
            .find(|(conditions, _)| conditions.iter().all(|condition| condition.holds(seen)))
            .map(|(_, destination)| destination)
    }

    /// How long the other side may be silent in the middle of an exchange.
    pub(super) fn idle_timeout(&self) -> Duration {
        self.idle_timeout
    }

    /// Every address that a new request may go to.
    pub(super) fn targets(&self) -> impl Iterator<Item = SocketAddrV4> {
        self.rules
            .iter()
            .flat_map(|(_, destination)| match destination {
                Destination::Forward(weighted) => weighted.groups.as_slice(),
                Destination::FixedResponse { .. } | Destination::Redirect(_) => &[],
            })
            .flat_map(|(_, group)| group.targets.iter().copied())
    }
}

impl Weighted {
    fn new(forward: &Forward, group: &mut impl FnMut(&str) -> Option<Arc<Group>>) -> Self {
        let groups: Vec<(u32, Arc<Group>)> = forward
            .groups
            .iter()
            .filter(|(_, weight)| *weight > 0)
            .filter_map(|(arn, weight)| Some((*weight, group(arn)?)))
            .collect();
        let total = groups.iter().map(|(weight, _)| weight).sum();
        Self { groups, total }
    }

    /// A group at random, by weight. Nothing when no group has one.
    pub(super) fn choose(&self) -> Option<&Group> {
        if self.total == 0 {
            return None;
        }
        self.at(rand::rng().random_range(0..self.total))
    }

    /// The group that owns this ticket of `0..total`.
    fn at(&self, mut ticket: u32) -> Option<&Group> {
        for (weight, group) in &self.groups {
            match ticket.checked_sub(*weight) {
                None => return Some(group),
                Some(rest) => ticket = rest,
            }
        }
        None
    }
}

impl Group {
    fn new(model: &Model, (balancer, arn): (&str, &str), healths: &Healths<'_>) -> Self {
        let registered: Vec<Target> = model
            .groups
            .get(arn)
            .map(|group| group.registered().collect())
            .unwrap_or_default();
        let well: Vec<Target> = registered
            .iter()
            .copied()
            .filter(|target| healths(arn, *target) == Some(health::Condition::Healthy))
            .collect();
        // "If a target group contains only unhealthy registered targets, the load balancer routes requests to all those
        // targets, regardless of their health status" (Elastic Load Balancing, "Health checks for your target groups").
        let chosen = if well.is_empty() { registered } else { well };
        Self {
            dimensions: dimensions(balancer, arn),
            targets: chosen.into_iter().map(Target::address).collect(),
            next: AtomicUsize::new(0),
        }
    }

    /// The targets take turns. Nothing when none is registered.
    pub(super) fn next(&self) -> Option<SocketAddrV4> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.targets.get(turn.checked_rem(self.targets.len())?).copied()
    }
}

/// The dimensions that ALB's metrics carry (Elastic Load Balancing, "CloudWatch metrics for your Application Load Balancer").
pub(super) fn dimensions(balancer: &str, group: &str) -> [Vec<(&'static str, String)>; 2] {
    let balancer = ("LoadBalancer", arn::load_balancer_dimension(balancer));
    let group = ("TargetGroup", arn::target_group_dimension(group));
    [vec![balancer.clone()], vec![balancer, group]]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn group(last: u8) -> Arc<Group> {
        Arc::new(Group {
            dimensions: dimensions("b", "g"),
            targets: vec![SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, last), 80)],
            next: AtomicUsize::new(0),
        })
    }

    fn weighted(weights: &[u32]) -> Weighted {
        let forward = Forward {
            groups: weights
                .iter()
                .enumerate()
                .map(|(index, weight)| (index.to_string(), *weight))
                .collect(),
            stickiness: None,
        };
        Weighted::new(&forward, &mut |arn| Some(group(arn.parse().unwrap())))
    }

    fn chosen(group: Option<&Group>) -> u8 {
        group.unwrap().next().unwrap().ip().octets()[3]
    }

    #[test]
    fn every_ticket_belongs_to_a_group_in_proportion_to_its_weight() {
        let weighted = weighted(&[90, 0, 9, 1]);
        let mut counts = [0; 4];
        for ticket in 0..weighted.total {
            counts[usize::from(chosen(weighted.at(ticket)))] += 1;
        }
        assert_eq!(counts, [90, 0, 9, 1]);
    }

    #[test]
    fn the_random_choice_follows_the_weights_and_never_takes_weight_0() {
        let weighted = weighted(&[75, 0, 25]);
        let mut counts = [0_u32; 3];
        for _ in 0..20_000 {
            counts[usize::from(chosen(weighted.choose()))] += 1;
        }
        assert_eq!(counts[1], 0);
        // 15,000 expected; the standard deviation is 61, so this never fails by chance.
        assert!((14_400..15_600).contains(&counts[0]), "{counts:?}");
    }

    #[test]
    fn no_weight_at_all_chooses_nothing() {
        assert!(weighted(&[0, 0]).choose().is_none());
        assert!(weighted(&[]).choose().is_none());
    }

    #[test]
    fn targets_take_turns() {
        let group = Group {
            dimensions: dimensions("b", "g"),
            targets: (1..=3)
                .map(|last| SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, last), 80))
                .collect(),
            next: AtomicUsize::new(0),
        };
        let turns: Vec<u8> = (0..6).map(|_| group.next().unwrap().ip().octets()[3]).collect();
        assert_eq!(turns, [1, 2, 3, 1, 2, 3]);
        let empty = Group {
            dimensions: dimensions("b", "g"),
            targets: Vec::new(),
            next: AtomicUsize::new(0),
        };
        assert_eq!(empty.next(), None);
    }
}
