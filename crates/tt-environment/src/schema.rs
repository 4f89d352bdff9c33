//! The JSON schema of an environment: what editors complete from, and what `shape` holds a file against.
//!
//! It is generated from `raw`, so the editor, the loader and the types cannot disagree.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use crate::raw;

/// The JSON schema (draft 2020-12) of an environment's file.
pub fn schema() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    let generated = settings.into_generator().into_root_schema_for::<raw::Environment>();
    sorted(generated.to_value())
}

/// The same value with the keys of every object in order, whichever order `serde_json` was built to keep: the file in
/// the repository must not depend on what else is compiled along.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(entries) => {
            let mut entries: Vec<(String, Value)> =
                entries.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            entries.sort_by(|(one, _), (other, _)| one.cmp(other));
            Value::Object(entries.into_iter().collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        scalar @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => scalar,
    }
}
