//! The deploy lock: one S3 object, written conditionally, that carries its holder, its end and a fencing token.
//!
//! The object is never deleted, so its token only grows. A holder renews it at a third of its time to live; one that died is overtaken
//! after that time. A rollback does not wait at all.

use std::{sync::Mutex, time::Duration};

use thiserror::Error;
use time::{OffsetDateTime, UtcOffset};
use tt_plan::{Command, Holder, Lease};

use crate::ports::{Clock, Journal, PortError, Version};

/// Whose lock may be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takeover {
    /// Only one that is free or expired.
    Expired,
    /// Any: a rollback comes first.
    Any,
}

/// Why the lock is not ours.
#[derive(Debug, Error)]
pub enum LockError {
    /// Somebody is at work.
    #[error("{} holds the deploy lock until {}", lease.holder.name, time_of_day(lease.expires_at))]
    Held {
        /// Their lease.
        lease: Box<Lease>,
    },
    /// Somebody was faster, several times.
    #[error("the deploy lock changed hands while we tried to take it")]
    Contended,
    /// S3 failed.
    #[error("the deploy lock could not be read or written")]
    Storage(#[source] PortError),
}

/// A lock that is held.
pub(crate) struct Lock<'a, J, C> {
    journal: &'a J,
    clock: &'a C,
    ttl: Duration,
    state: Mutex<(Lease, Version)>,
}

const TRIES: u32 = 5;

impl<'a, J: Journal, C: Clock> Lock<'a, J, C> {
    /// Takes the lock; returns it with the holder it was taken from.
    pub(crate) async fn acquire(
        journal: &'a J,
        clock: &'a C,
        holder: &Holder,
        command: Command,
        ttl: Duration,
        takeover: Takeover,
    ) -> Result<(Self, Option<Holder>), LockError> {
        let mut tried: Option<Lease> = None;
        let mut taken_from: Option<Holder> = None;
        for _ in 0..TRIES {
            let found = journal.lease().await.map_err(LockError::Storage)?;
            // A write whose answer was lost looks like a lost race when it is made again; what stands there is ours.
            if let Some((lease, version)) = found.clone()
                && tried.as_ref() == Some(&lease)
            {
                let state = Mutex::new((lease, version));
                return Ok((
                    Self {
                        journal,
                        clock,
                        ttl,
                        state,
                    },
                    taken_from,
                ));
            }
            let now = clock.now();
            if let Some((lease, _)) = &found
                && lease.is_held(now)
                && takeover == Takeover::Expired
            {
                return Err(LockError::Held {
                    lease: Box::new(lease.clone()),
                });
            }
            let lease = Lease {
                token: found.as_ref().map_or(1, |(lease, _)| lease.token + 1),
                holder: holder.clone(),
                command,
                expires_at: now + ttl,
                released: false,
            };
            let expected = found.as_ref().map(|(_, version)| version);
            let swapped = journal.swap(expected, &lease).await.map_err(LockError::Storage)?;
            taken_from = found
                .map(|(lease, _)| lease)
                .filter(|lease| !lease.released)
                .map(|lease| lease.holder);
            if let Some(version) = swapped {
                return Ok((
                    Self {
                        journal,
                        clock,
                        ttl,
                        state: Mutex::new((lease, version)),
                    },
                    taken_from,
                ));
            }
            tried = Some(lease);
        }
        Err(LockError::Contended)
    }

    pub(crate) fn token(&self) -> u64 {
        self.snapshot().0.token
    }

    /// Renews for ever; returns who has the lock now once it is not ours any more.
    ///
    /// An unreachable S3 is no loss yet: the lease holds until it expires, and a later renewal may succeed.
    pub(crate) async fn keep(&self) -> Holder {
        loop {
            self.clock.sleep(self.ttl / 3).await;
            if let Some(by) = self.renew().await {
                return by;
            }
        }
    }

    /// Extends the lease, and thereby makes sure that it is still ours: `Some` names who has it instead.
    pub(crate) async fn renew(&self) -> Option<Holder> {
        let (mut lease, version) = self.snapshot();
        lease.expires_at = self.clock.now() + self.ttl;
        match self.journal.swap(Some(&version), &lease).await {
            Ok(Some(version)) => {
                self.remember(lease, version);
                None
            }
            Ok(None) => self.who_else(&lease).await,
            Err(_passing) => None,
        }
    }

    /// Gives it back. Failing that it expires by itself.
    pub(crate) async fn release(self) {
        let (mut lease, version) = self.snapshot();
        lease.released = true;
        let _given_back_or_expires = self.journal.swap(Some(&version), &lease).await;
    }

    /// A lost answer to our own write looks like a lost race; the token tells them apart.
    async fn who_else(&self, ours: &Lease) -> Option<Holder> {
        match self.journal.lease().await {
            Ok(Some((found, version))) if found.token == ours.token => {
                self.remember(found, version);
                None
            }
            Ok(Some((found, _))) => Some(found.holder),
            Ok(None) | Err(_) => None,
        }
    }

    fn snapshot(&self) -> (Lease, Version) {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    fn remember(&self, lease: Lease, version: Version) {
        *self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = (lease, version);
    }
}

/// Wide enough for a lease of minutes: a date would only be in the way.
fn time_of_day(at: OffsetDateTime) -> String {
    let at = at.to_offset(UtcOffset::UTC);
    format!("{:02}:{:02}:{:02} UTC", at.hour(), at.minute(), at.second())
}
