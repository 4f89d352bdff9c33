//! How many requests one process serves for one user, and for one network that shows no credentials.
//!
//! Counted in this process alone and forgotten with it: nothing here is promised to anybody, as the counts of `throttle` in
//! PostgreSQL are. It keeps a client that went wrong from taking this process from everybody else, and costs a request
//! a look into a map.

use std::{hash::Hash, net::IpAddr, num::NonZeroU32, sync::Arc, time::Duration};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock};
use uuid::Uuid;

use crate::{
    access::{address::prefix, throttle::Limit},
    problem::Problem,
};

/// A count that is whole again is as good as none, so this bounds how many are kept.
const SWEEP: Duration = Duration::from_secs(10);
const WINDOW: Duration = Duration::from_mins(1);

/// The counts of one process.
#[derive(Clone)]
pub(crate) struct Shedding(Arc<Counts>);

struct Counts {
    users: Count<Uuid>,
    networks: Count<u128>,
}

struct Count<K: Hash + Eq + Clone> {
    limit: Limit,
    used: DefaultKeyedRateLimiter<K>,
}

impl Shedding {
    /// So many requests a minute of one user, and of all strangers in one network together.
    pub(crate) fn new(by_user: u32, by_strangers: u32) -> Self {
        Self(Arc::new(Counts {
            users: Count::of("requests", by_user),
            networks: Count::of("requests-network", by_strangers),
        }))
    }

    /// One request of a user.
    pub(crate) fn user(&self, user: Uuid) -> Result<(), Problem> {
        self.0.users.take(&user)
    }

    /// One request without credentials that are good.
    pub(crate) fn stranger(&self, from: IpAddr) -> Result<(), Problem> {
        self.0.networks.take(&prefix(from))
    }

    /// Forgets who has been quiet, from time to time; never ends by itself.
    pub(crate) async fn look_after(self) {
        let mut beat = tokio::time::interval(SWEEP);
        loop {
            beat.tick().await;
            self.sweep();
        }
    }

    fn sweep(&self) {
        self.0.users.sweep();
        self.0.networks.sweep();
    }
}

impl<K: Hash + Eq + Clone> Count<K> {
    fn of(name: &'static str, uses: u32) -> Self {
        let uses = NonZeroU32::new(uses).unwrap_or(NonZeroU32::MIN);
        Self {
            limit: Limit {
                name,
                uses: uses.get(),
                window: WINDOW,
            },
            used: RateLimiter::keyed(Quota::per_minute(uses)),
        }
    }

    fn take(&self, key: &K) -> Result<(), Problem> {
        self.used.check_key(key).map_err(|refused| {
            let wait = refused.wait_time_from(self.used.clock().now());
            Problem::Throttled {
                allowance: self.limit.used_up(wait),
            }
        })
    }

    fn sweep(&self) {
        self.used.retain_recent();
        self.used.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_an_allowance_of_its_own() {
        let shedding = Shedding::new(3, 2);
        let (ann, bob) = (Uuid::now_v7(), Uuid::now_v7());
        for _ in 0..3 {
            shedding.user(ann).unwrap();
        }
        assert!(matches!(shedding.user(ann), Err(Problem::Throttled { .. })));
        shedding.user(bob).unwrap();
        let from = |address: &str| shedding.stranger(address.parse().unwrap());
        from("2001:db8::1").unwrap();
        from("2001:db8::2").unwrap();
        assert!(from("2001:db8::3").is_err(), "the same household");
        from("2001:db8:0:1::1").unwrap();
        from("192.0.2.1").unwrap();
    }

    #[test]
    fn who_has_been_quiet_is_forgotten() {
        // Sixty thousand a minute come back one by one each millisecond.
        let shedding = Shedding::new(60_000, 1);
        for _ in 0..1000 {
            shedding.user(Uuid::now_v7()).unwrap();
        }
        shedding.stranger(IpAddr::from([192, 0, 2, 1])).unwrap();
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        while !shedding.0.users.used.is_empty() {
            assert!(std::time::Instant::now() < deadline, "never forgotten");
            shedding.sweep();
        }
        assert_eq!(shedding.0.networks.used.len(), 1, "its minute has only begun");
    }
}
