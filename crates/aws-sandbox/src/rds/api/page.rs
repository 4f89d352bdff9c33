//! Filters and pages of the describe operations.

use super::Request;
use crate::wire::QueryError;

/// Describe operations give at most 100 at a time.
const PAGE: usize = 100;

/// One page, and where the next one begins. The items are in the order of their keys.
pub(super) fn page<T>(
    request: &Request<'_>,
    mut items: Vec<T>,
    key: impl Fn(&T) -> String,
) -> Result<(Vec<T>, Option<String>), QueryError> {
    let limit = request.parameters.parsed("MaxRecords")?.unwrap_or(PAGE).clamp(1, PAGE);
    if let Some(after) = request.parameters.text("Marker") {
        items.retain(|item| key(item).as_str() > after);
    }
    items.sort_by_key(&key);
    let marker = (items.len() > limit).then(|| key(&items[limit - 1]));
    items.truncate(limit);
    Ok((items, marker))
}

/// What a client filters by.
pub(super) struct Filters(Vec<(String, Vec<String>)>);

impl Filters {
    /// Refuses a name that the operation does not have.
    pub(super) fn of(request: &Request<'_>, known: &[&str]) -> Result<Self, QueryError> {
        let filters = request.parameters.list("Filters").into_iter().map(|filter| {
            let name = filter.text("Name").unwrap_or_default().to_owned();
            let values = filter.texts("Values").into_iter().map(str::to_owned).collect();
            (name, values)
        });
        let filters: Vec<(String, Vec<String>)> = filters.collect();
        match filters.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            None => Ok(Self(filters)),
            Some((name, _)) => {
                let message = format!("Unrecognized filter name: {name}");
                Err(QueryError::sender("InvalidParameterValue", message))
            }
        }
    }

    /// Whether something with these properties is wanted: for each filter, one of its values.
    pub(super) fn admit(&self, property: impl Fn(&str) -> String) -> bool {
        self.0.iter().all(|(name, values)| {
            let own = property(name);
            values.iter().any(|value| value.eq_ignore_ascii_case(&own))
        })
    }
}
