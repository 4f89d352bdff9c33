//! Forgets the users whose time has come.
//!
//! The audit trail outlives its people, so it is made to speak of nobody: their ids in it become one made-up id, and what
//! names them, or what they wrote where nobody else was, is taken out. Who did what and when stays.
//!
//! An erasure is many statements, each as long as others can wait and safe to repeat; the row of the user goes by the last,
//! so that one that was cut off is taken up again. A lease says whose it is, and every statement asks for it.

use std::time::{Duration, Instant};

use uuid::Uuid;

use super::{
    erasing::{CLAIM, FORGET, STEPS},
    lender::Lender,
    looking::{Look, PEOPLE, PROJECTS},
};

/// Rows of one statement.
const AT_ONCE: i64 = 1000;

/// Erases whoever nobody else is at, and says how many. One that fails keeps nobody else waiting: it is tried again when
/// its lease is over.
pub(crate) async fn erase_all<L: Lender>(lender: &mut L) -> Result<u64, L::Failure> {
    let mut outcome = Ok(0);
    while let Some(mut erasure) = Erasure::claim(lender).await? {
        let erased = erasure.carry_out().await.map(u64::from);
        outcome = outcome.and_then(|before| erased.map(|one| before + one));
    }
    outcome
}

struct Erasure<'l, L> {
    lender: &'l mut L,
    user: Uuid,
    lease: Uuid,
}

impl<'l, L: Lender> Erasure<'l, L> {
    async fn claim(lender: &'l mut L) -> Result<Option<Self>, L::Failure> {
        let lease = Uuid::new_v4();
        let claimed: Option<Uuid> = sqlx::query_scalar(CLAIM)
            .bind(lease)
            .fetch_optional(&mut *lender.lend().await?)
            .await
            .map_err(L::failed)?;
        Ok(claimed.map(|user| Self { lender, user, lease }))
    }

    /// False when somebody else took it up meanwhile.
    async fn carry_out(&mut self) -> Result<bool, L::Failure> {
        for step in STEPS {
            self.repeat(step).await?;
        }
        for look in self.looks().await? {
            self.look_through(&look).await?;
        }
        Ok(self.run(FORGET).await? > 0)
    }

    /// Until there was less to do than there might have been.
    async fn repeat(&mut self, sql: &'static str) -> Result<(), L::Failure> {
        loop {
            let begun = Instant::now();
            if self.run(sql).await? < AT_ONCE {
                return Ok(());
            }
            breathe(begun.elapsed()).await;
        }
    }

    async fn run(&mut self, sql: &'static str) -> Result<i64, L::Failure> {
        sqlx::query_scalar(sql)
            .bind(self.user)
            .bind(self.lease)
            .bind(AT_ONCE)
            .fetch_one(&mut *self.lender.lend().await?)
            .await
            .map_err(L::failed)
    }

    /// Whatever may name the user: tasks first, since each tells of its change, and the record has that then.
    async fn looks(&mut self) -> Result<Vec<Look>, L::Failure> {
        let projects = self.ids(PROJECTS).await?;
        let people = self.ids(PEOPLE).await?;
        let tasks = projects.iter().copied().map(Look::Tasks);
        let answers = people.into_iter().map(Look::Answers);
        let records = projects.iter().copied().map(Look::Record);
        Ok(tasks
            .chain(answers)
            .chain(records)
            .chain([Look::RecordOfNoProject])
            .collect())
    }

    async fn ids(&mut self, sql: &'static str) -> Result<Vec<Uuid>, L::Failure> {
        sqlx::query_scalar(sql)
            .bind(self.user)
            .fetch_all(&mut *self.lender.lend().await?)
            .await
            .map_err(L::failed)
    }

    async fn look_through(&mut self, look: &Look) -> Result<(), L::Failure> {
        let mut place = look.beginning();
        loop {
            let begun = Instant::now();
            let reached: Option<(String, String)> = sqlx::query_as(look.sql())
                .bind(self.user)
                .bind(self.lease)
                .bind(AT_ONCE)
                .bind(look.of())
                .bind(&place.0)
                .bind(&place.1)
                .fetch_optional(&mut *self.lender.lend().await?)
                .await
                .map_err(L::failed)?;
            match reached {
                Some(reached) => place = reached,
                None => return Ok(()),
            }
            breathe(begun.elapsed()).await;
        }
    }
}

/// Half of the time is for everybody else.
async fn breathe(worked: Duration) {
    tokio::time::sleep(worked).await;
}
