//! Everything that is kept about one user, page by page: never more than a page is held, and no connection while whoever
//! reads it is busy.
//!
//! A page is of one moment; lists go by what never changes, so that nothing is left out or said twice. What is the user's is
//! in the predicate of each list, so that one who is sent out of a project meanwhile reads no more of it.

use sqlx::types::Json;
use uuid::Uuid;

use super::{
    lender::Lender,
    sections::{ACCOUNT, SECTIONS},
};

/// Rows of a page.
const AT_ONCE: usize = 200;

/// An export that is under way.
pub(crate) struct Export<L> {
    lender: L,
    user: Uuid,
    begun: Vec<u8>,
    section: usize,
    /// Of the last row that was read, as its section orders them; none at the beginning of a section.
    after: Option<String>,
    rows: usize,
}

/// Where a row stands in its section, and what there is to say of it, if there is.
type Row = (String, Option<Json<serde_json::Value>>);

impl<L: Lender> Export<L> {
    /// None when there is no such user.
    pub(crate) async fn begin(mut lender: L, user: Uuid) -> Result<Option<Self>, L::Failure> {
        let account: Option<Json<serde_json::Value>> = sqlx::query_scalar(ACCOUNT)
            .bind(user)
            .fetch_optional(&mut *lender.lend().await?)
            .await
            .map_err(L::failed)?;
        Ok(account.map(|Json(account)| Self {
            lender,
            user,
            begun: format!("{{\"account\":{account}").into_bytes(),
            section: 0,
            after: None,
            rows: 0,
        }))
    }

    /// The next part of the document; none behind its end.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, L::Failure> {
        let Some(section) = SECTIONS.get(self.section) else {
            return Ok(None);
        };
        let mut out = std::mem::take(&mut self.begun);
        if self.after.is_none() {
            out.extend_from_slice(format!(",\"{}\":[", section.name).as_bytes());
        }
        let page = self.page(section.sql).await?;
        let is_last = page.len() < AT_ONCE;
        for (place, row) in page {
            if let Some(Json(row)) = row {
                if self.rows > 0 {
                    out.push(b',');
                }
                self.rows += 1;
                out.extend_from_slice(row.to_string().as_bytes());
            }
            self.after = Some(place);
        }
        if is_last {
            out.push(b']');
            self.section += 1;
            (self.after, self.rows) = (None, 0);
        }
        if self.section == SECTIONS.len() {
            out.extend_from_slice(b"}\n");
        }
        Ok(Some(out))
    }

    async fn page(&mut self, sql: &'static str) -> Result<Vec<Row>, L::Failure> {
        sqlx::query_as(sql)
            .bind(self.user)
            .bind(self.after.as_deref())
            .bind(i64::try_from(AT_ONCE).unwrap_or(i64::MAX))
            .fetch_all(&mut *self.lender.lend().await?)
            .await
            .map_err(L::failed)
    }
}
