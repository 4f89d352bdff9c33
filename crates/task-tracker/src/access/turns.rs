//! How many long things one process does for one user at a time.
//!
//! A limit of requests a minute does not know how long each of them takes: a handful of exports would have the whole pool to
//! themselves, and listeners that are never closed one connection after another.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::problem::Problem;

/// Longer than this in the queue, and the client is better told to come back.
const PATIENCE: Duration = Duration::from_secs(3);
/// So that a user can have another one while the first is abandoned and nobody has noticed yet.
const LONG_AT_A_TIME: usize = 2;

/// So many at a time for each user.
#[derive(Clone)]
pub(crate) struct Turns(Arc<Counts>);

struct Counts {
    most: usize,
    /// Nobody is in here with none.
    taken: Mutex<HashMap<Uuid, usize>>,
}

/// One of them, until it is dropped.
pub(crate) struct Turn {
    of: Turns,
    user: Uuid,
}

/// Exports and imports: a few at a time for each user, and for all together a part of the connections.
#[derive(Clone)]
pub(crate) struct Heavy {
    turns: Turns,
    places: Arc<Semaphore>,
}

/// Leave to use a connection for long, until it is dropped.
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Turns {
    pub(crate) fn new(most: usize) -> Self {
        Self(Arc::new(Counts {
            most,
            taken: Mutex::default(),
        }))
    }

    /// None when this user has as many as there may be.
    pub(crate) fn take(&self, user: Uuid) -> Option<Turn> {
        let mut taken = self.lock();
        let own = taken.get(&user).copied().unwrap_or_default();
        if own >= self.0.most {
            return None;
        }
        taken.insert(user, own + 1);
        Some(Turn { of: self.clone(), user })
    }

    fn give_back(&self, user: Uuid) {
        let mut taken = self.lock();
        match taken.get_mut(&user) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(taken.remove(&user)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, usize>> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.of.give_back(self.user);
    }
}

impl Heavy {
    /// With half of the pool's connections, so that a login always finds one.
    pub(crate) fn beside(pool: u32) -> Self {
        let places = usize::try_from(pool / 2).unwrap_or(1).max(1);
        Self {
            turns: Turns::new(LONG_AT_A_TIME),
            places: Arc::new(Semaphore::new(places)),
        }
    }

    /// For as long as the whole of it takes, whoever is slow.
    pub(crate) fn begin(&self, user: Uuid) -> Result<Turn, Problem> {
        self.turns.take(user).ok_or(Problem::TooManyAtOnce(
            "you have two exports or imports under way; let one of them end first",
        ))
    }

    /// For as long as the database is busy with it; never while a client is waited for.
    pub(crate) async fn place(&self) -> Result<Place, Problem> {
        let places = Arc::clone(&self.places);
        let permit = tokio::time::timeout(PATIENCE, places.acquire_owned())
            .await
            .map_err(|_| Problem::Busy)?
            .map_err(|_| Problem::Busy)?;
        Ok(Place { _permit: permit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_comes_back_and_leaves_nothing_behind() {
        let turns = Turns::new(2);
        let (ann, bob) = (Uuid::now_v7(), Uuid::now_v7());
        let held = [turns.take(ann).unwrap(), turns.take(ann).unwrap()];
        assert!(turns.take(ann).is_none());
        let other = turns.take(bob).unwrap();
        let [first, second] = held;
        drop(first);
        let third = turns.take(ann).unwrap();
        assert!(turns.take(ann).is_none());
        drop((second, third, other));
        assert!(turns.lock().is_empty());
    }

    #[tokio::test]
    async fn the_places_of_all_are_half_of_the_pool_and_at_least_one() {
        for (pool, places) in [(1, 1), (2, 1), (4, 2), (7, 3)] {
            assert_eq!(Heavy::beside(pool).places.available_permits(), places, "{pool}");
        }
        let heavy = Heavy::beside(2);
        let place = heavy.place().await.unwrap();
        assert_eq!(heavy.places.available_permits(), 0);
        drop(place);
        heavy.place().await.unwrap();
    }
}
