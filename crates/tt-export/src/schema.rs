//! The definitions, as `pg_dump` writes them.

use std::process::Stdio;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

use crate::error::ExportError;
use crate::source::DatabaseUrl;

/// Before or after the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    BeforeData,
    AfterData,
}

impl Section {
    fn argument(self) -> &'static str {
        match self {
            Self::BeforeData => "--section=pre-data",
            Self::AfterData => "--section=post-data",
        }
    }
}

/// The statements of one section, of the database as the snapshot shows it.
pub(crate) async fn definitions(url: &DatabaseUrl, snapshot: &str, section: Section) -> Result<String, ExportError> {
    let mut child = start(url, snapshot, section)?;
    let (out, err) = tokio::join!(all(child.stdout.take()), all(child.stderr.take()));
    let status = child.wait().await.map_err(ExportError::NoPgDump)?;
    if !status.success() {
        let said = err.lines().rev().take(5).collect::<Vec<_>>();
        let said = said.into_iter().rev().collect::<Vec<_>>().join("; ");
        return Err(ExportError::PgDump { said });
    }
    Ok(for_another_place(&out))
}

/// Whether there is one. Whether it is new enough for the server, it says itself when it is asked for definitions.
pub(crate) async fn find_pg_dump() -> Result<(), ExportError> {
    let mut asked = Command::new("pg_dump");
    asked.arg("--version").stdin(Stdio::null());
    asked.output().await.map(drop).map_err(ExportError::NoPgDump)
}

fn start(url: &DatabaseUrl, snapshot: &str, section: Section) -> Result<Child, ExportError> {
    Command::new("pg_dump")
        .args(["--no-owner", "--no-privileges", "--no-password", "--encoding=UTF8"])
        .args(["--schema-only", section.argument(), &format!("--snapshot={snapshot}")])
        .envs(url.variables())
        .env("PGAPPNAME", "tt-export")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(ExportError::NoPgDump)
}

async fn all(pipe: Option<impl AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        // A pipe that breaks ends with the program, whose status tells.
        pipe.read_to_end(&mut bytes).await.unwrap_or_default();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Without psql's own commands, which no server understands, and without comments on extensions, which only a superuser may make.
fn for_another_place(text: &str) -> String {
    let ours = |line: &&str| {
        !line.starts_with("\\restrict ")
            && !line.starts_with("\\unrestrict ")
            && !line.starts_with("COMMENT ON EXTENSION ")
    };
    let mut kept = String::with_capacity(text.len());
    for line in text.split_inclusive('\n').filter(ours) {
        kept.push_str(line);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_any_server_takes_is_kept() {
        let text = "\\restrict abc\nCREATE TABLE t (a int);\nCOMMENT ON EXTENSION x IS 'y';\n\\unrestrict abc\n";
        assert_eq!(for_another_place(text), "CREATE TABLE t (a int);\n");
    }
}
