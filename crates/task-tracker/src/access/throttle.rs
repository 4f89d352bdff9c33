//! How often something may be done, counted in PostgreSQL because several tasks serve the same users.
//!
//! The generic cell rate algorithm: a row holds the moment at which its allowance is whole again; each use moves it
//! ahead, and a use that would move it beyond the window is refused. One statement, and no row for whoever is idle.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use sqlx::PgConnection;

use crate::{access::Caller, problem::Problem, router::Context};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LEVEL: HeaderName = HeaderName::from_static("ratelimit");

/// So many uses within any window of this length, all at once or spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Limit {
    /// As clients see it in headers.
    pub(crate) name: &'static str,
    pub(crate) uses: u32,
    pub(crate) window: Duration,
}

/// What is left of a limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Allowance {
    limit: Limit,
    /// Seconds until it is whole again.
    level: f64,
    /// Uses that the caller wants at once.
    wanted: u32,
}

impl Limit {
    /// Seconds by which one use moves the row ahead.
    pub(crate) fn step(&self) -> f64 {
        self.window.as_secs_f64() / f64::from(self.uses.max(1))
    }

    pub(crate) fn window_seconds(&self) -> f64 {
        self.window.as_secs_f64()
    }

    /// Of a count that is kept elsewhere: used up, until something comes back after this time.
    pub(crate) fn used_up(self, wait: Duration) -> Allowance {
        self.at(self.window_seconds() - self.step() + wait.as_secs_f64())
    }

    pub(crate) fn at(self, level: f64) -> Allowance {
        Allowance {
            limit: self,
            level,
            wanted: 1,
        }
    }

    /// Takes so many uses of one key together, or none of them.
    pub(crate) async fn take(self, uses: u32, key: &str, connection: &mut PgConnection) -> Result<Allowance, Problem> {
        if uses > self.uses {
            return Err(Problem::Rule(
                "each of these counts as a change, and they are more than are allowed in a minute: send fewer at once",
            ));
        }
        let taken: Option<f64> = sqlx::query_scalar(
            "insert into throttles as t (key, full_at) values ($1, now() + make_interval(secs => $2))
             on conflict (key) do update
             set full_at = greatest(t.full_at, now()) + make_interval(secs => $2)
             where greatest(t.full_at, now()) + make_interval(secs => $2) <= now() + make_interval(secs => $3)
             returning extract(epoch from full_at - now())::float8",
        )
        .bind(key)
        .bind(self.step() * f64::from(uses))
        .bind(self.window_seconds())
        .fetch_optional(&mut *connection)
        .await
        .map_err(|cause| Problem::of_database(&cause))?;
        match taken {
            Some(level) => Ok(self.at(level)),
            None => Err(Problem::Throttled {
                allowance: Allowance {
                    wanted: uses,
                    ..self.at(level(key, connection).await?)
                },
            }),
        }
    }

    /// Takes one use of each key, or refuses. Keys that had some left are charged even when another had not: whoever is
    /// refused has tried.
    pub(crate) async fn charge(limits: &[(Self, String)], connection: &mut PgConnection) -> Result<(), Problem> {
        let keys: Vec<&str> = limits.iter().map(|(_, key)| key.as_str()).collect();
        let steps: Vec<f64> = limits.iter().map(|(limit, _)| limit.step()).collect();
        let windows: Vec<f64> = limits.iter().map(|(limit, _)| limit.window_seconds()).collect();
        let charged: Vec<String> = sqlx::query_scalar(
            "insert into throttles as t (key, full_at)
             select key, now() + make_interval(secs => step)
             from unnest($1::text[], $2::float8[]) as asked (key, step) order by key
             on conflict (key) do update
             set full_at = greatest(t.full_at, now()) + (excluded.full_at - now())
             where greatest(t.full_at, now()) + (excluded.full_at - now())
                   <= now() + (select make_interval(secs => span)
                               from unnest($1::text[], $3::float8[]) as windows (key, span) where windows.key = t.key)
             returning key",
        )
        .bind(&keys)
        .bind(&steps)
        .bind(&windows)
        .fetch_all(&mut *connection)
        .await
        .map_err(|cause| Problem::of_database(&cause))?;
        let Some((limit, key)) = limits.iter().find(|(_, key)| !charged.contains(key)) else {
            return Ok(());
        };
        let level = level(key, connection).await?;
        Err(Problem::Throttled {
            allowance: limit.at(level),
        })
    }

    /// Gives a key its whole allowance back.
    pub(crate) async fn forgive(key: &str, connection: &mut PgConnection) -> Result<(), Problem> {
        sqlx::query("delete from throttles where key = $1")
            .bind(key)
            .execute(connection)
            .await
            .map_err(|cause| Problem::of_database(&cause))?;
        Ok(())
    }
}

/// The guard has counted one change of a request that makes several; the others are counted here, before anything happens.
/// None when there are no others.
pub(crate) async fn charge_others(
    context: &Context,
    caller: &Caller,
    changes: usize,
) -> Result<Option<Allowance>, Problem> {
    let others = u32::try_from(changes.saturating_sub(1)).unwrap_or(u32::MAX);
    if others == 0 {
        return Ok(None);
    }
    // The key under which the guard counts a user's changes.
    let key = format!("writes/{}", caller.user);
    let mut connection = context.database.connection().await?;
    let writes = context.limits.writes;
    writes.take(others, &key, &mut connection).await.map(Some)
}

/// Seconds until the allowance of this key is whole again.
pub(crate) async fn level(key: &str, connection: &mut PgConnection) -> Result<f64, Problem> {
    sqlx::query_scalar(
        "select coalesce((select greatest(extract(epoch from full_at - now()), 0)::float8
                          from throttles where key = $1), 0)",
    )
    .bind(key)
    .fetch_one(connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))
}

impl Allowance {
    /// Whole uses that are left.
    fn remaining(&self) -> u64 {
        whole(((self.limit.window_seconds() - self.level) / self.limit.step() + 1e-6).floor())
    }

    /// Seconds until as many uses are left as are wanted, at least 1.
    pub(crate) fn retry_after(&self) -> u64 {
        let next = self.level + self.limit.step() * f64::from(self.wanted) - self.limit.window_seconds();
        whole(next.ceil()).max(1)
    }

    /// The headers of "`RateLimit` header fields for HTTP" (IETF draft of the HTTPAPI working group); where they are there
    /// already, whoever wrote them charged later.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let Limit { name, uses, window } = self.limit;
        let policy = format!("\"{name}\";q={uses};w={}", window.as_secs());
        let level = format!(
            "\"{name}\";r={};t={}",
            self.remaining(),
            whole(self.level.ceil()).min(window.as_secs())
        );
        for (field, value) in [(POLICY, policy), (LEVEL, level)] {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.entry(field).or_insert(value);
            }
        }
    }

    /// As `write`, and when to come back.
    pub(crate) fn refuse(&self, headers: &mut HeaderMap) {
        self.write(headers);
        headers.insert(header::RETRY_AFTER, HeaderValue::from(self.retry_after()));
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "seconds and counts of a limit, cut off at zero and far below 2^53"
)]
fn whole(number: f64) -> u64 {
    number.max(0.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN_A_MINUTE: Limit = Limit {
        name: "writes",
        uses: 10,
        window: Duration::from_mins(1),
    };

    #[test]
    fn headers_say_what_is_left_and_when_to_come_back() {
        for (level, left, retry_after) in [
            (0.0, r#""writes";r=10;t=0"#, 1),
            (6.0, r#""writes";r=9;t=6"#, 1),
            (54.5, r#""writes";r=0;t=55"#, 1),
            (60.0, r#""writes";r=0;t=60"#, 6),
            (57.5, r#""writes";r=0;t=58"#, 4),
        ] {
            let mut headers = HeaderMap::new();
            TEN_A_MINUTE.at(level).refuse(&mut headers);
            assert_eq!(headers[LEVEL], left);
            assert_eq!(headers[POLICY], r#""writes";q=10;w=60"#);
            assert_eq!(headers[header::RETRY_AFTER], retry_after.to_string(), "{level}");
        }
        let ten = Allowance {
            wanted: 10,
            ..TEN_A_MINUTE.at(6.0)
        };
        assert_eq!((ten.remaining(), ten.retry_after()), (9, 6));
    }
}
