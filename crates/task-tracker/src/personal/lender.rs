use std::ops::DerefMut;

use sqlx::PgConnection;

use crate::{database::Database, problem::Problem};

/// Lends a connection for one statement.
pub(crate) trait Lender {
    /// Why nothing came of a statement.
    type Failure;

    async fn lend(&mut self) -> Result<impl DerefMut<Target = PgConnection> + Send, Self::Failure>;

    fn failed(cause: sqlx::Error) -> Self::Failure;
}

/// Of the service, which has it back for others meanwhile.
impl Lender for Database {
    type Failure = Problem;

    async fn lend(&mut self) -> Result<impl DerefMut<Target = PgConnection> + Send, Problem> {
        self.connection().await
    }

    fn failed(cause: sqlx::Error) -> Problem {
        Problem::of_database(&cause)
    }
}

/// Of a command's own.
impl Lender for PgConnection {
    type Failure = sqlx::Error;

    async fn lend(&mut self) -> Result<impl DerefMut<Target = Self> + Send, sqlx::Error> {
        Ok(self)
    }

    fn failed(cause: sqlx::Error) -> sqlx::Error {
        cause
    }
}

impl<L: Lender> Lender for &mut L {
    type Failure = L::Failure;

    async fn lend(&mut self) -> Result<impl DerefMut<Target = PgConnection> + Send, L::Failure> {
        L::lend(self).await
    }

    fn failed(cause: sqlx::Error) -> L::Failure {
        L::failed(cause)
    }
}
