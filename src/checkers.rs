//! The checkers of other servers' files, such as `dhcpd -t`: a file is read by the server that will get it before a change is
//! saved, where that server's program is installed on this machine.
//!
//! They are other people's programs: one may be missing, hang, crash, or be kept from reading the file. None of that refuses
//! a change. A program counts only while it accepts a file that is known to be right, one runs at a time, at a low priority
//! and as a process group of its own, of which nothing is left when it ends. All of a change take no longer than [`LIMIT`]. What was
//! accepted once is remembered, so that a command that is tried again does not check again.

#[cfg(test)]
mod tests;

use crate::dhcp_agent::command;
use bootledger_aggregates::dhcp_server::DhcpKind;
use bootledger_aggregates::values::sha256::Sha256;
use sha2::Digest;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// How long all files of one change may take to be checked, in sum; what is not checked by then is accepted unchecked.
pub const LIMIT: Duration = Duration::from_secs(3);

/// How many accepted files are remembered.
const REMEMBERED: usize = 1024;

/// Where servers' programs are.
const FOLDERS: [&str; 6] = ["/usr/sbin", "/usr/local/sbin", "/sbin", "/usr/bin", "/usr/local/bin", "/bin"];

/// A program that checks files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Checker {
    /// `dhcpd`, of ISC.
    Isc,
    /// `kea-dhcp4`.
    Kea,
    /// `dnsmasq`.
    Dnsmasq,
    /// `named-checkzone`, of BIND; zones are named `example`.
    Zone,
}

/// What a checker says of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It takes the file.
    Accepted,
    /// It does not, in its own words.
    Rejected(String),
    /// Nobody checked it, and why.
    Unchecked(String),
}

impl Checker {
    /// The checker of a kind of DHCP server.
    pub fn of(kind: DhcpKind) -> Self {
        match kind {
            DhcpKind::Isc => Self::Isc,
            DhcpKind::Kea => Self::Kea,
            DhcpKind::Dnsmasq => Self::Dnsmasq,
        }
    }

    /// The program's name.
    fn program(self) -> &'static str {
        match self {
            Self::Isc => "dhcpd",
            Self::Kea => "kea-dhcp4",
            Self::Dnsmasq => "dnsmasq",
            Self::Zone => "named-checkzone",
        }
    }

    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Isc => "ISC dhcpd",
            Self::Kea => "Kea",
            Self::Dnsmasq => "dnsmasq",
            Self::Zone => "BIND",
        }
    }

    /// Its arguments, as a shell reads them; `$1` is the file, and `$ZONE` the zone.
    fn arguments(self) -> &'static str {
        match self {
            Self::Isc => "-4 -t -cf \"$1\"",
            Self::Kea => "-t \"$1\"",
            Self::Dnsmasq => "--test -C \"$1\"",
            Self::Zone => "-i local \"${ZONE}\" \"$1\"",
        }
    }

    /// A file that it takes.
    fn known_good(self) -> &'static str {
        match self {
            Self::Isc => "subnet 192.0.2.0 netmask 255.255.255.0 {}\n",
            Self::Kea => "{ \"Dhcp4\": { \"subnet4\": [] } }\n",
            Self::Dnsmasq => "port=0\n",
            Self::Zone => "$TTL 300\n@ IN SOA localhost. nobody.invalid. 1 3600 600 86400 300\n@ IN NS localhost.\n",
        }
    }
}

/// The checkers of this machine. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Checkers {
    folders: Option<Arc<[PathBuf]>>,
    turn: Arc<Semaphore>,
    accepted: Arc<Mutex<HashSet<(Checker, Sha256)>>>,
    /// What was said of those that cannot be used, so that it is logged once.
    warned: Arc<Mutex<HashMap<Checker, String>>>,
}

impl Default for Checkers {
    /// Those that are installed.
    fn default() -> Self {
        Self::in_folders(FOLDERS.map(PathBuf::from))
    }
}

impl Checkers {
    /// None: every file is accepted unchecked.
    pub fn off() -> Self {
        Self::of(None)
    }

    /// Those in these folders.
    pub fn in_folders(folders: impl IntoIterator<Item = PathBuf>) -> Self {
        Self::of(Some(folders.into_iter().collect()))
    }

    fn of(folders: Option<Arc<[PathBuf]>>) -> Self {
        Self { folders, turn: Arc::new(Semaphore::new(1)), accepted: Arc::default(), warned: Arc::default() }
    }

    /// The checker's program, where it is installed and checks are made.
    fn program(&self, checker: Checker) -> Option<PathBuf> {
        let folders = self.folders.as_ref()?;
        folders.iter().map(|folder| folder.join(checker.program())).find(|path| path.is_file())
    }

    /// Whether a file would be checked.
    pub fn has(&self, checker: Checker) -> bool {
        self.program(checker).is_some()
    }

    /// What the checkers say of a change: of each file as it was, where it was, and as it would be. A file that is rejected
    /// as it would be, and was not before, refuses the change: the words are those of its checker.
    pub async fn judge(&self, files: Vec<(Checker, Option<String>, String)>) -> Vec<(Checker, Verdict)> {
        let deadline = Instant::now() + LIMIT;
        let mut verdicts = vec![];
        for (checker, before, after) in files {
            let verdict = match self.check(checker, "example", &after, deadline).await {
                Verdict::Rejected(words) => match before {
                    Some(before) if before == after => Verdict::Unchecked("the change does not touch it".to_owned()),
                    // What was wrong already must not keep people from changing anything.
                    Some(before) => match self.check(checker, "example", &before, deadline).await {
                        Verdict::Rejected(_) => {
                            tracing::warn!("a file is rejected by {} as it was before the change: {words}", checker.name());
                            Verdict::Unchecked("it was rejected before the change as well".to_owned())
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

    /// What a checker says of a file; `zone` is the zone's name for [`Checker::Zone`].
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
                // It may say so of any file, as where it may not read any.
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

/// Runs a checker over a text.
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
    // A zone's name holds nothing but letters, digits and a few signs, none of which a shell takes for anything within quotes.
    let variables = ["KEA_PIDFILE_DIR", "KEA_LOCKFILE_DIR", "KEA_LOGGER_DESTINATION"];
    let folders = [folder.path().display().to_string(), folder.path().display().to_string(), "stdout".to_owned()];
    let variables: Vec<String> =
        variables.iter().zip(folders).map(|(name, value)| format!("{name}={}", quoted(&value))).collect();
    // What it writes is bounded, and so is what it may write to its files. One that a signal ended has not judged the file, whatever it
    // said before; neither have the shell's own 126 and 127, for a program that cannot be run.
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
        // Words in backquotes are those of the one who ran it: it hung, or ended without a word.
        Ok(Err(words)) if words.starts_with('`') => {
            let hung = words.contains("took more than");
            let why = if hung { format!("did not end within {} s", LIMIT.as_secs()) } else { "ended without a word".to_owned() };
            Verdict::Unchecked(format!("{} {why}", checker.program()))
        }
        Ok(Err(words)) => Verdict::Rejected(words.replace(&file.display().to_string(), "the file")),
        Err(error) => unchecked(error),
    }
}

/// The most that a checker may write into one file, in the blocks of 512 bytes of `ulimit`.
const BLOCKS: u32 = 16 * 1024 * 2;

/// A word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
