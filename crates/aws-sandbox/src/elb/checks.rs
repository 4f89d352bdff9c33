//! Health checks as they run: one loop per registered target of a group that a listener uses.

use std::collections::{HashMap, HashSet};
use std::net::{SocketAddr, SocketAddrV4};
use std::sync::Weak;

use bytes::Bytes;
use http::{Request, header};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::MissedTickBehavior;
use tokio_util::task::AbortOnDropHandle;

use super::Elb;
use super::health::{Condition, Failure, Finding, Health};
use super::model::{HealthCheck, Model, Target};

/// A target group's ARN and a target in it.
type Key = (String, Target);

/// All targets under check.
#[derive(Debug, Default)]
pub(super) struct Checks {
    watched: HashMap<Key, Watched>,
}

#[derive(Debug)]
struct Watched {
    health: Health,
    settings: HealthCheck,
    _loop: AbortOnDropHandle<()>,
}

/// Whether something that routing depends on is different now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Changed,
    Same,
}

impl Checks {
    /// Starts and stops loops so that they fit the model. A target whose settings changed keeps its health.
    pub(super) fn follow(&mut self, model: &Model, elb: &Weak<Elb>) {
        let wanted = targets_in_use(model);
        let still: HashSet<&Key> = wanted.iter().map(|(key, _)| key).collect();
        self.watched.retain(|key, _| still.contains(key));
        for (key, settings) in &wanted {
            let known = self.watched.get(key);
            if known.is_some_and(|watched| watched.settings == **settings) {
                continue;
            }
            let health = known.map_or_else(Health::new, |watched| watched.health.clone());
            let checking = tokio::spawn(check_forever(key.clone(), (*settings).clone(), elb.clone()));
            let watched = Watched {
                health,
                settings: (*settings).clone(),
                _loop: AbortOnDropHandle::new(checking),
            };
            self.watched.insert(key.clone(), watched);
        }
    }

    /// Takes in a result; a target that is no longer under check has none.
    pub(super) fn observe(&mut self, key: &Key, finding: &Finding) -> Outcome {
        let Some(watched) = self.watched.get_mut(key) else {
            return Outcome::Same;
        };
        let before = watched.health.condition();
        watched.health.observe(finding, watched.settings.thresholds());
        let after = watched.health.condition();
        if (before == Condition::Healthy) == (after == Condition::Healthy) {
            Outcome::Same
        } else {
            Outcome::Changed
        }
    }

    pub(super) fn condition(&self, group: &str, target: Target) -> Option<Condition> {
        self.watched
            .get(&(group.to_owned(), target))
            .map(|watched| watched.health.condition())
    }
}

fn targets_in_use(model: &Model) -> Vec<(Key, &HealthCheck)> {
    model
        .groups
        .values()
        .filter(|group| !model.balancers_of(&group.arn).is_empty())
        .flat_map(|group| {
            group
                .registered()
                .map(|target| ((group.arn.clone(), target), &group.health_check))
        })
        .collect()
}

/// The first check comes at once, the others at the interval.
async fn check_forever(key: Key, settings: HealthCheck, elb: Weak<Elb>) {
    let mut ticks = tokio::time::interval(settings.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let address = SocketAddrV4::new(key.1.ip, settings.port.unwrap_or(key.1.port));
    loop {
        ticks.tick().await;
        let finding = check(address, &settings).await;
        let Some(elb) = elb.upgrade() else { return };
        elb.observe(&key, &finding);
    }
}

async fn check(address: SocketAddrV4, settings: &HealthCheck) -> Finding {
    match tokio::time::timeout(settings.timeout, status(address, &settings.path)).await {
        Err(_) => Finding::Failed(Failure::Timeout),
        Ok(None) => Finding::Failed(Failure::NoConnection),
        Ok(Some(status)) if settings.matcher.accepts(status) => Finding::Passed,
        Ok(Some(status)) => Finding::Failed(Failure::Mismatch(status)),
    }
}

/// What the target answers to the checker's GET, on a connection of its own as ALB does.
async fn status(address: SocketAddrV4, path: &str) -> Option<u16> {
    let stream = TcpStream::connect(SocketAddr::V4(address)).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    let request = Request::get(path)
        .header(header::HOST, address.to_string())
        .header(header::CONNECTION, "close")
        .header(header::USER_AGENT, "ELB-HealthChecker/2.0")
        .body(Empty::<Bytes>::new())
        .ok()?;
    let driver = AbortOnDropHandle::new(tokio::spawn(connection));
    let answer = sender.send_request(request).await;
    drop(driver);
    answer.ok().map(|response| response.status().as_u16())
}
