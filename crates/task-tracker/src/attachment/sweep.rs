//! Lets the bucket go of what no attachment names any more, and forgets what was announced and never came.
//!
//! Any number of processes do it at once: each takes some keys for a while, and a key is forgotten when its object is gone.

use std::time::Duration;

use crate::{attachment::Bucket, database::Database, problem::Problem};

const PACE: Duration = Duration::from_mins(1);
/// Keys in one turn.
const AT_ONCE: i64 = 50;

/// Never ends by itself.
pub(crate) async fn run(database: Database, bucket: Option<Bucket>) {
    let Some(bucket) = bucket else {
        return;
    };
    loop {
        // What was not done now is done by the next turn, here or elsewhere.
        let full = turn(&database, &bucket).await.unwrap_or(false);
        if !full {
            tokio::time::sleep(PACE).await;
        }
    }
}

/// Whether there may be more.
pub(super) async fn turn(database: &Database, bucket: &Bucket) -> Result<bool, Problem> {
    let mut connection = database.connection().await?;
    let of_database = |cause: sqlx::Error| Problem::of_database(&cause);
    // A trigger writes down the objects.
    sqlx::query(
        "with unfinished as (
            select id from attachments where stored_at is null and upload_until < now() - interval '45 minutes'
            limit 1000 for update skip locked
         )
         delete from attachments using unfinished where attachments.id = unfinished.id",
    )
    .execute(&mut *connection)
    .await
    .map_err(of_database)?;
    let keys: Vec<String> = sqlx::query_scalar(
        "with due as (
            select object_key from discarded_objects where due_at <= now() order by due_at limit $1
            for update skip locked
         )
         update discarded_objects set due_at = now() + interval '15 minutes'
         from due where discarded_objects.object_key = due.object_key
         returning discarded_objects.object_key",
    )
    .bind(AT_ONCE)
    .fetch_all(&mut *connection)
    .await
    .map_err(of_database)?;
    drop(connection);

    let mut gone = Vec::new();
    for key in &keys {
        match bucket.delete(key).await {
            Ok(()) => gone.push(key.clone()),
            Err(cause) => {
                // Whatever ails the bucket ails it for the next key as well.
                tracing::warn!(%cause, "an object without an attachment could not be deleted; it is tried again");
                break;
            }
        }
    }
    let mut connection = database.connection().await?;
    sqlx::query("delete from discarded_objects where object_key = any($1)")
        .bind(&gone)
        .execute(&mut *connection)
        .await
        .map_err(of_database)?;
    Ok(gone.len() == usize::try_from(AT_ONCE).unwrap_or(usize::MAX))
}
