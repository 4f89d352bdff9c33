//! The restore: everything is verified, then the definitions, the rows, the indexes, and a last count.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use sqlx::postgres::PgConnection;
use tokio::task::JoinSet;

use crate::Event;
use crate::catalog;
use crate::error::ExportError;
use crate::gzip::{Check, Unpacker};
use crate::manifest::{self, Manifest, Part, Table};
use crate::source::{DatabaseUrl, run};
use crate::store::{Reading, Store};

/// Deflate packs at most a thousandfold (RFC 1951), so no more than 4 MB comes out of this.
const MOUTHFUL: usize = 4 * 1024;

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Of the export.
    pub manifest: Manifest,
    /// In all tables; each table was counted in the target.
    pub rows: u64,
}

/// An export each of whose parts was as its manifest says when it was last read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified(Manifest);

impl Verified {
    /// What is in it.
    pub fn manifest(&self) -> &Manifest {
        &self.0
    }
}

/// Restores an export into an empty database over several connections, at least 1. `heard` is told what happens.
pub async fn restore<S: Store>(
    url: &DatabaseUrl,
    store: &S,
    connections: usize,
    heard: impl Fn(Event) + Send + Sync + 'static,
) -> Result<Restored, ExportError> {
    let heard = Arc::new(heard);
    let told = Arc::clone(&heard);
    refuse_a_filled(&mut url.connect().await?).await?;
    let verified = verify(store, connections, move |event| told(event)).await?;
    fill(url, store, &verified, connections, move |event| heard(event)).await
}

/// Reads every part and believes none that is not as the manifest says. Writes nothing and needs no database.
pub async fn verify<S: Store>(
    store: &S,
    at_once: usize,
    heard: impl Fn(Event) + Send + Sync + 'static,
) -> Result<Verified, ExportError> {
    let manifest = read_manifest(store).await?;
    let heard = Arc::new(heard);
    heard(Event::Sized {
        tables: manifest.tables.len(),
        bytes: manifest.parts().map(|part| part.bytes).sum(),
    });
    verify_all(store, &manifest, at_once, &heard).await?;
    Ok(Verified(manifest))
}

/// Restores a verified export into an empty database. A part that was altered since is noticed, and its rows are not committed.
pub async fn fill<S: Store>(
    url: &DatabaseUrl,
    store: &S,
    verified: &Verified,
    connections: usize,
    heard: impl Fn(Event) + Send + Sync + 'static,
) -> Result<Restored, ExportError> {
    let manifest = verified.manifest();
    let heard = Arc::new(heard);
    let mut connection = url.connect().await?;
    refuse_a_filled(&mut connection).await?;
    define(url, store, &manifest.before_data, "make the tables").await?;
    copy_all(url, store, manifest, connections, &heard).await?;
    heard(Event::Indexing);
    define(url, store, &manifest.after_data, "make the indexes and constraints").await?;
    settle(&mut connection, manifest).await?;
    let rows = count(&mut connection, manifest).await?;
    Ok(Restored {
        manifest: manifest.clone(),
        rows,
    })
}

async fn refuse_a_filled(connection: &mut PgConnection) -> Result<(), ExportError> {
    let obstacles = catalog::obstacles(connection).await?;
    if obstacles.is_empty() {
        return Ok(());
    }
    Err(ExportError::NotEmpty {
        found: obstacles.join(", "),
    })
}

/// The table of contents of an export, without a look at its parts.
pub async fn read_manifest<S: Store>(store: &S) -> Result<Manifest, ExportError> {
    let reading = || ExportError::store(format!("read `{}`", manifest::NAME));
    let mut object = store.open(manifest::NAME).await.map_err(reading())?;
    let mut text = Vec::new();
    while let Some(bytes) = object.next().await.map_err(reading())? {
        text.extend_from_slice(&bytes);
    }
    Manifest::unseal(&text).map_err(|cause| ExportError::Manifest {
        name: manifest::NAME.to_owned(),
        cause,
    })
}

/// Runs something for each of a list, several at once; the first failure ends the others.
async fn each<J: Send + 'static, F>(
    jobs: Vec<J>,
    at_once: usize,
    act: impl Fn(Arc<Mutex<Vec<J>>>) -> F,
) -> Result<(), ExportError>
where
    F: Future<Output = Result<(), ExportError>> + Send + 'static,
{
    let workers = at_once.clamp(1, jobs.len().max(1));
    let jobs = Arc::new(Mutex::new(jobs));
    let mut running = JoinSet::new();
    for _ in 0..workers {
        running.spawn(act(Arc::clone(&jobs)));
    }
    while let Some(ended) = running.join_next().await {
        ended.map_err(ExportError::Worker)??;
    }
    Ok(())
}

fn next<J>(jobs: &Mutex<Vec<J>>) -> Option<J> {
    jobs.lock().unwrap_or_else(PoisonError::into_inner).pop()
}

async fn verify_all<S: Store, H: Fn(Event) + Send + Sync + 'static>(
    store: &S,
    manifest: &Manifest,
    at_once: usize,
    heard: &Arc<H>,
) -> Result<(), ExportError> {
    let parts: Vec<Part> = manifest.parts().cloned().collect();
    each(parts, at_once, |jobs| {
        let (store, heard) = (store.clone(), Arc::clone(heard));
        async move {
            while let Some(part) = next(&jobs) {
                verify_one(&store, &part).await?;
                heard(Event::Verified { bytes: part.bytes });
            }
            Ok(())
        }
    })
    .await
}

async fn verify_one<S: Store>(store: &S, part: &Part) -> Result<(), ExportError> {
    let damaged = |what| ExportError::Damaged {
        name: part.name.clone(),
        what,
    };
    let mut object = match store.open(&part.name).await {
        Err(crate::StoreError::Absent) => return Err(damaged("is missing")),
        opened => opened.map_err(ExportError::store(format!("read `{}`", part.name)))?,
    };
    let mut check = Check::new();
    while let Some(bytes) = object
        .next()
        .await
        .map_err(ExportError::store(format!("read `{}`", part.name)))?
    {
        check.push(&bytes);
    }
    check.finish(part).map_err(damaged)
}

/// Definitions are small, so they are held as a whole. They run as one transaction, on a connection of their own: they change its settings.
async fn define<S: Store>(url: &DatabaseUrl, store: &S, part: &Part, action: &str) -> Result<(), ExportError> {
    let mut text = Vec::new();
    let mut plain = Plain::open(store, part).await?;
    while let Some(bytes) = plain.next().await? {
        text.extend_from_slice(&bytes);
    }
    let mut connection = url.connect().await?;
    run(&mut connection, &String::from_utf8_lossy(&text))
        .await
        .map_err(ExportError::database(action))
}

async fn copy_all<S: Store, H: Fn(Event) + Send + Sync + 'static>(
    url: &DatabaseUrl,
    store: &S,
    manifest: &Manifest,
    connections: usize,
    heard: &Arc<H>,
) -> Result<(), ExportError> {
    let mut jobs: Vec<(String, String, Part)> = manifest
        .tables
        .iter()
        .flat_map(|table| {
            let parts = table.parts.iter().cloned();
            parts.map(|part| (table.name.clone(), statement(table), part))
        })
        .collect();
    // The largest is taken first.
    jobs.sort_by_key(|(_, _, part)| part.bytes);
    each(jobs, connections, |jobs| {
        let (url, store, heard) = (url.clone(), store.clone(), Arc::clone(heard));
        async move {
            let mut connection = url.connect().await?;
            while let Some((table, statement, part)) = next(&jobs) {
                copy(&mut connection, &store, &table, &statement, &part).await?;
                heard(Event::Moved {
                    table,
                    bytes: part.bytes,
                });
            }
            Ok(())
        }
    })
    .await
}

fn statement(table: &Table) -> String {
    let (name, columns) = (&table.name, table.columns.join(", "));
    if columns.is_empty() {
        return format!("COPY {name} FROM STDIN");
    }
    format!("COPY {name} ({columns}) FROM STDIN")
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

/// What is in a part, a piece at a time. The last piece comes only when the whole was what the manifest says.
struct Plain<'p, R> {
    part: &'p Part,
    object: R,
    packed: Bytes,
    unpacker: Option<Unpacker>,
}

impl<'p, R: Reading> Plain<'p, R> {
    async fn open<S: Store<Reading = R>>(store: &S, part: &'p Part) -> Result<Self, ExportError> {
        let object = store.open(&part.name).await;
        Ok(Self {
            part,
            object: object.map_err(ExportError::store(format!("read `{}`", part.name)))?,
            packed: Bytes::new(),
            unpacker: Some(Unpacker::new()),
        })
    }

    async fn next(&mut self) -> Result<Option<Vec<u8>>, ExportError> {
        let name = &self.part.name;
        let decompressing = |cause| ExportError::Decompress {
            name: name.clone(),
            cause,
        };
        loop {
            if self.packed.is_empty() {
                let read = self.object.next().await;
                match read.map_err(ExportError::store(format!("read `{name}`")))? {
                    Some(bytes) => self.packed = bytes,
                    None => break,
                }
            }
            let piece = self.packed.split_to(self.packed.len().min(MOUTHFUL));
            if let Some(unpacker) = &mut self.unpacker {
                let plain = unpacker.push(&piece).map_err(decompressing)?;
                if !plain.is_empty() {
                    return Ok(Some(plain));
                }
            }
        }
        let Some(unpacker) = self.unpacker.take() else {
            return Ok(None);
        };
        let (rest, checked) = unpacker.finish(self.part).map_err(decompressing)?;
        checked.map_err(|what| ExportError::Damaged {
            name: name.clone(),
            what,
        })?;
        Ok(Some(rest))
    }
}

/// Sequences stand where they stood, and what is computed from the rows is computed.
async fn settle(connection: &mut PgConnection, manifest: &Manifest) -> Result<(), ExportError> {
    for sequence in &manifest.sequences {
        let name = sequence.name.replace('\'', "''");
        let statement = format!(
            "SELECT setval('{name}', {}, {})",
            sequence.last_value, sequence.is_called
        );
        run(connection, &statement)
            .await
            .map_err(ExportError::database(format!("set the sequence `{}`", sequence.name)))?;
    }
    for view in &manifest.materialized_views {
        run(connection, &format!("REFRESH MATERIALIZED VIEW {view}"))
            .await
            .map_err(ExportError::database(format!("fill the materialized view `{view}`")))?;
    }
    run(connection, "ANALYZE")
        .await
        .map_err(ExportError::database("gather the planner's statistics"))
}

async fn count(connection: &mut PgConnection, manifest: &Manifest) -> Result<u64, ExportError> {
    let mut rows = 0;
    for table in &manifest.tables {
        let found = catalog::count(connection, &table.name).await?;
        if found != table.rows {
            return Err(ExportError::Rows {
                table: table.name.clone(),
                expected: table.rows,
                found,
            });
        }
        rows += found;
    }
    Ok(rows)
}
