//! What an export consists of. Written last and read first; it carries its own checksum, so that one that was cut short or altered is
//! not believed.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::ManifestFault;

/// The name of the manifest in its store.
pub(crate) const NAME: &str = "manifest.json";
/// Exports of another format are refused.
pub(crate) const FORMAT: u32 = 1;

/// The table of contents of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Of the format; 1.
    pub format: u32,
    /// The exported database.
    pub database: String,
    /// `15.4`, of the server that was exported.
    pub server: String,
    /// When the snapshot was taken that all parts are of (RFC 3339).
    pub taken: String,
    /// Definitions of what data needs: types, functions, tables.
    pub before_data: Part,
    /// Definitions of what needs data: indexes, constraints, triggers.
    pub after_data: Part,
    /// Tables that hold rows of their own, in the order of their names.
    pub tables: Vec<Table>,
    /// Sequences, in the order of their names.
    pub sequences: Vec<Sequence>,
    /// Materialized views to fill, quoted, in the order in which they were made.
    pub materialized_views: Vec<String>,
}

/// An object in the store, gzipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its name in the store.
    pub name: String,
    /// Its size there.
    pub bytes: u64,
    /// Of what is in the store, in hexadecimal.
    pub sha256: String,
}

/// A table and its rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// `schema.table`, quoted as SQL needs it.
    pub name: String,
    /// The columns of each line, quoted, in their order.
    pub columns: Vec<String>,
    /// How many there are in all parts.
    pub rows: u64,
    /// The text of `COPY`.
    pub parts: Vec<Part>,
}

/// A sequence and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequence {
    /// `schema.sequence`, quoted as SQL needs it.
    pub name: String,
    /// As in the sequence itself.
    pub last_value: i64,
    /// Whether `last_value` was given out.
    pub is_called: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    manifest: serde_json::Value,
    sha256: String,
}

impl Manifest {
    /// As it is written.
    pub(crate) fn seal(&self) -> Result<Vec<u8>, serde_json::Error> {
        let manifest = serde_json::to_value(self)?;
        let sha256 = checksum(&manifest)?;
        serde_json::to_vec_pretty(&Sealed { manifest, sha256 })
    }

    /// Believes it only if it is as it was written.
    pub(crate) fn unseal(text: &[u8]) -> Result<Self, ManifestFault> {
        let sealed: Sealed = serde_json::from_slice(text).map_err(ManifestFault::Json)?;
        if checksum(&sealed.manifest).map_err(ManifestFault::Json)? != sealed.sha256 {
            return Err(ManifestFault::Checksum);
        }
        // Another format may have other fields, so it is told before they are read.
        let format = sealed.manifest.get("format").and_then(serde_json::Value::as_u64);
        let format = u32::try_from(format.unwrap_or_default()).unwrap_or(u32::MAX);
        if format != FORMAT {
            return Err(ManifestFault::Format { found: format });
        }
        serde_json::from_value(sealed.manifest).map_err(ManifestFault::Json)
    }

    /// Every object but the manifest itself.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        let data = self.tables.iter().flat_map(|table| &table.parts);
        [&self.before_data, &self.after_data].into_iter().chain(data)
    }
}

/// Of the text in the order that a JSON value has, whatever spaces the file has.
fn checksum(manifest: &serde_json::Value) -> Result<String, serde_json::Error> {
    Ok(hex::encode(Sha256::digest(serde_json::to_vec(manifest)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let part = |name: &str| Part {
            name: name.to_owned(),
            bytes: 1,
            sha256: "00".to_owned(),
        };
        Manifest {
            format: FORMAT,
            database: "app".to_owned(),
            server: "15.1".to_owned(),
            taken: "2026-01-31T00:00:00Z".to_owned(),
            before_data: part("before.sql.gz"),
            after_data: part("after.sql.gz"),
            tables: vec![Table {
                name: "public.t".to_owned(),
                columns: vec!["a".to_owned()],
                rows: 3,
                parts: vec![part("1-0.copy.gz")],
            }],
            sequences: Vec::new(),
            materialized_views: Vec::new(),
        }
    }

    #[test]
    fn a_manifest_is_believed_only_as_it_was_written() {
        let sealed = String::from_utf8(manifest().seal().unwrap()).unwrap();
        assert_eq!(Manifest::unseal(sealed.as_bytes()).unwrap(), manifest());
        let altered = sealed.replace("\"rows\": 3", "\"rows\": 2");
        assert_ne!(altered, sealed);
        assert!(matches!(
            Manifest::unseal(altered.as_bytes()),
            Err(ManifestFault::Checksum)
        ));
        for end in 0..sealed.len() {
            assert!(Manifest::unseal(&sealed.as_bytes()[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn another_format_is_named() {
        let other = Manifest {
            format: 2,
            ..manifest()
        };
        let error = Manifest::unseal(&other.seal().unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "it has format 2, and this program reads format 1");
    }
}
