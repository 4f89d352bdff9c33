//! Pages by keyset: a cursor names the last id seen and the list it was seen in.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio_postgres::types::Json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::Caller,
    database::{Database, column},
    problem::Problem,
};

/// How many rows a page may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "i64")]
pub(crate) struct Limit(i64);

impl Limit {
    /// One more than asked for tells whether another page follows.
    pub(crate) fn and_one(self) -> i64 {
        self.0 + 1
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

impl TryFrom<i64> for Limit {
    type Error = &'static str;

    fn try_from(limit: i64) -> Result<Self, Self::Error> {
        if (1..=100).contains(&limit) {
            Ok(Self(limit))
        } else {
            Err("limit is 1 to 100")
        }
    }
}

/// Which page of a list; the whole query string where a list has no filters.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    /// How many at most.
    #[serde(default)]
    #[param(value_type = u32, minimum = 1, maximum = 100, default = 50)]
    pub(crate) limit: Limit,
    /// From the page before.
    pub(crate) cursor: Option<String>,
}

/// One page of what belongs to something, in the order of their ids.
pub(crate) struct Listing {
    list: String,
    of: Uuid,
    after: Uuid,
    limit: Limit,
}

impl Listing {
    /// Of this thing; `what` is in it.
    pub(crate) fn of(of: Uuid, what: &str, which: &Which) -> Result<Self, Problem> {
        let list = format!("{what}/{of}");
        let after = start(which.cursor.as_deref(), &list)?;
        let limit = which.limit;
        Ok(Self { list, of, after, limit })
    }

    /// `sql` gives rows as JSON: of the thing `$1`, with ids above `$2`, at most `$3`, and only to a caller `$4` who may see
    /// them. An empty page may also mean that there is no such thing, or not for the caller; the endpoint finds out.
    pub(crate) async fn read<T: DeserializeOwned>(
        self,
        database: &Database,
        caller: &Caller,
        sql: &'static str,
        id: impl Fn(&T) -> Uuid,
    ) -> Result<Page<T>, Problem> {
        let limit = self.limit.and_one();
        let rows = database
            .rows(sql, &[&self.of, &self.after, &limit, &caller.user])
            .await?;
        let rows = rows.iter().map(|row| column(row, 0).map(|Json(row)| row));
        let rows = rows.collect::<Result<_, _>>()?;
        Ok(Page::cut(rows, self.limit, &self.list, id))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cursor<K> {
    after: K,
    list: String,
}

/// Where a page begins: behind this id, or at the start (nil). A cursor of another list or filter is refused.
pub(crate) fn start(cursor: Option<&str>, list: &str) -> Result<Uuid, Problem> {
    Ok(behind(cursor, list)?.unwrap_or_default())
}

/// As `start`, for lists in another order than that of ids.
pub(crate) fn behind<K: DeserializeOwned>(cursor: Option<&str>, list: &str) -> Result<Option<K>, Problem> {
    let Some(cursor) = cursor else {
        return Ok(None);
    };
    BASE64_URL_SAFE_NO_PAD
        .decode(cursor)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Cursor<K>>(&bytes).ok())
        .filter(|cursor| cursor.list == list)
        .map(|cursor| Some(cursor.after))
        .ok_or(Problem::ForeignCursor)
}

/// A page of rows and the way to the next one.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    items: Vec<T>,
    /// For the parameter `cursor` of the next request; null on the last page.
    next_cursor: Option<String>,
}

impl<T> Page<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// With something else in the place of each row.
    pub(crate) fn map<U>(self, each: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(each).collect(),
            next_cursor: self.next_cursor,
        }
    }

    /// Makes a page out of up to `limit + 1` rows.
    pub(crate) fn cut<K: Serialize>(mut rows: Vec<T>, limit: Limit, list: &str, key: impl Fn(&T) -> K) -> Self {
        let size = usize::try_from(limit.0).unwrap_or(usize::MAX);
        let more = rows.len() > size;
        rows.truncate(size);
        let next_cursor = rows
            .last()
            .filter(|_| more)
            .and_then(|last| {
                serde_json::to_vec(&Cursor {
                    after: key(last),
                    list: list.to_owned(),
                })
                .ok()
            })
            .map(|bytes| BASE64_URL_SAFE_NO_PAD.encode(bytes));
        Self {
            items: rows,
            next_cursor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_behind_the_last_row_of_its_own_list_only() {
        let ids: Vec<Uuid> = (0..3).map(|_| Uuid::now_v7()).collect();
        let page = Page::cut(ids.clone(), Limit(2), "projects", |id| *id);
        assert_eq!(page.items, ids[..2]);
        let cursor = page.next_cursor.unwrap();
        assert_eq!(start(Some(&cursor), "projects"), Ok(ids[1]));
        assert!(start(Some(&cursor), "tasks").is_err());
        assert!(start(Some("???"), "projects").is_err());
    }

    #[test]
    fn the_last_page_has_no_cursor() {
        let page = Page::cut(vec![Uuid::now_v7(), Uuid::now_v7()], Limit(2), "projects", |id| *id);
        assert_eq!((page.items.len(), page.next_cursor), (2, None));
    }

    #[test]
    fn limits_outside_1_to_100_are_refused() {
        for limit in [i64::MIN, -1, 0, 101, i64::MAX] {
            assert!(Limit::try_from(limit).is_err(), "{limit}");
        }
    }
}
