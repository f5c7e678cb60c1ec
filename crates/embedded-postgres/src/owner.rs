//! Determines the user that the server runs as. PostgreSQL refuses to run as root, so root gives the cluster to another user.

use std::fs::Metadata;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use nix::unistd::{Gid, Uid, User};
use tokio::process::Command;

use super::error::{Error, Result, io};

/// The user of the server's processes and files.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Owner {
    pub(super) name: String,
    pub(super) uid: Uid,
    pub(super) gid: Gid,
}

impl Owner {
    /// The user for the cluster in `directory`. If the folder belongs to a user other than root, that user remains its
    /// owner.
    ///
    /// An ordinary user runs the server as itself, and only with a cluster of its own.
    pub(super) fn of(directory: &Path) -> Result<Self> {
        let current = Uid::effective();
        let existing = std::fs::metadata(directory).ok().map(|metadata| Uid::from_raw(metadata.uid()));
        match existing {
            Some(uid) if !current.is_root() && uid != current => {
                Err(Error::ForeignCluster { directory: directory.to_owned(), owner: name(uid), user: name(current) })
            }
            Some(uid) if current.is_root() && !uid.is_root() => Ok(Self::from_uid(uid)),
            _ if current.is_root() => ["postgres", "nobody"]
                .iter()
                .find_map(|name| User::from_name(name).ok().flatten())
                .map(Self::from)
                .ok_or(Error::NoUser),
            _ => Ok(Self { name: name(current), uid: current, gid: Gid::effective() }),
        }
    }

    fn from_uid(uid: Uid) -> Self {
        User::from_uid(uid)
            .ok()
            .flatten()
            .map_or_else(|| Self { name: uid.to_string(), uid, gid: Gid::from_raw(uid.as_raw()) }, Self::from)
    }

    /// Whether a process of this user has to be started without root privileges, by a service that runs as root.
    pub(super) fn differs_from_us(&self) -> bool {
        self.uid != Uid::effective()
    }

    /// Makes the command run as this user, without our groups and environment, which may contain secrets.
    pub(super) fn adopt<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env_clear().env("LC_ALL", "C").current_dir("/");
        for kept in ["PATH", "LD_LIBRARY_PATH", "TZDIR"] {
            if let Some(value) = std::env::var_os(kept) {
                command.env(kept, value);
            }
        }
        if self.differs_from_us() {
            command.uid(self.uid.as_raw()).gid(self.gid.as_raw());
        }
        command
    }

    /// Changes the owner of a path to this user, and sets its permissions.
    pub(super) fn give(&self, path: &Path, mode: u32) -> Result<()> {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
            .and_then(|()| {
                if self.differs_from_us() {
                    std::os::unix::fs::chown(path, Some(self.uid.as_raw()), Some(self.gid.as_raw()))
                } else {
                    Ok(())
                }
            })
            .map_err(io(format!("give {} to the user {}", path.display(), self.name)))
    }

    /// Checks that this user can reach `directory` from the root of the file system.
    pub(super) fn can_reach(&self, directory: &Path) -> Result<()> {
        let mut ancestors: Vec<_> = directory.ancestors().collect();
        ancestors.reverse();
        for ancestor in ancestors {
            let metadata = std::fs::metadata(ancestor).map_err(io(format!("inspect {}", ancestor.display())))?;
            if !self.may_enter(&metadata) {
                return Err(Error::Unreachable { user: self.name.clone(), directory: ancestor.to_owned() });
            }
        }
        Ok(())
    }

    fn may_enter(&self, metadata: &Metadata) -> bool {
        let bit = if self.uid.as_raw() == metadata.uid() {
            0o100
        } else if self.gid.as_raw() == metadata.gid() {
            0o010
        } else {
            0o001
        };
        self.uid.is_root() || metadata.mode() & bit != 0
    }
}

impl From<User> for Owner {
    fn from(user: User) -> Self {
        Self { name: user.name, uid: user.uid, gid: user.gid }
    }
}

fn name(uid: Uid) -> String {
    let user = User::from_uid(uid).ok().flatten();
    user.map_or_else(|| format!("the user {uid}"), |user| user.name)
}
