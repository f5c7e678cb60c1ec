//! Runs the check command and the reload command. Does not depend on what the commands do.

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::fmt;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::Command;

/// How much of a command's output is read, in bytes.
const READ: u64 = 64 * 1024;

/// The maximum length of a reported failure, in characters: as much as the service keeps.
const REPORTED: usize = 300;

/// Runs `command` with `sh -c`; `file`, if any, is `$1`.
///
/// The output goes to a file, not a pipe: a server that a reload command starts keeps its inherited descriptors open
/// permanently. The command runs in a process group of its own, which is killed when `limit` has passed.
///
/// # Errors
/// Returns the same errors as [`run_and`]; the inner one as text.
pub async fn run(command: &str, file: Option<&Path>, limit: Duration) -> Result<Result<(), String>> {
    Ok(run_and(command, file, limit, Leaves::Running).await?.map_err(|failed| failed.to_string()))
}

/// Why a command did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsuccessful {
    /// The command ran longer than its limit, and was ended.
    TimedOut {
        /// The command.
        command: String,
        /// Its limit.
        limit: Duration,
    },
    /// The command failed without output.
    Silent {
        /// The command.
        command: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// The command failed with this output, on one line.
    Failed(String),
}

impl fmt::Display for Unsuccessful {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut { command, limit } => write!(f, "`{command}` took more than {} s and was ended", limit.as_secs()),
            Self::Silent { command, status } => write!(f, "`{command}` failed with {status}"),
            Self::Failed(output) => f.write_str(output),
        }
    }
}

/// What happens to the processes that a command has started and not waited for, once the command has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaves {
    /// They continue, as a reloaded server does.
    Running,
    /// They are killed with it.
    Nothing,
}

/// Like [`run`], with a choice of what happens to the processes that the command leaves behind.
///
/// # Errors
/// The outer error means that the command could not be started or its end could not be awaited. The inner error means that the
/// command failed or exceeded `limit`.
pub async fn run_and(command: &str, file: Option<&Path>, limit: Duration, leaves: Leaves) -> Result<Result<(), Unsuccessful>> {
    let mut output = tempfile::tempfile().context("there is no room for the output of a command")?;
    let mut child = Command::new("sh")
        .args(["-c", command, "bootledger"])
        .args(file)
        .env_remove("BOOTLEDGER_TOKEN")
        .env_remove("BOOTLEDGER_TOKEN_FILE")
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output.try_clone()?)
        .process_group(0)
        .spawn()
        .context("no shell can be started")?;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
    let ends = Ends(group.filter(|_| leaves == Leaves::Nothing));
    let Ok(status) = tokio::time::timeout(limit, child.wait()).await else {
        // A failure means that the group has just ended by itself.
        let _ = group.map(|group| killpg(group, Signal::SIGKILL));
        child.wait().await.with_context(|| format!("the end of `{command}` cannot be waited for"))?;
        return Ok(Err(Unsuccessful::TimedOut { command: command.to_owned(), limit }));
    };
    drop(ends);
    let status = status.with_context(|| format!("the end of `{command}` cannot be waited for"))?;
    if status.success() {
        return Ok(Ok(()));
    }
    let length = output.seek(SeekFrom::End(0))?;
    output.seek(SeekFrom::Start(length.saturating_sub(READ)))?;
    let mut said = vec![];
    output.take(READ).read_to_end(&mut said)?;
    let said = gist(&String::from_utf8_lossy(&said));
    let silent = || Unsuccessful::Silent { command: command.to_owned(), status };
    Ok(Err(if said.is_empty() { silent() } else { Unsuccessful::Failed(said) }))
}

/// Kills a process group when it is dropped, also if the caller has stopped waiting for the command.
struct Ends(Option<Pid>);

impl Drop for Ends {
    fn drop(&mut self) {
        // A failure means that the group has ended by itself.
        let _ = self.0.map(|group| killpg(group, Signal::SIGKILL));
    }
}

/// The check command, with the file as `$1`.
pub fn with_file(command: &str) -> String {
    if command.contains("{}") { command.replace("{}", "\"$1\"") } else { format!("{command} \"$1\"") }
}

/// Texts that occur in the lines that explain a failure.
const TELLING: [&str; 11] = [
    "error",
    "fail",
    "line ",
    "invalid",
    "unknown",
    "cannot",
    "can't",
    "denied",
    // The reason why dhcpd accepts a file in its check and still exits when it is started with it.
    "no subnet declaration",
    "not configured to listen",
    "in use",
];

/// The lines that explain a failure, joined into one. Checkers print greetings before these lines and advice after them.
fn gist(said: &str) -> String {
    const BOILERPLATE: [&str; 10] = [
        "Internet Systems Consortium DHCP Server",
        "Copyright ",
        "All rights reserved",
        "For info, please visit",
        "If you think you have received this message due to a bug",
        "than a configuration issue please read the section",
        "bugs on either our web page",
        "before submitting a bug.",
        "process and the information we find helpful",
        "exiting.",
    ];
    let lines =
        said.lines().map(str::trim).filter(|line| !line.is_empty() && !BOILERPLATE.iter().any(|phrase| line.starts_with(phrase)));
    let mut lines: Vec<&str> = lines.collect();
    // Kea's last line contains the whole message, without the times and thread numbers of the log lines before it.
    if let Some(last_word) =
        lines.iter().find(|line| ["Error encountered:", "Syntax check failed"].iter().any(|start| line.starts_with(start)))
    {
        lines = vec![last_word];
    }
    let telling = |line: &&&str| {
        let line = line.to_lowercase();
        TELLING.iter().any(|word| line.contains(word))
    };
    let mut chosen: Vec<&str> = lines.iter().filter(telling).copied().collect();
    if chosen.is_empty() {
        chosen = lines;
    }
    fitted(&chosen.join(" | "))
}

/// A text shortened to the length that is reported, without control characters.
pub fn fitted(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(REPORTED).collect()
}

/// Whether two failures differ only in numbers, such as times and process ids. Such failures count as the same.
pub fn say_the_same(one: &str, other: &str) -> bool {
    let words = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    words(one) == words(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_that_matter_survive_a_checkers_greeting() {
        let said = "Internet Systems Consortium DHCP Server 4.4.3-P1\nCopyright 2004-2022 Internet Systems Consortium.\n\
                    All rights reserved.\n\n/etc/dhcp/x line 3: semicolon expected.\noption\n ^\nConfiguration file errors encountered -- exiting\n\
                    If you think you have received this message due to a bug rather\nexiting.\n";
        assert_eq!(gist(said), "/etc/dhcp/x line 3: semicolon expected. | Configuration file errors encountered -- exiting");
        let said = "2026-11-22 19:20:27.930 ERROR [kea-dhcp4.dhcp4/26980.14] DHCP4_PARSER_FAIL failed to create\n\
                    Error encountered: definition for the option 'dhcp4.rooters' does not exist (x:26:31)\n";
        assert_eq!(gist(said), "Error encountered: definition for the option 'dhcp4.rooters' does not exist (x:26:31)");
        assert_eq!(gist("one\n\n t\u{7}wo \n"), "one | t wo");
        assert_eq!(gist(&"error ".repeat(200)).chars().count(), REPORTED);
    }

    #[test]
    fn the_file_is_an_argument_and_never_part_of_the_command() {
        assert_eq!(with_file("dhcpd -t -cf {}"), "dhcpd -t -cf \"$1\"");
        assert_eq!(with_file("/usr/local/bin/check"), "/usr/local/bin/check \"$1\"");
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_ended_with_its_children() {
        let limit = Duration::from_millis(200);
        let failed = run_and("sleep 1000 & sleep 1000", None, limit, Leaves::Running).await.expect("a run");
        assert!(matches!(failed.expect_err("it hung"), Unsuccessful::TimedOut { .. }));
    }

    #[tokio::test]
    async fn a_server_left_running_does_not_keep_the_command_open() {
        let folder = tempfile::tempdir().expect("a folder");
        let pid = folder.path().join("pid");
        run("sleep 1000 & echo $! >\"$1\"", Some(&pid), Duration::from_mins(1)).await.expect("a run").expect("success");
        let pid = std::fs::read_to_string(pid).expect("a process id").trim().parse().expect("a number");
        nix::sys::signal::kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it is still running");
    }
}
