//! The export: one snapshot, several connections, a part per piece of a table, the manifest last.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::TryStreamExt as _;
use sqlx::postgres::PgConnection;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::task::JoinSet;

use crate::Event;
use crate::catalog::{self, Found};
use crate::error::ExportError;
use crate::gzip::Packer;
use crate::manifest::{self, FORMAT, Manifest, Part, Table};
use crate::piece::{Piece, cut};
use crate::schema::{self, Section, definitions};
use crate::source::{DatabaseUrl, run};
use crate::store::{Store, Upload as _};

/// From here on a scan of a range of pages reads only those (PostgreSQL 14 Release Notes, "Optimizer": TID range scans).
const RANGES_SINCE: i32 = 140_000;

/// How an export is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportOptions {
    /// Connections that read at once, besides one that holds the snapshot; at least 1.
    pub connections: usize,
    /// Larger tables are split into parts of about this size, in bytes of the table.
    pub part_bytes: u64,
}

impl Default for ExportOptions {
    fn default() -> Self {
        Self {
            connections: 4,
            part_bytes: 128 * 1024 * 1024,
        }
    }
}

/// What was exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// As it is in the store.
    pub manifest: Manifest,
    /// Compressed bytes of all parts.
    pub bytes: u64,
}

/// What an export would hold, without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// The database's name.
    pub database: String,
    /// `15.4`
    pub server: String,
    /// How many tables have rows of their own.
    pub tables: usize,
    /// Bytes of these tables, without their indexes.
    pub bytes: u64,
}

/// Looks whether an export can be made and how large it would be. Changes nothing.
pub async fn survey(url: &DatabaseUrl) -> Result<Survey, ExportError> {
    schema::find_pg_dump().await?;
    let mut connection = url.connect().await?;
    refuse_large_objects(&mut connection).await?;
    let (server, _) = catalog::version(&mut connection).await?;
    let tables = catalog::tables(&mut connection).await?;
    Ok(Survey {
        database: url.database().to_owned(),
        server,
        tables: tables.len(),
        bytes: tables.iter().map(|table| table.bytes).sum(),
    })
}

/// One piece of work.
#[derive(Debug, Clone)]
struct Job {
    table: usize,
    name: String,
    statement: String,
    object: String,
    at: usize,
    bytes: u64,
}

/// Where finished parts are gathered, by table and by their order in it.
type Done = Arc<Mutex<BTreeMap<(usize, usize), (Part, u64)>>>;

/// Exports a database into a store. `heard` is told what happens, from any connection.
pub async fn export<S: Store>(
    url: &DatabaseUrl,
    store: &S,
    options: ExportOptions,
    heard: impl Fn(Event) + Send + Sync + 'static,
) -> Result<Exported, ExportError> {
    let mut holder = url.connect().await?;
    refuse_large_objects(&mut holder).await?;
    let (server, number) = catalog::version(&mut holder).await?;
    let taken = OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default();
    let snapshot = catalog::share_snapshot(&mut holder).await?;
    let before_data = write_definitions(url, store, &snapshot, Section::BeforeData).await?;
    let found = catalog::tables(&mut holder).await?;
    heard(Event::Sized {
        tables: found.len(),
        bytes: found.iter().map(|table| table.bytes).sum(),
    });
    let jobs = jobs(&found, number, options.part_bytes);
    let done = copy_all(url, store, &snapshot, jobs, options.connections, Arc::new(heard)).await?;
    let after_data = write_definitions(url, store, &snapshot, Section::AfterData).await?;
    let manifest = Manifest {
        format: FORMAT,
        database: url.database().to_owned(),
        server,
        taken,
        before_data,
        after_data,
        tables: tables(found, &done),
        sequences: catalog::sequences(&mut holder).await?,
        materialized_views: catalog::materialized_views(&mut holder).await?,
    };
    write_manifest(store, &manifest).await?;
    Ok(Exported {
        bytes: manifest.parts().map(|part| part.bytes).sum(),
        manifest,
    })
}

async fn refuse_large_objects(connection: &mut PgConnection) -> Result<(), ExportError> {
    match catalog::large_objects(connection).await? {
        0 => Ok(()),
        count => Err(ExportError::LargeObjects { count }),
    }
}

/// The largest pieces first, so that no connection ends with a long one alone.
fn jobs(found: &[Found], server: i32, part_bytes: u64) -> Vec<Job> {
    let mut jobs: Vec<Job> = found
        .iter()
        .enumerate()
        .flat_map(|(number, table)| {
            let page = table.page.max(1);
            let pages = table.bytes / page;
            let most = if server >= RANGES_SINCE {
                part_bytes / page
            } else {
                u64::MAX
            };
            let pieces = cut(pages, most);
            pieces.into_iter().enumerate().map(move |(at, piece)| Job {
                table: number,
                name: table.name.clone(),
                statement: statement(table, piece),
                object: format!("data/{number:05}-{at:05}.copy.gz"),
                at,
                bytes: piece.to.unwrap_or(pages).saturating_sub(piece.from) * page,
            })
        })
        .collect();
    // The last is taken first.
    jobs.sort_by_key(|job| job.bytes);
    jobs
}

fn statement(table: &Found, piece: Piece) -> String {
    let (name, columns) = (&table.name, table.columns.join(", "));
    if piece.is_whole() && !columns.is_empty() {
        return format!("COPY {name} ({columns}) TO STDOUT");
    }
    let from = format!("ctid >= '({},0)'", piece.from);
    let range = match piece.to {
        Some(to) => format!("{from} AND ctid < '({to},0)'"),
        None => from,
    };
    format!("COPY (SELECT {columns} FROM ONLY {name} WHERE {range}) TO STDOUT")
}

async fn copy_all<S: Store, H: Fn(Event) + Send + Sync + 'static>(
    url: &DatabaseUrl,
    store: &S,
    snapshot: &str,
    jobs: Vec<Job>,
    connections: usize,
    heard: Arc<H>,
) -> Result<Done, ExportError> {
    let done = Done::default();
    let workers = connections.clamp(1, jobs.len().max(1));
    let jobs = Arc::new(Mutex::new(jobs));
    let mut running = JoinSet::new();
    for _ in 0..workers {
        let (url, store, snapshot) = (url.clone(), store.clone(), snapshot.to_owned());
        let (jobs, done, heard) = (Arc::clone(&jobs), Arc::clone(&done), Arc::clone(&heard));
        running.spawn(async move {
            let mut connection = url.connect().await?;
            let begin =
                format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '{snapshot}'");
            run(&mut connection, &begin)
                .await
                .map_err(ExportError::database("join the snapshot"))?;
            while let Some(job) = next(&jobs) {
                let copied = copy(&mut connection, &store, &job).await?;
                done.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert((job.table, job.at), copied);
                heard(Event::Moved {
                    table: job.name,
                    bytes: job.bytes,
                });
            }
            Ok::<(), ExportError>(())
        });
    }
    // The first failure ends the others: dropping the set aborts them.
    while let Some(ended) = running.join_next().await {
        ended.map_err(ExportError::Worker)??;
    }
    Ok(done)
}

fn next(jobs: &Mutex<Vec<Job>>) -> Option<Job> {
    jobs.lock().unwrap_or_else(PoisonError::into_inner).pop()
}

/// Gives the part and how many rows are in it: in the text of `COPY` a line feed ends a row and is nowhere else.
async fn copy<S: Store>(connection: &mut PgConnection, store: &S, job: &Job) -> Result<(Part, u64), ExportError> {
    let reading = || ExportError::database(format!("read `{}`", job.name));
    let writing = || ExportError::store(format!("write `{}`", job.object));
    let compressing = |cause| ExportError::Decompress {
        name: job.object.clone(),
        cause,
    };
    let mut upload = store.create(&job.object).await.map_err(writing())?;
    let mut packer = Packer::new();
    {
        let mut rows = connection.copy_out_raw(&job.statement).await.map_err(reading())?;
        while let Some(row) = rows.try_next().await.map_err(reading())? {
            if let Some(ready) = packer.push(&row).map_err(compressing)? {
                upload.write(ready).await.map_err(writing())?;
            }
        }
    }
    let (rest, part, lines) = packer.finish(job.object.clone()).map_err(compressing)?;
    upload.write(rest).await.map_err(writing())?;
    upload.finish().await.map_err(writing())?;
    Ok((part, lines))
}

async fn write_definitions<S: Store>(
    url: &DatabaseUrl,
    store: &S,
    snapshot: &str,
    section: Section,
) -> Result<Part, ExportError> {
    let name = match section {
        Section::BeforeData => "before-data.sql.gz",
        Section::AfterData => "after-data.sql.gz",
    };
    let text = definitions(url, snapshot, section).await?;
    let compressing = |cause| ExportError::Decompress {
        name: name.to_owned(),
        cause,
    };
    let mut packer = Packer::new();
    let first = packer.push(text.as_bytes()).map_err(compressing)?;
    let (rest, part, _) = packer.finish(name.to_owned()).map_err(compressing)?;
    write(store, name, first.into_iter().chain([rest])).await?;
    Ok(part)
}

async fn write_manifest<S: Store>(store: &S, manifest: &Manifest) -> Result<(), ExportError> {
    let text = manifest.seal().map_err(|cause| ExportError::Manifest {
        name: manifest::NAME.to_owned(),
        cause: crate::error::ManifestFault::Json(cause),
    })?;
    write(store, manifest::NAME, [text.into()]).await
}

async fn write<S: Store>(
    store: &S,
    name: &str,
    pieces: impl IntoIterator<Item = bytes::Bytes>,
) -> Result<(), ExportError> {
    let writing = || ExportError::store(format!("write `{name}`"));
    let mut upload = store.create(name).await.map_err(writing())?;
    for piece in pieces {
        upload.write(piece).await.map_err(writing())?;
    }
    upload.finish().await.map_err(writing())
}

fn tables(found: Vec<Found>, done: &Done) -> Vec<Table> {
    let mut tables: Vec<Table> = found
        .into_iter()
        .map(|table| Table {
            name: table.name,
            columns: table.columns,
            rows: 0,
            parts: Vec::new(),
        })
        .collect();
    let done = std::mem::take(&mut *done.lock().unwrap_or_else(PoisonError::into_inner));
    for ((number, _), (part, rows)) in done {
        if let Some(table) = tables.get_mut(number) {
            table.rows += rows;
            table.parts.push(part);
        }
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(bytes: u64) -> Found {
        Found {
            name: "public.t".to_owned(),
            columns: vec!["a".to_owned(), "\"B c\"".to_owned()],
            bytes,
            page: 8192,
        }
    }

    #[test]
    fn a_large_table_is_read_in_ranges_of_pages_where_the_server_can() {
        let statements = |server| {
            let jobs = jobs(&[found(0), found(3 * 8192)], server, 2 * 8192);
            jobs.into_iter().map(|job| job.statement).collect::<Vec<_>>()
        };
        assert_eq!(
            statements(150_000),
            [
                "COPY public.t (a, \"B c\") TO STDOUT",
                "COPY (SELECT a, \"B c\" FROM ONLY public.t WHERE ctid >= '(2,0)') TO STDOUT",
                "COPY (SELECT a, \"B c\" FROM ONLY public.t WHERE ctid >= '(0,0)' AND ctid < '(2,0)') TO STDOUT",
            ]
        );
        assert_eq!(statements(130_000), ["COPY public.t (a, \"B c\") TO STDOUT"; 2]);
    }
}
