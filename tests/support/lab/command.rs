//! Runs the small system programs that the lab is made of with root's rights, and reports their output when they fail.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use anyhow::{Context, Result, bail};

/// The words before a program that needs root's rights: none, or `sudo` without a password prompt.
pub(super) fn privilege() -> &'static [&'static str] {
    static IS_ROOT: LazyLock<bool> = LazyLock::new(|| fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0));
    if *IS_ROOT { &[] } else { &["sudo", "-n"] }
}

/// A command with root's rights. `words` are separated by single spaces and never quoted.
pub(super) fn privileged(words: &str) -> Command {
    let mut all = privilege().iter().copied().chain(words.split(' '));
    let mut command = Command::new(all.next().unwrap_or_default());
    command.args(all).stdin(Stdio::null());
    command
}

/// Runs a command with root's rights and returns what it printed.
pub(super) fn run(words: &str) -> Result<String> {
    let output = privileged(words).output().with_context(|| format!("cannot start `{words}`; has `scripts/setup test` run?"))?;
    if !output.status.success() {
        bail!("`{words}` failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Wraps `text` so that a POSIX shell reads it as one word.
pub(super) fn shell_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
