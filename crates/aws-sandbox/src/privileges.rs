//! Whether tasks can run as nobody: programs that are being tried out should not be root.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The unprivileged user and group of every Linux system.
const NOBODY: (u32, u32) = (65534, 65534);

/// Who tasks of a sandbox with this state folder should run as, when the sandbox is root: nobody, unless a folder above
/// the images is closed to others, as temporary folders and home folders often are. Nothing when it is not root.
pub fn unprivileged(state_dir: &Path) -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let path = std::path::absolute(state_dir).ok()?;
    // The folder itself may not exist yet; it will be open.
    let closed = path
        .ancestors()
        .filter_map(|folder| folder.metadata().ok())
        .any(|folder| folder.mode() & 0o001 == 0);
    if closed {
        tracing::warn!(state = %path.display(), "tasks run as root, because other users cannot reach the state folder");
        return None;
    }
    Some(NOBODY)
}
