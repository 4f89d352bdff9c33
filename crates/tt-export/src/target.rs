//! A database that is made for a restore, and taken away again when the restore fails.

use sqlx::postgres::PgConnection;

use crate::catalog;
use crate::error::ExportError;
use crate::source::{DatabaseName, DatabaseUrl, run};

/// Whether a database of that name can still be made on this server.
pub async fn is_free(server: &DatabaseUrl, name: &DatabaseName) -> Result<(), ExportError> {
    free(&mut server.connect().await?, name).await
}

/// Makes a database on a server and gives its address. The login needs `CREATEDB`, which the master user of an RDS instance has.
pub async fn create_database(server: &DatabaseUrl, name: &DatabaseName) -> Result<DatabaseUrl, ExportError> {
    let mut connection = server.connect().await?;
    free(&mut connection, name).await?;
    // Of two that pass the check at the same moment, the server refuses the later one.
    run(&mut connection, &format!("CREATE DATABASE {}", name.quoted()))
        .await
        .map_err(ExportError::database(format!("make the database `{name}`")))?;
    Ok(server.named(name))
}

/// Removes a database that [`create_database`] made, with whoever is still connected to it.
pub async fn drop_database(server: &DatabaseUrl, name: &DatabaseName) -> Result<(), ExportError> {
    let mut connection = server.connect().await?;
    let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", name.quoted());
    run(&mut connection, &statement)
        .await
        .map_err(ExportError::database(format!("remove the database `{name}`")))
}

async fn free(connection: &mut PgConnection, name: &DatabaseName) -> Result<(), ExportError> {
    if catalog::database_exists(connection, name.as_str()).await? {
        return Err(ExportError::Exists { name: name.to_string() });
    }
    Ok(())
}
