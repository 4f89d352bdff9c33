//! Connections that stay at hand between two uses.
//!
//! sqlx's pool asks every connection for a sign of life when it comes back, in a task of its own: a round trip to
//! PostgreSQL and two wake-ups for each use, as much again as a short statement costs. A connection that was used without any
//! trouble is kept here instead, and taken by whoever comes next. It goes back to the pool when there was trouble, when its
//! use was cut short, when nobody wanted it for a while, and every few seconds in any case: its age, its idle time and its
//! login stay the pool's business.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sqlx::{PgConnection, PgPool, Postgres, pool::PoolConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::operation;

/// Until the pool looks after it again.
const TURN: Duration = Duration::from_secs(5);
/// What nobody wanted for so long may be broken by now.
const FRESH: Duration = Duration::from_secs(1);

/// As many places as the pool has connections: whoever has a place finds a connection here or in the pool.
#[derive(Clone)]
pub(crate) struct Shelf {
    pool: PgPool,
    places: Arc<Semaphore>,
    kept: Arc<Mutex<Vec<Kept>>>,
}

struct Kept {
    connection: PoolConnection<Postgres>,
    /// When the pool lent it.
    lent: Instant,
    /// When it was put here.
    put: Instant,
}

/// The right to one connection.
pub(crate) struct Place {
    shelf: Shelf,
    _permit: OwnedSemaphorePermit,
}

/// A connection in use.
pub(crate) struct Borrowed {
    /// None only while it is being dropped.
    connection: Option<PoolConnection<Postgres>>,
    lent: Instant,
    place: Place,
}

impl Shelf {
    pub(crate) fn of(pool: &PgPool) -> Self {
        let most = usize::try_from(pool.options().get_max_connections()).unwrap_or(1);
        Self {
            pool: pool.clone(),
            places: Arc::new(Semaphore::new(most)),
            kept: Arc::default(),
        }
    }

    /// Waits for its turn; those who asked first are first.
    pub(crate) async fn place(&self) -> Result<Place, sqlx::Error> {
        let permit = Arc::clone(&self.places).acquire_owned().await;
        Ok(Place {
            shelf: self.clone(),
            _permit: permit.map_err(|_| sqlx::Error::PoolClosed)?,
        })
    }

    /// Connections that nobody uses at this moment.
    pub(crate) fn kept(&self) -> usize {
        self.lock().len()
    }

    /// Once the pool is marked as closed, so that nothing is put here behind it.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    fn put(&self, kept: Kept) {
        let mut all = self.lock();
        if !self.pool.is_closed() {
            all.push(kept);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// The connection that was used last, unless that was long ago.
    pub(crate) fn at_hand(self) -> Result<Borrowed, Self> {
        let last = self.shelf.lock().pop();
        match last {
            Some(kept) if kept.put.elapsed() < FRESH => Ok(Borrowed {
                connection: Some(kept.connection),
                lent: kept.lent,
                place: self,
            }),
            // The others are older still. They go back as they are come upon.
            Some(_) | None => Err(self),
        }
    }

    /// With a connection that the pool has just lent.
    pub(crate) fn with(self, connection: PoolConnection<Postgres>) -> Borrowed {
        Borrowed {
            connection: Some(connection),
            lent: Instant::now(),
            place: self,
        }
    }
}

impl Deref for Borrowed {
    type Target = PgConnection;

    fn deref(&self) -> &Self::Target {
        match &self.connection {
            Some(connection) => connection,
            None => unreachable!("it is there until it is dropped"),
        }
    }
}

impl DerefMut for Borrowed {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match &mut self.connection {
            Some(connection) => connection,
            None => unreachable!("it is there until it is dropped"),
        }
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        if operation::goes_well() && self.lent.elapsed() < TURN {
            self.place.shelf.put(Kept {
                connection,
                lent: self.lent,
                put: Instant::now(),
            });
        }
    }
}
