//! Checks files with the programs of the servers that will read them, such as `dhcpd -t`, before a change is saved, if those
//! programs are installed on this machine.
//!
//! The programs are not ours: one may be missing, hang, crash, or be prevented from reading the file. None of that refuses a
//! change. A program is trusted only while it accepts a file that is known to be correct. One program runs at a time, at low
//! priority and in a process group of its own, which is killed completely when the program ends. All checks of a change
//! together take no longer than [`LIMIT`]. Accepted files are remembered, so that a retried command does not check them again.

#[cfg(test)]
mod tests;

use bootledger_aggregates::dhcp_server::DhcpKind;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_dhcp_agent::command::{self, Unsuccessful};
use sha2::Digest;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// The time limit for checking all files of one change together. Files not checked by then are accepted unchecked.
pub const LIMIT: Duration = Duration::from_secs(3);

/// How many accepted files are remembered.
const REMEMBERED: usize = 1024;

/// The folders in which the servers' programs are installed.
const FOLDERS: [&str; 6] = ["/usr/sbin", "/usr/local/sbin", "/sbin", "/usr/bin", "/usr/local/bin", "/bin"];

/// A program that checks files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Checker {
    /// `dhcpd`, from ISC.
    Isc,
    /// `kea-dhcp4`, from ISC Kea.
    Kea,
    /// The `dnsmasq` server.
    Dnsmasq,
    /// `named-checkzone`, from BIND; zones are named `example`.
    Zone,
}

/// The result of checking a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The checker accepts the file.
    Accepted,
    /// The checker rejects the file, with its error message.
    Rejected(String),
    /// The file was not checked, with the reason.
    Unchecked(String),
}

impl Checker {
    /// The checker for a kind of DHCP server.
    pub fn of(kind: DhcpKind) -> Self {
        match kind {
            DhcpKind::Isc => Self::Isc,
            DhcpKind::Kea => Self::Kea,
            DhcpKind::Dnsmasq => Self::Dnsmasq,
        }
    }

    /// The program's file name.
    fn program(self) -> &'static str {
        match self {
            Self::Isc => "dhcpd",
            Self::Kea => "kea-dhcp4",
            Self::Dnsmasq => "dnsmasq",
            Self::Zone => "named-checkzone",
        }
    }

    /// The name of the checker, for messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Isc => "ISC dhcpd",
            Self::Kea => "Kea",
            Self::Dnsmasq => "dnsmasq",
            Self::Zone => "BIND",
        }
    }

    /// The program's arguments in shell syntax; `$1` is the file, and `$ZONE` the zone.
    fn arguments(self) -> &'static str {
        match self {
            Self::Isc => "-4 -t -cf \"$1\"",
            Self::Kea => "-t \"$1\"",
            Self::Dnsmasq => "--test -C \"$1\"",
            Self::Zone => "-i local \"${ZONE}\" \"$1\"",
        }
    }

    /// A file that the checker accepts.
    fn known_good(self) -> &'static str {
        match self {
            Self::Isc => "subnet 192.0.2.0 netmask 255.255.255.0 {}\n",
            Self::Kea => "{ \"Dhcp4\": { \"subnet4\": [] } }\n",
            Self::Dnsmasq => "port=0\n",
            Self::Zone => "$TTL 300\n@ IN SOA localhost. nobody.invalid. 1 3600 600 86400 300\n@ IN NS localhost.\n",
        }
    }
}

/// The checkers on this machine. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Checkers {
    folders: Option<Arc<[PathBuf]>>,
    turn: Arc<Semaphore>,
    accepted: Arc<Mutex<HashSet<(Checker, Sha256)>>>,
    /// The reasons, already logged, why checkers cannot be used; each is logged once.
    warned: Arc<Mutex<HashMap<Checker, String>>>,
}

impl Default for Checkers {
    /// The checkers that are installed.
    fn default() -> Self {
        Self::in_folders(FOLDERS.map(PathBuf::from))
    }
}

impl Checkers {
    /// No checkers: every file is accepted unchecked.
    pub fn off() -> Self {
        Self::of(None)
    }

    /// The checkers in these folders.
    pub fn in_folders(folders: impl IntoIterator<Item = PathBuf>) -> Self {
        Self::of(Some(folders.into_iter().collect()))
    }

    fn of(folders: Option<Arc<[PathBuf]>>) -> Self {
        Self { folders, turn: Arc::new(Semaphore::new(1)), accepted: Arc::default(), warned: Arc::default() }
    }

    /// The checker's program, if it is installed and checks are enabled.
    fn program(&self, checker: Checker) -> Option<PathBuf> {
        let folders = self.folders.as_ref()?;
        folders.iter().map(|folder| folder.join(checker.program())).find(|path| path.is_file())
    }

    /// Whether a file for this checker would be checked.
    pub fn has(&self, checker: Checker) -> bool {
        self.program(checker).is_some()
    }

    /// Checks the files of a change: each as it was, if it existed, and as it will be. A file that is rejected now and was not
    /// rejected before refuses the change, with the checker's message.
    pub async fn judge(&self, files: Vec<(Checker, Option<String>, String)>) -> Vec<(Checker, Verdict)> {
        let deadline = Instant::now() + LIMIT;
        let mut verdicts = vec![];
        for (checker, before, after) in files {
            let verdict = match self.check(checker, "example", &after, deadline).await {
                Verdict::Rejected(words) => match before {
                    Some(before) if before == after => Verdict::Unchecked("the change does not touch it".to_owned()),
                    // A file that was already wrong must not block other changes.
                    Some(before) => match self.check(checker, "example", &before, deadline).await {
                        Verdict::Rejected(_) => {
                            tracing::warn!("a file is rejected by {} as it was before the change: {words}", checker.name());
                            Verdict::Unchecked("it was also rejected before the change".to_owned())
                        }
                        Verdict::Accepted | Verdict::Unchecked(_) => Verdict::Rejected(words),
                    },
                    None => Verdict::Rejected(words),
                },
                other => other,
            };
            verdicts.push((checker, verdict));
        }
        verdicts
    }

    /// Checks a file; `zone` is the zone's name for [`Checker::Zone`].
    pub async fn check(&self, checker: Checker, zone: &str, text: &str, deadline: Instant) -> Verdict {
        let Some(program) = self.program(checker) else {
            return Verdict::Unchecked(format!("{} is not installed here", checker.program()));
        };
        let key =
            (checker, Sha256::new(sha2::Sha256::new_with_prefix(zone).chain_update([0]).chain_update(text).finalize().into()));
        if self.accepted().contains(&key) {
            return Verdict::Accepted;
        }
        let verdict = match tokio::time::timeout_at(deadline, self.turn.acquire()).await {
            Err(_) => Verdict::Unchecked("other checks took too long".to_owned()),
            Ok(Err(closed)) => Verdict::Unchecked(closed.to_string()),
            Ok(Ok(_turn)) => match run(&program, checker, zone, text, deadline).await {
                // The checker may reject every file, for example because it may not read any.
                Verdict::Rejected(words) => match run(&program, checker, "example", checker.known_good(), deadline).await {
                    Verdict::Accepted => Verdict::Rejected(words),
                    Verdict::Rejected(why) | Verdict::Unchecked(why) => Verdict::Unchecked(why),
                },
                other => other,
            },
        };
        match &verdict {
            Verdict::Accepted => {
                let mut accepted = self.accepted();
                if accepted.len() >= REMEMBERED {
                    accepted.clear();
                }
                accepted.insert(key);
            }
            Verdict::Unchecked(why) => self.warn(checker, why),
            Verdict::Rejected(_) => {}
        }
        verdict
    }

    fn accepted(&self) -> std::sync::MutexGuard<'_, HashSet<(Checker, Sha256)>> {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn warn(&self, checker: Checker, why: &str) {
        let said = self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(checker, why.to_owned());
        if said.as_deref() != Some(why) {
            tracing::warn!("changes are saved without the check of {}, which cannot be used: {why}", checker.name());
        }
    }
}

/// Runs a checker on a text.
async fn run(program: &Path, checker: Checker, zone: &str, text: &str, deadline: Instant) -> Verdict {
    let unchecked = |error: anyhow::Error| Verdict::Unchecked(format!("{error:#}"));
    let text = text.to_owned();
    let written = tokio::task::spawn_blocking(move || -> anyhow::Result<(tempfile::TempDir, PathBuf)> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("checked");
        std::fs::write(&file, text)?;
        Ok((folder, file))
    });
    let (folder, file) = match written.await.map_err(anyhow::Error::from).flatten() {
        Ok(written) => written,
        Err(error) => return unchecked(error),
    };
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Verdict::Unchecked(format!("{} did not end within {} s", checker.program(), LIMIT.as_secs()));
    }
    // A zone's name contains only letters, digits and a few characters without a meaning in a quoted shell word.
    let variables = ["KEA_PIDFILE_DIR", "KEA_LOCKFILE_DIR", "KEA_LOGGER_DESTINATION"];
    let folders = [folder.path().display().to_string(), folder.path().display().to_string(), "stdout".to_owned()];
    let variables: Vec<String> =
        variables.iter().zip(folders).map(|(name, value)| format!("{name}={}", quoted(&value))).collect();
    // The output is limited, and so are the files that the program may write. A checker killed by a signal has not judged the
    // file, regardless of its output; neither have exit codes 126 and 127 of the shell, for a program that cannot be run.
    let command = format!(
        "ZONE={}; out=$1.output; ulimit -f {BLOCKS}; nice -n 10 env {} {} {} >\"$out\" 2>&1; status=$?; \
         [ $status -gt 125 ] || tail -c 65536 \"$out\"; exit $status",
        quoted(zone),
        variables.join(" "),
        quoted(&program.display().to_string()),
        checker.arguments()
    );
    match command::run_and(&command, Some(&file), left, command::Leaves::Nothing).await {
        Ok(Ok(())) => Verdict::Accepted,
        Ok(Err(Unsuccessful::TimedOut { .. })) => {
            Verdict::Unchecked(format!("{} did not end within {} s", checker.program(), LIMIT.as_secs()))
        }
        Ok(Err(Unsuccessful::Silent { .. })) => Verdict::Unchecked(format!("{} ended without output", checker.program())),
        Ok(Err(Unsuccessful::Failed(words))) => Verdict::Rejected(words.replace(&file.display().to_string(), "the file")),
        Err(error) => unchecked(error),
    }
}

/// The maximum size of a file that a checker may write, in the 512-byte blocks of `ulimit`.
const BLOCKS: u32 = 16 * 1024 * 2;

/// A text quoted as one shell word.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
