//! Finds PostgreSQL's server programs where the distribution installs them, which is rarely in `PATH`.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::cluster::Cluster;
use super::error::{Error, Result};

/// Folders per version, such as `/usr/lib/postgresql/15/bin`: parent, prefix of the version, suffix.
const VERSIONED: [(&str, &str, &str); 4] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/opt/homebrew/opt", "postgresql@", "bin"),
    ("/usr/local/opt", "postgresql@", "bin"),
];

/// One installed server.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Binaries {
    /// The folder that contains `initdb` and `postgres`.
    pub(super) directory: PathBuf,
    /// The major version, such as `15`.
    pub(super) version: String,
}

impl Binaries {
    /// The server in `explicit`, or the preferred one of those installed.
    ///
    /// If a cluster exists, only a server of its major version can be used.
    pub(super) fn find(explicit: Option<&Path>, cluster: &Cluster) -> Result<Self> {
        let candidates = explicit.map_or_else(candidates, |directory| vec![directory.to_owned()]);
        let wanted = cluster.version()?;
        let mut other = None;
        for directory in &candidates {
            let Some(found) = Self::probe(directory) else {
                continue;
            };
            if wanted.as_ref().is_none_or(|wanted| *wanted == found.version) {
                return Ok(found);
            }
            other.get_or_insert(found);
        }
        match (other, wanted) {
            (Some(found), Some(wanted)) => Err(Error::OtherVersion {
                directory: cluster.directory(),
                cluster: wanted,
                binaries: found.version,
                programs: found.directory,
            }),
            _ => Err(Error::NoBinaries { looked_in: looked_in(&candidates) }),
        }
    }

    fn probe(directory: &Path) -> Option<Self> {
        if !directory.join("initdb").is_file() {
            return None;
        }
        let output = Command::new(directory.join("postgres")).arg("--version").stdin(Stdio::null()).output().ok()?;
        Some(Self { directory: directory.to_owned(), version: major_version(&String::from_utf8_lossy(&output.stdout))? })
    }
}

/// The major version in the output of `postgres --version`: `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` is `15`;
/// `17beta1` is `17`.
fn major_version(output: &str) -> Option<String> {
    let version = output.split_once("(PostgreSQL) ")?.1;
    let end = version.find(|c: char| !c.is_ascii_digit());
    let major = &version[..end.unwrap_or(version.len())];
    (!major.is_empty()).then(|| major.to_owned())
}

fn candidates() -> Vec<PathBuf> {
    let mut directories = Vec::new();
    directories.extend(pg_config());
    directories.extend(versioned());
    let path = std::env::var_os("PATH").unwrap_or_default();
    directories.extend(std::env::split_paths(&path).filter(|directory| directory.is_absolute()));
    directories
}

fn pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").stdin(Stdio::null()).output().ok()?;
    let directory = String::from_utf8(output.stdout).ok()?;
    let directory = directory.trim();
    (!directory.is_empty()).then(|| directory.into())
}

fn versioned() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for (parent, prefix, suffix) in VERSIONED {
        for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let version = name.to_str().and_then(|name| name.strip_prefix(prefix));
            if let Some(Ok(version)) = version.map(str::parse::<u32>) {
                found.push((version, entry.path().join(suffix)));
            }
        }
    }
    found.sort_by_key(|(version, _)| Reverse(*version));
    found.into_iter().map(|(_, directory)| directory).collect()
}

fn looked_in(candidates: &[PathBuf]) -> String {
    let names: Vec<_> = candidates.iter().map(|path| path.display().to_string()).collect();
    if names.is_empty() { "PATH".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_what_distributions_print() {
        let versions = [
            "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n",
            "postgres (PostgreSQL) 17beta1\n",
            "postgres (PostgreSQL) 16\n",
            "postgres: unknown\n",
        ]
        .map(major_version);
        let expected = [Some("15"), Some("17"), Some("16"), None];
        assert_eq!(versions.each_ref().map(Option::as_deref), expected);
    }
}
