//! The database that a restore makes. Until everything is in it and counted it has another name, so nobody takes half of one for the
//! whole, however the restore ended.

use std::time::{Duration, Instant};

use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use crate::catalog;
use crate::error::ExportError;
use crate::source::{BadDatabaseName, DatabaseName, DatabaseUrl, run};

/// Behind the name, until the restore is over.
const UNFINISHED: &str = "_unfinished";
/// How the comment begins on a database that is ours to drop; what follows is for people.
const MARK: &str = "unfinished restore of ";
/// A connection that was dropped is a session until the server has noticed.
const LEAVING: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(200);

/// A database that is to be made on a server.
#[derive(Debug, Clone)]
pub struct Target {
    server: DatabaseUrl,
    name: DatabaseName,
    unfinished: DatabaseName,
}

/// What stands where a restore wants to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    Free,
    /// The unfinished database of a restore that was killed. Nobody is connected to it.
    LeftBehind {
        /// What its comment says: of which export, since when, by whom.
        says: String,
    },
}

impl Target {
    /// Makes no connection yet. The name must leave room for `_unfinished` within PostgreSQL's 63 bytes.
    pub fn new(server: DatabaseUrl, name: DatabaseName) -> Result<Self, BadDatabaseName> {
        let unfinished = DatabaseName::parse(&format!("{name}{UNFINISHED}"))?;
        Ok(Self {
            server,
            name,
            unfinished,
        })
    }

    /// What the database is called once it is whole.
    pub fn name(&self) -> &DatabaseName {
        &self.name
    }

    /// What it is called until then.
    pub fn unfinished(&self) -> &DatabaseName {
        &self.unfinished
    }

    /// Whether the database can be made. One that exists, or that somebody fills right now, is an error.
    pub async fn look(&self) -> Result<Standing, ExportError> {
        let mut connection = self.server.connect().await?;
        self.standing(&mut connection).await
    }

    /// Makes the database, under its unfinished name, and gives its address. What a killed restore left under that name goes first.
    /// `of` is what it will hold, since when and by whom. The login needs `CREATEDB`, which the master user of an RDS instance has.
    pub async fn begin(&self, of: &str) -> Result<DatabaseUrl, ExportError> {
        let mut connection = self.server.connect().await?;
        let name = self.unfinished.quoted();
        if let Standing::LeftBehind { .. } = self.standing(&mut connection).await? {
            // Not by force: whoever came in since is at work on it.
            run(&mut connection, &format!("DROP DATABASE {name}"))
                .await
                .map_err(ExportError::database(format!(
                    "remove the database `{}`",
                    self.unfinished
                )))?;
        }
        let making = || ExportError::database(format!("make the database `{}`", self.unfinished));
        // Of two that pass the look at the same moment, the server refuses the later one.
        run(&mut connection, &format!("CREATE DATABASE {name}"))
            .await
            .map_err(making())?;
        let comment = format!("COMMENT ON DATABASE {name} IS {}", literal(&format!("{MARK}{of}")));
        run(&mut connection, &comment).await.map_err(making())?;
        leave(connection).await?;
        Ok(self.server.named(&self.unfinished))
    }

    /// Gives the database its name, now that it is whole.
    pub async fn finish(&self, of: &str) -> Result<(), ExportError> {
        let mut connection = self.server.connect().await?;
        let (unfinished, name) = (self.unfinished.quoted(), self.name.quoted());
        let rename = format!(
            "ALTER DATABASE {unfinished} RENAME TO {name}; COMMENT ON DATABASE {name} IS {}",
            literal(&format!("restored from {of}"))
        );
        let deadline = Instant::now() + LEAVING;
        loop {
            match run(&mut connection, &rename).await {
                Ok(()) => return leave(connection).await,
                Err(error) if in_use(&error) && Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
                Err(error) => {
                    let action = format!("call the database `{}` `{}`", self.unfinished, self.name);
                    return Err(ExportError::database(action)(error));
                }
            }
        }
    }

    /// Removes the unfinished database, with whoever is still connected to it.
    pub async fn remove(&self) -> Result<(), ExportError> {
        let mut connection = self.server.connect().await?;
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.unfinished.quoted());
        run(&mut connection, &statement)
            .await
            .map_err(ExportError::database(format!(
                "remove the database `{}`",
                self.unfinished
            )))?;
        leave(connection).await
    }

    async fn standing(&self, connection: &mut PgConnection) -> Result<Standing, ExportError> {
        let exists = |name: &DatabaseName| ExportError::Exists { name: name.to_string() };
        if catalog::database(connection, self.name.as_str()).await?.is_some() {
            return Err(exists(&self.name));
        }
        let Some(found) = catalog::database(connection, self.unfinished.as_str()).await? else {
            return Ok(Standing::Free);
        };
        match found.comment {
            Some(says) if says.starts_with(MARK) && found.sessions == 0 => Ok(Standing::LeftBehind { says }),
            Some(says) if says.starts_with(MARK) => Err(ExportError::Busy {
                name: self.unfinished.to_string(),
                says,
            }),
            Some(_) | None => Err(exists(&self.unfinished)),
        }
    }
}

/// PostgreSQL documentation, "PostgreSQL Error Codes": `object_in_use`.
fn in_use(error: &sqlx::Error) -> bool {
    let error = error.as_database_error();
    error
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|code| code == "55006")
}

async fn leave(connection: PgConnection) -> Result<(), ExportError> {
    let closed = connection.close().await;
    closed.map_err(ExportError::database("leave the server"))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
