//! Whether an export is still what was written. Reads all of it; writes nothing and needs no database.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;

use crate::Event;
use crate::error::ExportError;
use crate::gzip::Check;
use crate::manifest::{self, Manifest, Part};
use crate::store::{Reading as _, Store, StoreError};

/// An export each of whose parts was as its manifest says when it was last read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified(Manifest);

impl Verified {
    /// What is in it.
    pub fn manifest(&self) -> &Manifest {
        &self.0
    }
}

/// Reads every part and believes none that is not as the manifest says. Writes nothing and needs no database.
pub async fn verify<S: Store>(
    store: &S,
    at_once: usize,
    heard: impl Fn(Event) + Send + Sync + 'static,
) -> Result<Verified, ExportError> {
    let manifest = read_manifest(store).await?;
    heard(Event::Sized {
        tables: manifest.tables.len(),
        bytes: manifest.parts().map(|part| part.bytes).sum(),
    });
    let parts: Vec<Part> = manifest.parts().cloned().collect();
    let workers = at_once.clamp(1, parts.len().max(1));
    let (parts, heard) = (Arc::new(Mutex::new(parts)), Arc::new(heard));
    let mut running = JoinSet::new();
    for _ in 0..workers {
        let (store, parts, heard) = (store.clone(), Arc::clone(&parts), Arc::clone(&heard));
        running.spawn(async move {
            while let Some(part) = next(&parts) {
                verify_one(&store, &part).await?;
                heard(Event::Verified { bytes: part.bytes });
            }
            Ok::<(), ExportError>(())
        });
    }
    // The first failure ends the others: dropping the set aborts them.
    while let Some(ended) = running.join_next().await {
        ended.map_err(ExportError::Worker)??;
    }
    Ok(Verified(manifest))
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

fn next(parts: &Mutex<Vec<Part>>) -> Option<Part> {
    parts.lock().unwrap_or_else(PoisonError::into_inner).pop()
}

async fn verify_one<S: Store>(store: &S, part: &Part) -> Result<(), ExportError> {
    let damaged = |what| ExportError::Damaged {
        name: part.name.clone(),
        what,
    };
    let reading = || ExportError::store(format!("read `{}`", part.name));
    let mut object = match store.open(&part.name).await {
        Err(StoreError::Absent) => return Err(damaged("is missing")),
        opened => opened.map_err(reading())?,
    };
    let mut check = Check::new();
    while let Some(bytes) = object.next().await.map_err(reading())? {
        check.push(&bytes);
    }
    check.finish(part).map_err(damaged)
}
