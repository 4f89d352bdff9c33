//! The restore: everything is verified, then the definitions, and over all connections at once the rows, the indexes and a last count.

use std::sync::Arc;

use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use crate::Event;
use crate::build::build;
use crate::catalog;
use crate::error::ExportError;
use crate::manifest::Manifest;
use crate::plain::Plain;
use crate::source::{DatabaseUrl, run};
use crate::store::Store;
use crate::verify::{Verified, verify};

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Of the export.
    pub manifest: Manifest,
    /// In all tables; each table was counted in the target.
    pub rows: u64,
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

/// Restores a verified export into an empty database. A part that was altered since is noticed, and its rows are not committed.
pub async fn fill<S: Store>(
    url: &DatabaseUrl,
    store: &S,
    verified: &Verified,
    connections: usize,
    heard: impl Fn(Event) + Send + Sync + 'static,
) -> Result<Restored, ExportError> {
    let manifest = verified.manifest();
    let mut connection = url.connect().await?;
    refuse_a_filled(&mut connection).await?;
    // Definitions are small, so they are held as a whole.
    let after_data = Plain::open(store, &manifest.after_data).await?.text().await?;
    define(url, store, manifest).await?;
    build(url, store, manifest, &after_data, connections, heard).await?;
    settle(&mut connection, manifest).await?;
    // Whoever renames the database would have to wait for a connection that is merely dropped.
    connection
        .close()
        .await
        .map_err(ExportError::database("leave the database"))?;
    Ok(Restored {
        rows: manifest.tables.iter().map(|table| table.rows).sum(),
        manifest: manifest.clone(),
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

/// Runs as one transaction, on a connection of its own: the script changes its settings.
async fn define<S: Store>(url: &DatabaseUrl, store: &S, manifest: &Manifest) -> Result<(), ExportError> {
    let making = || ExportError::database("make the tables");
    let text = Plain::open(store, &manifest.before_data).await?.text().await?;
    let mut connection = url.connect().await?;
    run(&mut connection, &text).await.map_err(making())?;
    connection.close().await.map_err(making())
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
    for name in catalog::computed(connection).await? {
        gather_statistics(connection, &name).await?;
    }
    Ok(())
}

/// The planner knows nothing of a table that was just filled.
pub(crate) async fn gather_statistics(connection: &mut PgConnection, table: &str) -> Result<(), ExportError> {
    run(connection, &format!("ANALYZE {table}"))
        .await
        .map_err(ExportError::database(format!(
            "gather the planner's statistics of `{table}`"
        )))
}
