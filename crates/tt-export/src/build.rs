//! Rows, indexes, constraints, statistics and a count of every table, over several connections: each job begins as soon as those it
//! depends on have ended.

use std::sync::{Arc, Mutex, PoisonError};

use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::Event;
use crate::catalog;
use crate::error::ExportError;
use crate::manifest::{Manifest, Part, Table};
use crate::order::{Access, Needs, Next, Order};
use crate::plain::Plain;
use crate::restore::gather_statistics;
use crate::script::{Statement, statements, table_key};
use crate::source::{DatabaseUrl, run};
use crate::store::Store;

/// One thing to do on one connection.
#[derive(Debug)]
enum Job {
    Fill(Fill),
    Run(Statement),
    Analyse { table: String },
    Count { table: String, expected: u64 },
}

/// Rows to write.
#[derive(Debug)]
struct Fill {
    table: String,
    columns: String,
    parts: Vec<Part>,
    rows: Rows,
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rows {
    /// All of a table in one transaction, frozen: nobody has to look at them again to find out that they are old enough for all to see.
    Frozen,
    /// Some, while other connections write others.
    Shared,
}

/// Fills the tables and does what the script says.
pub(crate) async fn build<S: Store>(
    url: &DatabaseUrl,
    store: &S,
    manifest: &Manifest,
    script: &str,
    connections: usize,
    heard: impl Fn(Event) + Send + Sync + 'static,
) -> Result<(), ExportError> {
    let jobs = jobs(manifest, script, connections);
    let workers = connections.clamp(1, jobs.len().max(1));
    let site = Arc::new(Site {
        parts: Mutex::new(manifest.tables.iter().map(|table| table.parts.len()).sum()),
        order: Mutex::new(Order::new(jobs)),
        ended: Notify::new(),
        heard,
    });
    let mut running = JoinSet::new();
    for _ in 0..workers {
        running.spawn(work(url.clone(), store.clone(), Arc::clone(&site)));
    }
    // The first failure ends the others: dropping the set aborts them.
    while let Some(ended) = running.join_next().await {
        ended.map_err(ExportError::Worker)??;
    }
    Ok(())
}

/// What the connections share.
struct Site<H> {
    order: Mutex<Order<Job>>,
    /// How many are still to be written.
    parts: Mutex<usize>,
    ended: Notify,
    heard: H,
}

impl<H: Fn(Event)> Site<H> {
    /// Waits until there is something to do; nothing when there never will be.
    async fn next(&self) -> Option<(usize, Job)> {
        loop {
            let mut ended = std::pin::pin!(self.ended.notified());
            // What ends between the look and the wait would be missed.
            ended.as_mut().enable();
            match self.order.lock().unwrap_or_else(PoisonError::into_inner).next() {
                Next::Do(number, job) => return Some((number, job)),
                Next::Leave => return None,
                Next::Wait => {}
            }
            ended.await;
        }
    }

    fn ended(&self, number: usize) {
        self.order.lock().unwrap_or_else(PoisonError::into_inner).ended(number);
        self.ended.notify_waiters();
    }

    fn written(&self, table: &str, part: &Part) {
        (self.heard)(Event::Moved {
            table: table.to_owned(),
            bytes: part.bytes,
        });
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        *parts -= 1;
        if *parts == 0 {
            (self.heard)(Event::Indexing);
        }
    }
}

async fn work<S: Store, H: Fn(Event) + Send + Sync + 'static>(
    url: DatabaseUrl,
    store: S,
    site: Arc<Site<H>>,
) -> Result<(), ExportError> {
    let mut connection = url.connect().await?;
    while let Some((number, job)) = site.next().await {
        match job {
            Job::Fill(fill) => write(&mut connection, &store, &fill, &site).await?,
            Job::Run(statement) => run(&mut connection, &statement.text)
                .await
                .map_err(ExportError::database(format!("do `{}`", statement.title)))?,
            Job::Analyse { table } => gather_statistics(&mut connection, &table).await?,
            Job::Count { table, expected } => {
                let found = catalog::count(&mut connection, &table).await?;
                if found != expected {
                    return Err(ExportError::Rows { table, expected, found });
                }
            }
        }
        site.ended(number);
    }
    connection
        .close()
        .await
        .map_err(ExportError::database("leave the database"))
}

/// In the order in which one connection would do them: the largest tables first, so that none ends with a long one alone.
fn jobs(manifest: &Manifest, script: &str, connections: usize) -> Vec<(Needs, Job)> {
    let size = |table: &Table| table.parts.iter().map(|part| part.bytes).sum::<u64>();
    let mut tables: Vec<&Table> = manifest.tables.iter().collect();
    tables.sort_by_key(|table| std::cmp::Reverse(size(table)));
    let share = tables.iter().map(|table| size(table)).sum::<u64>() / connections.max(1) as u64;
    let on = |table: &Table, access| Needs::Tables(vec![(table_key(&table.name), access)]);
    let mut jobs = Vec::new();
    for table in &tables {
        for fill in fills(table, share) {
            jobs.push((on(table, Access::Fill), Job::Fill(fill)));
        }
    }
    for statement in statements(script) {
        jobs.push((statement.needs.clone(), Job::Run(statement)));
    }
    for table in &tables {
        let (name, expected) = (table.name.clone(), table.rows);
        jobs.push((on(table, Access::Link), Job::Analyse { table: name.clone() }));
        jobs.push((on(table, Access::Read), Job::Count { table: name, expected }));
    }
    jobs
}

/// A table that several connections share the work of is not frozen: only who emptied it in the same transaction may do that.
fn fills(table: &Table, share: u64) -> Vec<Fill> {
    let fill = |parts: &[Part], rows| Fill {
        table: table.name.clone(),
        columns: table.columns.join(", "),
        parts: parts.to_vec(),
        rows,
    };
    let size: u64 = table.parts.iter().map(|part| part.bytes).sum();
    if table.parts.len() > 1 && size > share {
        let parts = table.parts.iter();
        return parts
            .map(|part| fill(std::slice::from_ref(part), Rows::Shared))
            .collect();
    }
    vec![fill(&table.parts, Rows::Frozen)]
}

async fn write<S: Store, H: Fn(Event)>(
    connection: &mut PgConnection,
    store: &S,
    fill: &Fill,
    site: &Site<H>,
) -> Result<(), ExportError> {
    let writing = || ExportError::database(format!("write the rows of `{}`", fill.table));
    if fill.rows == Rows::Frozen {
        let begin = format!("BEGIN; TRUNCATE TABLE ONLY {}", fill.table);
        run(connection, &begin).await.map_err(writing())?;
    }
    let statement = fill.statement();
    for part in &fill.parts {
        copy(connection, store, &fill.table, &statement, part).await?;
        site.written(&fill.table, part);
    }
    if fill.rows == Rows::Frozen {
        run(connection, "COMMIT").await.map_err(writing())?;
    }
    Ok(())
}

impl Fill {
    fn statement(&self) -> String {
        let columns = if self.columns.is_empty() {
            String::new()
        } else {
            format!(" ({})", self.columns)
        };
        let how = match self.rows {
            Rows::Frozen => " WITH (FREEZE)",
            Rows::Shared => "",
        };
        format!("COPY {}{columns} FROM STDIN{how}", self.table)
    }
}

/// A part that is no longer what was verified is not committed.
async fn copy<S: Store>(
    connection: &mut PgConnection,
    store: &S,
    table: &str,
    statement: &str,
    part: &Part,
) -> Result<(), ExportError> {
    let writing = || ExportError::database(format!("write the rows of `{table}`"));
    let mut plain = Plain::open(store, part).await?;
    let mut rows = connection.copy_in_raw(statement).await.map_err(writing())?;
    loop {
        match plain.next().await {
            Ok(Some(bytes)) => drop(rows.send(bytes).await.map_err(writing())?),
            Ok(None) => break,
            Err(error) => {
                // The failure is what counts, not how its rows were given up.
                rows.abort("the part could not be read").await.unwrap_or_default();
                return Err(error);
            }
        }
    }
    rows.finish().await.map(drop).map_err(writing())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, parts: &[u64]) -> Table {
        let part = |(at, bytes): (usize, &u64)| Part {
            name: format!("{name}-{at}"),
            bytes: *bytes,
            sha256: String::new(),
        };
        Table {
            name: format!("public.{name}"),
            columns: vec!["a".to_owned()],
            rows: 0,
            parts: parts.iter().enumerate().map(part).collect(),
        }
    }

    #[test]
    fn only_a_table_that_one_connection_would_be_late_with_is_shared() {
        let statements = |table: &Table, share| fills(table, share).iter().map(Fill::statement).collect::<Vec<_>>();
        let frozen = ["COPY public.t (a) FROM STDIN WITH (FREEZE)"];
        assert_eq!(statements(&table("t", &[100]), 10), frozen);
        assert_eq!(statements(&table("t", &[100, 100]), 200), frozen);
        assert_eq!(
            statements(&table("t", &[100, 100]), 199),
            ["COPY public.t (a) FROM STDIN"; 2]
        );
    }
}
