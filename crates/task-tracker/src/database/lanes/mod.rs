//! Lanes: the hot way to PostgreSQL.
//!
//! A few connections, each with statements of several requests under way at once. What every request asks goes here: who is
//! asking, one thing, a list, a change. Rare statements, listeners and work in the background have sqlx's pool. Never opens a
//! transaction: a statement here is one by itself.

mod board;
mod choice;
mod line;
mod parameter;
#[cfg(test)]
mod tests;
mod tls;
mod way;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::{
    Row,
    error::{DbError, Severity, SqlState},
};

use board::{Board, Place};
use line::Line;
pub(crate) use parameter::Parameter;
pub(crate) use way::{NoWay, Way};

use super::login::{AGAIN, Login};
use crate::config::MissingDatabaseUrl;

/// What a lane may take to answer everything that is under way on it: `DEPTH` statements that all take as long as
/// `statement_timeout` lets them. One that takes longer is given up.
const FENCE: Duration = Duration::from_secs(40);
/// A connection that nobody needed for so long is closed, as sqlx's pool does.
const IDLE: Duration = Duration::from_mins(10);

/// The lanes of one process. A connection is made when it is first needed.
#[derive(Clone)]
pub(crate) struct Lanes {
    board: Arc<Board>,
    slots: Arc<[Slot]>,
    login: Arc<Login>,
}

/// Where a lane's connection is, if there is one.
#[derive(Default)]
struct Slot {
    line: Mutex<Option<Arc<Line>>>,
    /// Held by whoever makes a new one.
    opening: tokio::sync::Mutex<()>,
}

/// Whether a statement may be sent again when nobody knows what became of it, and which lanes are for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sending {
    /// It changes nothing that a second time would change again.
    Repeatable,
    /// A change: it may have to wait for a row that somebody holds locked.
    Once,
}

/// A statement has no answer, or a bad one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    #[error("no place to the database became free in time")]
    TooBusy,
    #[error("the connections to the database are closed")]
    Closed,
    #[error("could not tell where the database is")]
    Url(#[source] MissingDatabaseUrl),
    #[error("could not tell how to connect to the database")]
    NoWay(#[source] NoWay),
    #[error("could not connect to the database")]
    Connect(#[source] tokio_postgres::Error),
    #[error("could not have a statement answered")]
    Statement(#[source] tokio_postgres::Error),
}

impl Unanswered {
    /// PostgreSQL's own code, where it is PostgreSQL that refused.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Self::Connect(cause) | Self::Statement(cause) => cause.code().map(SqlState::code),
            Self::TooBusy | Self::Closed | Self::Url(_) | Self::NoWay(_) => None,
        }
    }

    /// The constraint that forbids it.
    pub(crate) fn constraint(&self) -> Option<&str> {
        match self {
            Self::Statement(cause) => cause.as_db_error().and_then(DbError::constraint),
            Self::Connect(_) | Self::TooBusy | Self::Closed | Self::Url(_) | Self::NoWay(_) => None,
        }
    }

    /// For the log. What PostgreSQL says beyond its message may quote what users wrote.
    pub(crate) fn words(&self) -> String {
        let mut words = self.to_string();
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            let text = match cause.downcast_ref::<DbError>() {
                Some(refusal) => refusal.message().to_owned(),
                None => cause.to_string(),
            };
            words = format!("{words}: {text}");
            next = cause.source();
        }
        words
    }

    /// Whether it is the way to PostgreSQL that failed, and neither what was asked nor how the answer was read.
    pub(crate) fn is_of_the_connection(&self) -> bool {
        match self {
            Self::TooBusy | Self::Closed | Self::Connect(_) => true,
            Self::Url(_) | Self::NoWay(_) => false,
            Self::Statement(cause) => is_of_the_connection(cause),
        }
    }

    /// PostgreSQL manual, appendix A: class 28 invalid authorization.
    fn is_a_refused_login(&self) -> bool {
        matches!(self, Self::Connect(_)) && matches!(self.code(), Some("28P01" | "28000"))
    }
}

/// Apart from errors of the connection there are those of PostgreSQL, and of values that do not fit. After one that PostgreSQL
/// calls fatal, as when it is told to end, there is no connection either.
fn is_of_the_connection(cause: &tokio_postgres::Error) -> bool {
    let source = std::error::Error::source(cause);
    let severity = cause.as_db_error().and_then(DbError::parsed_severity);
    cause.is_closed()
        || source.is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
        || matches!(severity, Some(Severity::Fatal | Severity::Panic))
}

impl Lanes {
    pub(super) fn of(count: usize, login: Arc<Login>) -> Self {
        Self {
            board: Board::of(count),
            slots: (0..count).map(|_| Slot::default()).collect(),
            login,
        }
    }

    /// A place on a connection, when it is this one's turn.
    pub(super) async fn errand(&self, sending: Sending, end: Instant) -> Result<Errand, Unanswered> {
        let ready = async {
            let place = self.board.place(sending).await.ok_or(Unanswered::Closed)?;
            let line = self.line(place.lane(), end).await?;
            Ok(Errand {
                under_way: Some(UnderWay { place, line }),
            })
        };
        timeout_at(end, ready).await.unwrap_or(Err(Unanswered::TooBusy))
    }

    async fn line(&self, lane: usize, end: Instant) -> Result<Arc<Line>, Unanswered> {
        let slot = &self.slots[lane];
        if let Some(line) = slot.sound() {
            return Ok(line);
        }
        // On the heap: what is rare would make every request's work larger, and that is moved about.
        Box::pin(self.opened(slot, end)).await
    }

    async fn opened(&self, slot: &Slot, end: Instant) -> Result<Arc<Line>, Unanswered> {
        let _opening = slot.opening.lock().await;
        if let Some(line) = slot.sound() {
            return Ok(line);
        }
        let opened = Arc::new(self.connect(end).await?);
        *slot.lock() = Some(Arc::clone(&opened));
        Ok(opened)
    }

    /// Tries a login that is refused again until `end`, with whatever the URL says by then.
    async fn connect(&self, end: Instant) -> Result<Line, Unanswered> {
        loop {
            match self.try_to_connect().await {
                Err(cause) if cause.is_a_refused_login() && Instant::now() + AGAIN < end => {
                    if !self.login.renew_now().await {
                        tokio::time::sleep(AGAIN).await;
                    }
                }
                outcome => return outcome,
            }
        }
    }

    async fn try_to_connect(&self) -> Result<Line, Unanswered> {
        let (options, login) = self.login.now().await.map_err(Unanswered::Url)?;
        let way = Way::of(&options).map_err(Unanswered::NoWay)?;
        Line::open(&way, login).await.map_err(Unanswered::Connect)
    }

    /// Closes what nobody needs, and puts new connections in the place of old ones: those are made first, so that a login that
    /// turns out to be wrong takes nothing away. To be done from time to time.
    pub(super) async fn look_after(&self, patience: Duration) {
        for (lane, slot) in self.slots.iter().enumerate() {
            let Some(line) = slot.lock().clone() else {
                continue;
            };
            if line.is_broken() || self.board.idle(lane).is_some_and(|idle| idle > IDLE) {
                slot.lock().take_if(|now| Arc::ptr_eq(now, &line));
            } else if line.is_past(self.login.count()) {
                match timeout(patience, self.try_to_connect()).await {
                    Ok(Ok(line)) => *slot.lock() = Some(Arc::new(line)),
                    Ok(Err(cause)) => {
                        tracing::warn!(cause = cause.words(), "could not renew a connection to the database");
                    }
                    Err(_) => tracing::warn!("could not renew a connection to the database in time"),
                }
            }
        }
    }

    /// Connections that there are, and those of them that have nothing to do.
    pub(super) fn level(&self) -> (u32, usize) {
        let (mut open, mut idle) = (0, 0);
        for (lane, slot) in self.slots.iter().enumerate() {
            if slot.sound().is_some() {
                open += 1;
                idle += usize::from(self.board.idle(lane).is_some());
            }
        }
        (open, idle)
    }

    pub(super) fn close(&self) {
        self.board.close();
        for slot in &*self.slots {
            slot.lock().take();
        }
    }
}

impl Slot {
    fn sound(&self) -> Option<Arc<Line>> {
        self.lock().as_ref().filter(|line| !line.is_broken()).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Line>>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to one statement, on a connection that is there.
pub(super) struct Errand {
    /// None once it is answered.
    under_way: Option<UnderWay>,
}

struct UnderWay {
    place: Place,
    line: Arc<Line>,
}

/// Why a statement had no answer, and whether it is worth another try.
pub(super) struct Setback {
    pub(super) cause: tokio_postgres::Error,
    pub(super) is_worth_another: bool,
}

impl Errand {
    pub(super) async fn run(
        mut self,
        sending: Sending,
        sql: &'static str,
        parameters: &[&dyn Parameter],
    ) -> Result<Vec<Row>, Setback> {
        let Some(UnderWay { line, .. }) = &self.under_way else {
            return Ok(Vec::new());
        };
        let answer = line.ask(sql, parameters).await;
        let answer = answer.map_err(|cause| {
            let is_stale = line::is_of_its_preparation(&cause);
            if is_stale {
                line.forget(sql);
            }
            let has_ended = is_of_the_connection(&cause);
            if has_ended {
                line.give_up();
            }
            let is_worth_another = is_stale || sending == Sending::Repeatable && has_ended;
            Setback {
                cause,
                is_worth_another,
            }
        });
        self.under_way = None;
        answer
    }
}

impl Drop for Errand {
    /// Its client has gone, or its time was over, and PostgreSQL may be at it still. The place is for others only once that is
    /// done: answers come in the order of what was sent, so whatever is answered next comes after it.
    fn drop(&mut self) {
        let Some(UnderWay { place, line }) = self.under_way.take() else {
            return;
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if timeout(FENCE, line.settle()).await.is_err() {
                    line.cut();
                }
                drop(place);
            });
        }
    }
}
