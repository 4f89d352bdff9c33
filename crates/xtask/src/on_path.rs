//! Programs of the machine, looked for where a shell would.

use std::{env, path::PathBuf};

/// Where a program lies, if the machine has it.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Whether the machine has it.
pub(crate) fn is_there(program: &str) -> bool {
    find(program).is_some()
}
