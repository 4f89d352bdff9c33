//! Elastic Load Balancing v2: Application Load Balancers as real reverse proxies.
//!
//! [`Elb`] ties three things together: the configured [`Model`] on disk, the running listeners and the health checks. Every
//! change goes through [`Elb::change`], which publishes new routes before it returns, so the next request already goes by them.
//! Never knows what a target runs: ECS registers addresses here as any client of the API could.

mod api;
mod arn;
mod checks;
mod condition;
mod error;
mod health;
mod matcher;
mod model;
mod proxy;
mod routes;
mod state;

use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use time::OffsetDateTime;

use crate::cloudwatch::Metrics;
use crate::front::persist::{PersistError, Persisted, StateDir};

pub(crate) use error::{ElbError, ListenError};
pub(crate) use matcher::Matcher;
pub(crate) use model::{HealthCheck, Target, TargetGroupSpec};
pub(crate) use state::TargetState;

use arn::Place;
use checks::{Checks, Outcome};
use health::Finding;
use model::{Action, LoadBalancerSpec, Model, Tags};
use proxy::{Meter, Pool, Running};

/// How often the number of healthy targets is recorded.
const HOST_COUNT_PERIOD: Duration = Duration::from_secs(1);

/// Load balancing for all regions of the account.
pub(crate) struct Elb {
    model: Persisted<Model>,
    account: String,
    /// All load balancers listen here; the address is also their DNS name.
    listen: Ipv4Addr,
    metrics: Arc<Metrics>,
    pool: Arc<Pool>,
    live: Mutex<Live>,
    this: Weak<Elb>,
}

/// What runs. Locked before the model whenever both are.
#[derive(Debug, Default)]
struct Live {
    listeners: HashMap<String, Running>,
    checks: Checks,
}

impl Elb {
    /// The persisted model; nothing listens before [`Elb::start`].
    pub(crate) fn open(
        state_dir: &StateDir,
        account: &str,
        listen: Ipv4Addr,
        metrics: Arc<Metrics>,
    ) -> Result<Arc<Self>, PersistError> {
        let model = Persisted::open(state_dir, "elb")?;
        Ok(Arc::new_cyclic(|this| Self {
            model,
            account: account.to_owned(),
            listen,
            metrics,
            pool: Arc::default(),
            live: Mutex::default(),
            this: this.clone(),
        }))
    }

    /// Opens the persisted listeners again and begins checking their targets.
    pub(crate) async fn start(&self) -> Result<(), ListenError> {
        let listeners: Vec<(String, String, u16)> = self.model.read(|model| {
            let facts =
                |listener: &model::Listener| (listener.arn.clone(), listener.load_balancer.clone(), listener.port);
            model.listeners.values().map(facts).collect()
        });
        for (arn, load_balancer, port) in listeners {
            let running = self.run_listener(&load_balancer, port).await?;
            self.lock().listeners.insert(arn, running);
        }
        self.change(|model| model.forget_drained(crate::clock::now()));
        for until in self.model.read(draining_ends) {
            self.forget_at(until);
        }
        tokio::spawn(count_hosts_forever(self.this.clone()));
        Ok(())
    }

    /// A load balancer in a region, or the one of that name that is already there.
    #[expect(
        clippy::unused_async,
        reason = "creating resources is asynchronous for callers, as with listeners"
    )]
    pub(crate) async fn create_load_balancer(&self, region: &str, name: &str) -> Result<String, ElbError> {
        self.change(|model| {
            model.create_load_balancer(&self.place(region), name, LoadBalancerSpec::default(), Tags::new())
        })
    }

    /// The name under which clients reach every load balancer.
    pub(crate) fn dns_name(&self) -> String {
        self.listen.to_string()
    }

    /// A target group, or the one of that name and settings that is already there.
    pub(crate) fn create_target_group(&self, region: &str, spec: TargetGroupSpec) -> Result<String, ElbError> {
        self.change(|model| model.create_group(&self.place(region), spec, None, Tags::new()))
    }

    /// A listener whose default rule forwards by weight. It accepts connections when this returns.
    pub(crate) async fn create_listener(
        &self,
        load_balancer: &str,
        port: u16,
        forward: &[(String, u32)],
    ) -> Result<String, ElbError> {
        self.open_listener(load_balancer, port, Action::forward(forward), Tags::new())
            .await
    }

    /// The listener of a load balancer at a port.
    pub(crate) fn listener_at(&self, load_balancer: &str, port: u16) -> Option<String> {
        self.model.read(|model| {
            let at = |listener: &&model::Listener| listener.load_balancer == load_balancer && listener.port == port;
            model.listeners.values().find(at).map(|listener| listener.arn.clone())
        })
    }

    /// Closes every listener's port; the model keeps them for the next start.
    pub(crate) fn stop(&self) {
        self.lock().listeners.clear();
    }

    /// The rule a listener falls back to.
    pub(crate) fn default_rule(&self, listener: &str) -> Option<String> {
        self.model
            .read(|model| model.default_rule(listener).map(|rule| rule.arn.clone()))
    }

    /// Puts a task behind a target group; it gets requests once its first check passed.
    pub(crate) fn register(&self, group: &str, target: Target) -> Result<(), ElbError> {
        self.change(|model| model.register(group, target))
    }

    /// Takes a task out: no new requests from now on; it is `draining` for the group's delay and then gone.
    pub(crate) fn deregister(&self, group: &str, target: Target) -> Result<(), ElbError> {
        let until = self.change(|model| {
            let now = crate::clock::now();
            let until = model.deregister(group, target, now)?;
            model.forget_drained(now);
            Ok::<_, ElbError>(until)
        })?;
        if let Some(until) = until {
            self.forget_at(until);
        }
        Ok(())
    }

    /// The weights of a rule, a listener's default rule included. The next request goes by them.
    pub(crate) fn set_forward(&self, rule: &str, groups: &[(String, u32)]) -> Result<(), ElbError> {
        self.change(|model| model.set_forward(rule, groups))
    }

    /// The target groups of a forwarding rule with their weights; nothing for an absent rule.
    #[cfg(test)]
    pub(crate) fn forward(&self, rule: &str) -> Option<Vec<(String, u32)>> {
        self.model
            .read(|model| model.rule(rule).ok().map(|rule| rule.action.groups().to_vec()))
    }

    /// Opens the port first: a listener that cannot listen is never in the model.
    async fn open_listener(
        &self,
        load_balancer: &str,
        port: u16,
        action: Action,
        tags: Tags,
    ) -> Result<String, ElbError> {
        if let Some(known) = self
            .model
            .read(|model| model.listener_for(load_balancer, port, &action))?
        {
            return Ok(known);
        }
        let running = self.run_listener(load_balancer, port).await?;
        let mut live = self.lock();
        let arn = self
            .model
            .write(|model| model.create_listener(load_balancer, port, action, tags))?;
        live.listeners.insert(arn.clone(), running);
        self.publish(&mut live);
        Ok(arn)
    }

    /// Gives a listener another default action, another port that is already open, or both.
    fn change_listener(
        &self,
        arn: &str,
        action: Option<Action>,
        moved: Option<(u16, Running)>,
    ) -> Result<(), ElbError> {
        let mut live = self.lock();
        self.model.write(|model| {
            if let Some(action) = action {
                let rule = model.default_rule(arn).map(|rule| rule.arn.clone());
                model.set_action(&rule.ok_or_else(|| ElbError::ListenerNotFound(arn.to_owned()))?, action)?;
            }
            if let (Some((port, _)), Some(listener)) = (&moved, model.listeners.get_mut(arn)) {
                listener.port = *port;
            }
            Ok::<_, ElbError>(())
        })?;
        if let Some((_, running)) = moved {
            live.listeners.insert(arn.to_owned(), running);
        }
        self.publish(&mut live);
        Ok(())
    }

    async fn run_listener(&self, load_balancer: &str, port: u16) -> Result<Running, ListenError> {
        let socket = proxy::bind(SocketAddrV4::new(self.listen, port)).await?;
        let meter = Meter::of(Arc::clone(&self.metrics), load_balancer);
        Ok(Running::start(socket, port, Arc::clone(&self.pool), meter))
    }

    /// Changes the model and lets everything that runs follow.
    fn change<R>(&self, change: impl FnOnce(&mut Model) -> R) -> R {
        let mut live = self.lock();
        let answer = self.model.write(change);
        self.publish(&mut live);
        answer
    }

    fn publish(&self, live: &mut Live) {
        let Live { listeners, checks } = live;
        let tables = self.model.read(|model| {
            checks.follow(model, &self.this);
            listeners.retain(|arn, _| model.listeners.contains_key(arn));
            routes::build(model, &|group, target| checks.condition(group, target))
        });
        let targets: HashSet<SocketAddrV4> = tables.values().flat_map(routes::Routes::targets).collect();
        for (arn, routes) in tables {
            if let Some(running) = listeners.get(&arn) {
                running.publish(routes);
            }
        }
        self.pool.keep_only(&targets);
    }

    fn observe(&self, key: &(String, Target), finding: &Finding) {
        let mut live = self.lock();
        if live.checks.observe(key, finding) == Outcome::Changed {
            self.publish(&mut live);
        }
    }

    fn forget_at(&self, until: OffsetDateTime) {
        let this = self.this.clone();
        tokio::spawn(async move {
            // Never before the time is really over: a timer may fire a little early against the wall clock.
            while let Ok(left) = Duration::try_from(until - crate::clock::now()) {
                if left.is_zero() {
                    break;
                }
                tokio::time::sleep(left).await;
            }
            if let Some(elb) = this.upgrade() {
                elb.change(|model| model.forget_drained(crate::clock::now()));
            }
        });
    }

    fn place(&self, region: &str) -> Place {
        Place {
            region: region.to_owned(),
            account: self.account.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn draining_ends(model: &Model) -> Vec<OffsetDateTime> {
    model
        .groups
        .values()
        .flat_map(|group| &group.targets)
        .filter_map(|(_, registration)| match registration {
            model::Registration::Registered => None,
            model::Registration::Draining { until } => Some(*until),
        })
        .collect()
}

/// `HealthyHostCount` and `UnHealthyHostCount` of every group in use.
async fn count_hosts_forever(elb: Weak<Elb>) {
    let mut ticks = tokio::time::interval(HOST_COUNT_PERIOD);
    loop {
        ticks.tick().await;
        let Some(elb) = elb.upgrade() else { return };
        elb.count_hosts();
    }
}

impl Elb {
    fn count_hosts(&self) {
        for (balancer, group) in self.model.read(pairs_in_use) {
            let states = self.health(&group);
            let count = |wanted: fn(&TargetState) -> bool| {
                u32::try_from(states.iter().filter(|(_, state)| wanted(state)).count()).unwrap_or(u32::MAX)
            };
            let healthy = count(|state| matches!(state, TargetState::Healthy));
            let unhealthy = count(|state| matches!(state, TargetState::Unhealthy { .. }));
            if !states.is_empty() {
                let [_, dimensions] = routes::dimensions(&balancer, &group);
                Meter::of(Arc::clone(&self.metrics), &balancer).hosts(&dimensions, healthy, unhealthy);
            }
        }
    }
}

fn pairs_in_use(model: &Model) -> Vec<(String, String)> {
    let pairs = |group: &String| {
        let group = group.clone();
        model
            .balancers_of(&group)
            .into_iter()
            .map(|balancer| (balancer.to_owned(), group.clone()))
            .collect::<Vec<_>>()
    };
    model.groups.keys().flat_map(pairs).collect()
}

#[cfg(test)]
mod tests;
