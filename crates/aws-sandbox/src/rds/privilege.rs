//! As whom PostgreSQL runs: as the sandbox's own user, or, since it refuses root, as an unprivileged one.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::Path;

use super::error::RdsError;

/// Who runs PostgreSQL, and what it takes to become him.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Identity {
    /// The sandbox is not root.
    Own,
    Other {
        uid: u32,
        gid: u32,
        passage: Passage,
    },
}

/// How the user reaches the data below folders of root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passage {
    Open,
    /// A folder above is closed to others (as /root or a fresh temporary folder); this capability alone is kept to pass it.
    Capability(&'static str),
}

impl Identity {
    pub(super) fn choose(as_user: Option<(u32, u32)>, folder: &Path) -> Result<Self, RdsError> {
        // The owner of /proc/self is the effective user (proc(5)).
        if fs::metadata("/proc/self").is_ok_and(|own| own.uid() != 0) {
            return Ok(Self::Own);
        }
        let (name, uid, gid) = match as_user.filter(|(uid, _)| *uid != 0) {
            Some((uid, gid)) => (uid.to_string(), uid, gid),
            None => ["postgres", "nobody"]
                .into_iter()
                .find_map(system_user)
                .ok_or(RdsError::NoUser)?,
        };
        if may_pass(folder, uid, gid) {
            return Ok(Self::Other {
                uid,
                gid,
                passage: Passage::Open,
            });
        }
        let capability = passing_capability().ok_or_else(|| RdsError::Closed {
            user: name,
            path: folder.to_owned(),
        })?;
        Ok(Self::Other {
            uid,
            gid,
            passage: Passage::Capability(capability),
        })
    }

    /// Arguments in front of a program, so that it runs as this user and dies with the sandbox.
    pub(super) fn prefix(&self) -> Vec<String> {
        let Self::Other { uid, gid, passage } = self else {
            return Vec::new();
        };
        let (uid, gid) = (uid.to_string(), gid.to_string());
        let mut words = vec![
            "setpriv",
            "--pdeathsig",
            "KILL",
            "--no-new-privs",
            "--reuid",
            &uid,
            "--regid",
            &gid,
            "--clear-groups",
        ];
        let capabilities = match passage {
            Passage::Open => "-all".to_owned(),
            Passage::Capability(name) => format!("-all,+{name}"),
        };
        words.extend(["--inh-caps", &capabilities, "--ambient-caps", &capabilities, "--"]);
        words.into_iter().map(str::to_owned).collect()
    }

    /// Gives a file or folder to this user.
    pub(super) fn give(&self, path: &Path) -> std::io::Result<()> {
        match self {
            Self::Own => Ok(()),
            Self::Other { uid, gid, .. } => chown(path, Some(*uid), Some(*gid)),
        }
    }
}

/// Name, user and group from /etc/passwd.
fn system_user(name: &str) -> Option<(String, u32, u32)> {
    let passwd = fs::read_to_string("/etc/passwd").ok()?;
    let mut fields = passwd
        .lines()
        .map(|line| line.split(':'))
        .find(|fields| fields.clone().next() == Some(name))?;
    Some((
        fields.next()?.to_owned(),
        fields.nth(1)?.parse().ok()?,
        fields.next()?.parse().ok()?,
    ))
}

/// Whether every folder down to this one lets the user through.
fn may_pass(folder: &Path, uid: u32, gid: u32) -> bool {
    folder.ancestors().all(|ancestor| {
        fs::metadata(ancestor).is_ok_and(|metadata| {
            let bit = match (metadata.uid() == uid, metadata.gid() == gid) {
                (true, _) => 0o100,
                (false, true) => 0o010,
                (false, false) => 0o001,
            };
            metadata.mode() & bit != 0
        })
    })
}

/// The smallest capability of this process that lets a user pass any folder (capabilities(7)).
fn passing_capability() -> Option<&'static str> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    let effective = u64::from_str_radix(effective.trim(), 16).ok()?;
    [("dac_read_search", 2), ("dac_override", 1)]
        .into_iter()
        .find(|(_, bit)| effective >> bit & 1 == 1)
        .map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_closed_folder_on_the_way_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let stranger = 4_000_000;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert!(!may_pass(&inner, stranger, stranger));
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
        assert_eq!(
            may_pass(&inner, stranger, stranger),
            may_pass(&std::env::temp_dir(), stranger, stranger)
        );
    }
}
