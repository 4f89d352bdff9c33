//! State on disk: one JSON file per service, replaced atomically, so that a killed sandbox finds its state again.
//!
//! A write changes memory at once and marks the file dirty; a saver thread writes dirty files every
//! [`SAVE_INTERVAL`], and the front saves everything before it answers a mutating call. Nothing here knows what the
//! state means.

use std::fs;
use std::io;
use std::io::Write as _;
use std::ops::Deref;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a crash may lose of changes that no API call waited for (task states, health).
const SAVE_INTERVAL: Duration = Duration::from_millis(200);

/// The state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PersistError {
    #[error("could not create the state folder {}", path.display())]
    CreateFolder {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("could not start the thread that saves the state")]
    StartSaver(#[source] io::Error),
    #[error("could not read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("{} is not a state file of this version; remove it or run `down --wipe`", path.display())]
    Parse {
        path: PathBuf,
        #[source]
        cause: serde_json::Error,
    },
    #[error("could not put the state into JSON for {}", path.display())]
    Encode {
        path: PathBuf,
        #[source]
        cause: serde_json::Error,
    },
    #[error("could not write {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
}

/// The folder that holds everything a sandbox remembers. Dereferences to its path.
#[derive(Clone)]
pub(crate) struct StateDir {
    path: Arc<Path>,
    files: Arc<Files>,
}

impl StateDir {
    /// Creates the folder, readable by its owner and passable for tasks, and starts the saver thread, which ends with the last clone.
    pub(crate) fn open(path: &Path) -> Result<Self, PersistError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(path)
            .map_err(|cause| PersistError::CreateFolder {
                path: path.to_owned(),
                cause,
            })?;
        let path = path.canonicalize().map_err(|cause| PersistError::CreateFolder {
            path: path.to_owned(),
            cause,
        })?;
        let files = Arc::new(Files::default());
        let watched = Arc::downgrade(&files);
        thread::Builder::new()
            .name("saver".to_owned())
            .spawn(move || save_until_dropped(&watched))
            .map_err(PersistError::StartSaver)?;
        Ok(Self {
            path: path.into(),
            files,
        })
    }

    /// Writes every changed file now. An error leaves the file dirty, so that the next save tries again.
    pub(crate) fn save(&self) -> Result<(), PersistError> {
        self.files.save()
    }
}

impl Deref for StateDir {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.path
    }
}

/// Whether a look at the state changed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Touched {
    Yes,
    No,
}

/// State of one service, kept in memory and in `name.json`.
pub(crate) struct Persisted<T> {
    file: Arc<StateFile<T>>,
}

impl<T: Serialize + DeserializeOwned + Default + Send + 'static> Persisted<T> {
    /// The state in `dir/name.json`, or the default when there is no such file yet.
    pub(crate) fn open(dir: &StateDir, name: &str) -> Result<Self, PersistError> {
        let path = dir.join(format!("{name}.json"));
        let value = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|cause| PersistError::Parse {
                path: path.clone(),
                cause,
            })?,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => T::default(),
            Err(cause) => return Err(PersistError::Read { path, cause }),
        };
        let file = Arc::new(StateFile {
            path,
            value: Mutex::new(value),
            dirty: AtomicBool::new(false),
            writing: Mutex::new(()),
        });
        let weak: Weak<dyn Save> = Arc::downgrade(&(Arc::clone(&file) as Arc<dyn Save>));
        lock(&dir.files.0).push(weak);
        Ok(Self { file })
    }

    /// Looks at the state. The lock is held for the closure only.
    pub(crate) fn read<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&lock(&self.file.value))
    }

    /// Changes the state; it is on disk within [`SAVE_INTERVAL`].
    pub(crate) fn write<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let mut value = lock(&self.file.value);
        let answer = change(&mut value);
        self.file.dirty.store(true, Ordering::Release);
        answer
    }

    /// Like [`Persisted::write`] for what usually changes nothing: the file is only written when something did.
    pub(crate) fn write_if<R>(&self, change: impl FnOnce(&mut T) -> (Touched, R)) -> R {
        let mut value = lock(&self.file.value);
        let (touched, answer) = change(&mut value);
        if touched == Touched::Yes {
            self.file.dirty.store(true, Ordering::Release);
        }
        answer
    }

    /// Writes this state now, when it changed.
    #[cfg(test)]
    pub(crate) fn flush(&self) -> Result<(), PersistError> {
        self.file.save()
    }
}

struct StateFile<T> {
    path: PathBuf,
    value: Mutex<T>,
    dirty: AtomicBool,
    /// Two savers at once would race on the temporary file.
    writing: Mutex<()>,
}

trait Save: Send + Sync {
    fn save(&self) -> Result<(), PersistError>;
}

impl<T: Serialize + Send> Save for StateFile<T> {
    fn save(&self) -> Result<(), PersistError> {
        let _writing = lock(&self.writing);
        if !self.dirty.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let saved = self.encode().and_then(|text| replace(&self.path, &text));
        if saved.is_err() {
            self.dirty.store(true, Ordering::Release);
        }
        saved
    }
}

impl<T: Serialize> StateFile<T> {
    fn encode(&self) -> Result<Vec<u8>, PersistError> {
        serde_json::to_vec(&*lock(&self.value)).map_err(|cause| PersistError::Encode {
            path: self.path.clone(),
            cause,
        })
    }
}

#[derive(Default)]
struct Files(Mutex<Vec<Weak<dyn Save>>>);

impl Files {
    fn save(&self) -> Result<(), PersistError> {
        let open: Vec<_> = {
            let mut files = lock(&self.0);
            files.retain(|file| file.strong_count() > 0);
            files.iter().filter_map(Weak::upgrade).collect()
        };
        // Every file gets its chance: a full disk may still take the small ones.
        open.iter().map(|file| file.save()).fold(Ok(()), Result::and)
    }
}

fn save_until_dropped(files: &Weak<Files>) {
    let mut reported = false;
    loop {
        thread::sleep(SAVE_INTERVAL);
        let Some(files) = files.upgrade() else { return };
        match files.save() {
            Ok(()) => reported = false,
            Err(error) if !reported => {
                tracing::error!(error = %crate::front::chain(&error), "the sandbox cannot write its state; API calls that change something are refused until it can");
                reported = true;
            }
            Err(_) => {}
        }
    }
}

/// Secrets are among the state, so the file is its owner's alone.
fn replace(path: &Path, text: &[u8]) -> Result<(), PersistError> {
    let fresh = path.with_extension("json.new");
    let write = || {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)?;
        file.write_all(text)?;
        drop(file);
        fs::rename(&fresh, path)
    };
    write().map_err(|cause| PersistError::Write {
        path: path.to_owned(),
        cause,
    })
}

/// State is consistent after every closure, so a panic elsewhere does not make it unusable.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killed_sandbox_finds_its_state_again() {
        let folder = tempfile::tempdir().unwrap();
        let dir = StateDir::open(folder.path()).unwrap();
        let state = Persisted::<Vec<String>>::open(&dir, "things").unwrap();
        state.write(|things| things.push("one".to_owned()));
        dir.save().unwrap();
        let again = Persisted::<Vec<String>>::open(&dir, "things").unwrap();
        assert_eq!(again.read(Vec::clone), ["one"]);
    }

    #[test]
    fn a_disk_that_takes_nothing_is_an_error_and_the_change_is_kept_for_later() {
        let folder = tempfile::tempdir().unwrap();
        let dir = StateDir::open(folder.path()).unwrap();
        let state = Persisted::<u32>::open(&dir, "number").unwrap();
        // A folder in the place of the temporary file: no file can be created there, whoever runs the test.
        let obstacle = folder.path().join("number.json.new");
        fs::create_dir(&obstacle).unwrap();
        state.write(|number| *number = 7);
        assert!(matches!(state.flush(), Err(PersistError::Write { .. })));
        fs::remove_dir(&obstacle).unwrap();
        dir.save().unwrap();
        assert_eq!(
            Persisted::<u32>::open(&dir, "number").unwrap().read(|number| *number),
            7
        );
    }

    #[test]
    fn a_file_of_another_version_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let dir = StateDir::open(folder.path()).unwrap();
        fs::write(folder.path().join("number.json"), "not a number").unwrap();
        let error = Persisted::<u32>::open(&dir, "number").err().unwrap();
        assert!(error.to_string().contains("number.json"), "{error}");
    }
}
