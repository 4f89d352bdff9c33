//! Follows the events of all projects that somebody here listens to, once for all listeners of this process.
//!
//! Polls rather than LISTENs: NOTIFY takes one lock for all commits of the database, a lost connection loses
//! notifications, and a listener needs the rows anyway. Without listeners it asks nothing.
//!
//! Identity values become visible out of order, since the later transaction may commit first. So the feed goes by
//! transaction, and never reads past the oldest one that still runs: nothing can appear behind it.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sqlx::{PgConnection, types::Json};
use tokio::{sync::broadcast, time::MissedTickBehavior};
use uuid::Uuid;

use crate::{
    activity::{Activity, heard_by, json},
    database::Database,
    problem::Problem,
};

/// Half of what a listener may have to wait.
const PACE: Duration = Duration::from_millis(200);
/// A listener that falls behind by more is sent away, and resumes by `Last-Event-ID`.
const BACKLOG: usize = 256;
/// As many as one look brings.
pub(super) const AT_ONCE: usize = 1000;

/// Where a listener is: the transaction, and the event in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) transaction: u64,
    pub(crate) event: i64,
}

impl Place {
    /// Behind everything.
    pub(crate) const END: Self = Self {
        transaction: i64::MAX.unsigned_abs(),
        event: i64::MAX,
    };

    /// As an event's id has it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (transaction, event) = text.split_once('-')?;
        let place = Self {
            transaction: transaction.parse().ok()?,
            event: event.parse().ok()?,
        };
        (place <= Self::END && place.event >= 0).then_some(place)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.transaction, self.event)
    }
}

/// What the listeners of this process hear.
#[derive(Clone, Default)]
pub(crate) struct Feed(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    projects: HashMap<Uuid, broadcast::Sender<Arc<Activity>>>,
    /// Up to where everything was passed on; None while nobody listens.
    place: Option<Place>,
}

impl Feed {
    /// Hears what happens in this project from now on. `horizon` was read before, so that a feed that begins with this
    /// listener leaves nothing out; what lies between is for the listener to read afterwards.
    pub(crate) fn listen(&self, project: Uuid, horizon: Place) -> broadcast::Receiver<Arc<Activity>> {
        let mut state = self.lock();
        state.place.get_or_insert(horizon);
        let sender = state
            .projects
            .entry(project)
            .or_insert_with(|| broadcast::channel(BACKLOG).0);
        sender.subscribe()
    }

    /// Never ends by itself.
    pub(crate) async fn run(self, database: Database) {
        let mut beat = tokio::time::interval(PACE);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beat.tick().await;
            let Some((followed, place)) = self.followed() else {
                continue;
            };
            // Logged where it was made; the place is kept, so that nothing is left out.
            if self.pass_on(&database, &followed, place).await.is_err() {
                tokio::time::sleep(PACE * 5).await;
            }
        }
    }

    async fn pass_on(&self, database: &Database, followed: &[Uuid], place: Place) -> Result<(), Problem> {
        let mut connection = database.connection().await?;
        let rows = following(&mut connection, followed, place, Ears::Feed).await?;
        let Some(reached) = rows.last().and_then(|last| Place::parse(&last.id)) else {
            if Snapshot::now(&mut connection).await?.is_behind(place) {
                self.begin_anew();
            }
            return Ok(());
        };
        let mut state = self.lock();
        for activity in rows {
            if let Some(sender) = state.projects.get(&activity.project_id) {
                // Without a receiver left there is nobody to tell.
                drop(sender.send(Arc::new(activity)));
            }
        }
        state.place = Some(reached);
        Ok(())
    }

    /// The database has become another one, which will not come to this place for long. Listeners are sent away, and are told
    /// when they come back.
    fn begin_anew(&self) {
        tracing::warn!("the database is another one than before; listeners begin anew");
        *self.lock() = State::default();
    }

    /// Projects with listeners, and where the feed is; those without are forgotten.
    fn followed(&self) -> Option<(Vec<Uuid>, Place)> {
        let mut state = self.lock();
        state.projects.retain(|_, sender| sender.receiver_count() > 0);
        if state.projects.is_empty() {
            state.place = None;
        }
        let place = state.place?;
        Some((state.projects.keys().copied().collect(), place))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is there at one moment (PostgreSQL manual, 9.27.6: `pg_current_snapshot`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Snapshot {
    oldest_running: u64,
    /// The first transaction that had not begun.
    next: u64,
    running: Vec<u64>,
}

impl Snapshot {
    pub(super) async fn now(connection: &mut PgConnection) -> Result<Self, Problem> {
        let text: String = sqlx::query_scalar("select pg_current_snapshot()::text")
            .fetch_one(connection)
            .await
            .map_err(|cause| Problem::of_database(&cause))?;
        Self::parse(&text).ok_or(Problem::Internal)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let (oldest_running, next) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let running = parts.next()?.split(',').filter(|one| !one.is_empty());
        Some(Self {
            oldest_running,
            next,
            running: running.map(|one| one.parse().ok()).collect::<Option<_>>()?,
        })
    }

    /// Before everything that is not there yet, and before some that is.
    pub(super) fn horizon(&self) -> Place {
        Place {
            transaction: self.oldest_running,
            event: -1,
        }
    }

    /// Whether no event that was passed on, and no moment to begin at, can have been there: this server has not come so far.
    fn is_behind(&self, place: Place) -> bool {
        place.transaction > self.next
    }

    /// Whether this was there already.
    pub(super) fn has(&self, place: Place) -> bool {
        place.transaction < self.next && !self.running.contains(&place.transaction)
    }
}

/// Who reads on.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ears {
    /// For listeners that know what each of them may hear.
    Feed,
    /// What this user may hear.
    User(Uuid),
}

/// What happened in these projects behind this place, as far as it is settled.
pub(super) async fn following(
    connection: &mut PgConnection,
    projects: &[Uuid],
    place: Place,
    ears: Ears,
) -> Result<Vec<Activity>, Problem> {
    let rows: Vec<Json<Activity>> = sqlx::query_scalar(concat!(
        "select ",
        json!(),
        " from events
         where project_id = any($1) and (tx, id) > ($2::text::xid8, $3)
           and tx < pg_snapshot_xmin(pg_current_snapshot())
           and ($5::uuid is null or ",
        heard_by!("$5"),
        ")
         order by tx, id limit $4"
    ))
    .bind(projects)
    .bind(place.transaction.to_string())
    .bind(place.event)
    .bind(i64::try_from(AT_ONCE).unwrap_or(i64::MAX))
    .bind(match ears {
        Ears::Feed => None,
        Ears::User(id) => Some(id),
    })
    .fetch_all(connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// Whether a listener can go on behind this place: the event is there, by a transaction of this server, and none that came after it
/// was put before it since (`history`).
pub(super) async fn is_known(connection: &mut PgConnection, project: Uuid, place: Place) -> Result<bool, Problem> {
    sqlx::query_scalar(
        "select exists (select from events where project_id = $1 and tx = $2::text::xid8 and id = $3
                           and tx < pg_snapshot_xmax(pg_current_snapshot()))
            and case $2 when '0' then (select tx = '0' from events order by id limit 1)
                else not exists (select from events where tx = '0' and id > $3) end",
    )
    .bind(project)
    .bind(place.transaction.to_string())
    .bind(place.event)
    .fetch_one(connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))
}

/// The last place of this project that is settled; None when everything of it was cleared away.
pub(super) async fn latest(connection: &mut PgConnection, project: Uuid) -> Result<Option<Place>, Problem> {
    let found: Option<String> = sqlx::query_scalar(
        "select tx::text || '-' || id from events
         where project_id = $1 and tx < pg_snapshot_xmin(pg_current_snapshot()) order by tx desc, id desc limit 1",
    )
    .bind(project)
    .fetch_optional(connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    Ok(found.as_deref().and_then(Place::parse))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_has_what_was_committed_and_not_what_ran() {
        let snapshot = Snapshot::parse("10:14:10,12").unwrap();
        let has = |transaction| snapshot.has(Place { transaction, event: 1 });
        assert_eq!(
            [9, 10, 11, 12, 13, 14].map(has),
            [true, false, true, false, true, false]
        );
        assert!(
            snapshot.horizon()
                < Place {
                    transaction: 10,
                    event: 0
                }
        );
        let is_behind = |transaction| snapshot.is_behind(Place { transaction, event: 1 });
        assert_eq!([13, 14, 15].map(is_behind), [false, false, true]);
        assert!(Snapshot::parse("10:10:").unwrap().running.is_empty());
        assert_eq!(Snapshot::parse("10"), None);
    }

    #[test]
    fn a_place_reads_as_it_is_written_and_orders_by_transaction_first() {
        let place = |text| Place::parse(text).unwrap();
        assert!(place("7-9") < place("8-1") && place("8-1") < place("8-2") && place("8-2") < Place::END);
        for text in ["", "7", "7-", "-7", "a-b", "7--1", "99999999999999999999-1"] {
            assert_eq!(Place::parse(text), None, "{text}");
        }
        assert_eq!(place("7-9").to_string(), "7-9");
    }
}
