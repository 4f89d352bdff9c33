//! Where in an unpacked image a path leads, without ever leaving it.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

/// The image cannot run this command.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum NoProgram {
    /// Neither the image nor the task definition names a command.
    #[error("no command specified: the image has no entry point and the task definition gives none")]
    NoCommand,
    /// The words Docker uses, which ECS repeats in a task's stopped reason.
    #[error("exec: \"{0}\": executable file not found in $PATH or in the image")]
    NotFound(String),
    /// There is a file, but it cannot be executed.
    #[error("exec: \"{0}\": permission denied")]
    NotExecutable(String),
}

/// What PATH is in a container whose image says nothing.
pub(super) const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The file of the host that a container with this root would execute.
pub(super) fn executable(rootfs: &Path, working_dir: &Path, path: &str, program: &str) -> Result<PathBuf, NoProgram> {
    if program.is_empty() {
        return Err(NoProgram::NoCommand);
    }
    let candidates: Vec<PathBuf> = if program.contains('/') {
        vec![working_dir.join(program)]
    } else {
        path.split(':').map(|folder| Path::new(folder).join(program)).collect()
    };
    let file = candidates
        .iter()
        .filter_map(|candidate| inside(rootfs, candidate))
        .find(|file| file.is_file())
        .ok_or_else(|| NoProgram::NotFound(program.to_owned()))?;
    match file.metadata() {
        Ok(metadata) if metadata.permissions().mode() & 0o111 != 0 => Ok(file),
        Ok(_) | Err(_) => Err(NoProgram::NotExecutable(program.to_owned())),
    }
}

/// Follows a path of the image on the host: `..` and absolute symbolic links start at the image's root, as after a chroot.
/// Nothing if links go in a circle.
pub(crate) fn inside(rootfs: &Path, path: &Path) -> Option<PathBuf> {
    // As many as Linux follows (path_resolution(7)).
    let mut links_left = 40;
    let mut rest: VecDeque<OsString> = VecDeque::new();
    push_front(&mut rest, path);
    let mut at = PathBuf::new();
    while let Some(part) = rest.pop_front() {
        if part == ".." {
            at.pop();
            continue;
        }
        let next = rootfs.join(&at).join(&part);
        if let Ok(link) = std::fs::read_link(&next) {
            links_left -= 1;
            if links_left == 0 {
                return None;
            }
            if link.is_absolute() {
                at = PathBuf::new();
            }
            push_front(&mut rest, &link);
        } else {
            at.push(part);
        }
    }
    Some(rootfs.join(at))
}

fn push_front(rest: &mut VecDeque<OsString>, path: &Path) {
    for component in path.components().rev() {
        match component {
            Component::Normal(name) => rest.push_front(name.to_owned()),
            Component::ParentDir => rest.push_front(OsString::from("..")),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn image() -> tempfile::TempDir {
        let image = tempfile::tempdir().unwrap();
        let root = image.path();
        fs::create_dir_all(root.join("app")).unwrap();
        fs::create_dir_all(root.join("usr/bin")).unwrap();
        for (file, mode) in [("app/serve", 0o755), ("usr/bin/tool", 0o755), ("app/data", 0o644)] {
            fs::write(root.join(file), "").unwrap();
            fs::set_permissions(root.join(file), fs::Permissions::from_mode(mode)).unwrap();
        }
        symlink("/app/serve", root.join("usr/bin/serve")).unwrap();
        symlink("../../../../../../etc", root.join("app/escape")).unwrap();
        symlink("loop", root.join("app/loop")).unwrap();
        image
    }

    #[test]
    fn programs_are_found_where_a_container_would_find_them() {
        let image = image();
        let root = image.path();
        let found = |working_dir: &str, program: &str| {
            executable(root, Path::new(working_dir), DEFAULT_PATH, program)
                .map(|file| file.strip_prefix(root).unwrap().to_string_lossy().into_owned())
        };
        assert_eq!(found("/", "/app/serve").unwrap(), "app/serve");
        assert_eq!(found("/app", "./serve").unwrap(), "app/serve");
        assert_eq!(found("/", "tool").unwrap(), "usr/bin/tool");
        assert_eq!(
            found("/", "serve").unwrap(),
            "app/serve",
            "an absolute link starts at the image's root"
        );
        assert_eq!(found("/", "/app/../../../usr/bin/tool").unwrap(), "usr/bin/tool");
        assert_eq!(
            found("/", "sh").unwrap_err(),
            NoProgram::NotFound(String::from("sh")),
            "never the host's own"
        );
        assert_eq!(
            found("/", "/app/data").unwrap_err(),
            NoProgram::NotExecutable(String::from("/app/data"))
        );
        assert_eq!(
            found("/", "/app/escape/hostname").unwrap_err(),
            NoProgram::NotFound(String::from("/app/escape/hostname"))
        );
        assert_eq!(
            found("/", "/app/loop").unwrap_err(),
            NoProgram::NotFound(String::from("/app/loop"))
        );
        assert_eq!(found("/", "").unwrap_err(), NoProgram::NoCommand);
    }
}
