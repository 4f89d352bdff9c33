//! One connection with statements of several requests under way.
//!
//! Each is a transaction of its own: it is sent with a Sync behind it (PostgreSQL manual, 55.2.4: Pipelining), so what one
//! of them does or fails at is nothing to the others.

use std::{
    collections::HashMap,
    future::poll_fn,
    pin::pin,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::{Duration, Instant},
};

use futures_util::TryStreamExt;
use tokio::task::AbortHandle;
use tokio_postgres::{Client, NoTls, Row, Statement, error::SqlState, types::Type};

use super::{Parameter, Way, tls::Rustls};

/// As old as sqlx's pool lets a connection grow.
const LIFE: Duration = Duration::from_mins(30);

/// A connection, and the statements that PostgreSQL knows on it.
pub(super) struct Line {
    client: Client,
    /// By address: a text that is part of the program is one and the same wherever it is met, and need not be read to be found.
    prepared: Mutex<HashMap<(usize, usize), Statement>>,
    born: Instant,
    /// The count of the login it was made with.
    login: u64,
    conversation: AbortHandle,
    /// It has ended, and its client may not know yet.
    is_over: AtomicBool,
}

impl Line {
    pub(super) async fn open(way: &Way, login: u64) -> Result<Self, tokio_postgres::Error> {
        let (client, conversation) = if let Some(tls) = &way.tls {
            let (client, conversation) = way.config.connect(Rustls(tls.clone())).await?;
            (client, tokio::spawn(converse(conversation)))
        } else {
            let (client, conversation) = way.config.connect(NoTls).await?;
            (client, tokio::spawn(converse(conversation)))
        };
        Ok(Self {
            client,
            prepared: Mutex::default(),
            born: Instant::now(),
            login,
            conversation: conversation.abort_handle(),
            is_over: AtomicBool::new(false),
        })
    }

    /// Sends the statement and takes its rows in. Dropped half-way, the answer is still taken in, and thrown away.
    pub(super) async fn ask(
        &self,
        sql: &'static str,
        parameters: &[&dyn Parameter],
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        let known = self.lock().get(&address(sql)).cloned();
        let statement = match known {
            Some(statement) => statement,
            None => Box::pin(self.prepare(sql, parameters)).await?,
        };
        let values = parameters.iter().map(|parameter| parameter.value());
        let mut answer = pin!(self.client.query_raw(&statement, values).await?);
        let mut rows = Vec::new();
        while let Some(row) = answer.try_next().await? {
            rows.push(row);
        }
        Ok(rows)
    }

    /// Once for each connection. Two who come at once prepare it twice, and the second is kept.
    async fn prepare(
        &self,
        sql: &'static str,
        parameters: &[&dyn Parameter],
    ) -> Result<Statement, tokio_postgres::Error> {
        let kinds: Vec<Type> = parameters.iter().map(|parameter| parameter.kind()).collect();
        let statement = self.client.prepare_typed(sql, &kinds).await?;
        self.lock().insert(address(sql), statement.clone());
        Ok(statement)
    }

    /// So that it is prepared anew.
    pub(super) fn forget(&self, sql: &'static str) {
        self.lock().remove(&address(sql));
    }

    /// Waits until everything that was sent so far is answered.
    pub(super) async fn settle(&self) {
        // An error is an answer: then nothing is under way any more.
        drop(self.client.check_connection().await);
    }

    /// Whoever waits for an answer is told that there will be none.
    pub(super) fn cut(&self) {
        self.conversation.abort();
    }

    /// So that nobody else asks here: whoever had a bad answer knows it first.
    pub(super) fn give_up(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_broken(&self) -> bool {
        self.is_over.load(Ordering::Relaxed) || self.client.is_closed()
    }

    /// Whether another should take its place: it has had its time, or the login has changed since.
    pub(super) fn is_past(&self, login: u64) -> bool {
        self.born.elapsed() > LIFE || self.login != login
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(usize, usize), Statement>> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn address(sql: &'static str) -> (usize, usize) {
    (sql.as_ptr().addr(), sql.len())
}

/// Both ways, until the client is dropped or the connection breaks; whoever asks on it next finds out.
async fn converse<S, T>(conversation: tokio_postgres::Connection<S, T>)
where
    tokio_postgres::Connection<S, T>: Future<Output = Result<(), tokio_postgres::Error>>,
{
    if let Err(cause) = last(conversation).await {
        tracing::debug!(%cause, "a connection to the database broke");
    }
}

/// Lets every other task that is ready have its turn first. tokio goes on with whoever was woken last, so that each statement would
/// be sent as soon as it is there, and by itself; this way those of all requests that are ready go out together.
async fn last<F: Future>(work: F) -> F::Output {
    let mut work = pin!(work);
    let mut has_stepped_back = false;
    poll_fn(|context| {
        has_stepped_back = !has_stepped_back;
        if has_stepped_back {
            // Whoever wakes itself goes to the end of the queue.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        work.as_mut().poll(context)
    })
    .await
}

/// PostgreSQL forgot the statement (26000 `invalid_sql_statement_name`), or has changed what it gives (0A000
/// `feature_not_supported`: "cached plan must not change result type"). Nothing was done.
pub(super) fn is_of_its_preparation(cause: &tokio_postgres::Error) -> bool {
    cause
        .code()
        .is_some_and(|code| [SqlState::INVALID_SQL_STATEMENT_NAME, SqlState::FEATURE_NOT_SUPPORTED].contains(code))
}
