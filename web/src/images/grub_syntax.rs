//! Checks a configuration's syntax with GRUB's own checker, if it is installed (Debian's `grub-common`).
//!
//! Otherwise a mistake would stop a server at a prompt. The checker gets the template's output for sample servers, without any
//! secret, which such files cannot contain.

use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// The names of the checker in Debian and in Fedora.
const PROGRAMS: [&str; 2] = ["grub-script-check", "grub2-script-check"];

/// Time limit for the checker, which reads some kilobytes.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is wrong with a configuration, as a sentence; `None` if nothing is, or if no checker is installed.
pub(crate) async fn problem(text: &[u8]) -> Option<String> {
    for program in PROGRAMS {
        match tokio::time::timeout(PATIENCE, said(program, text)).await {
            Ok(Some(result)) => return result.err(),
            Ok(None) => {}
            Err(_) => tracing::warn!("{program} did not answer within {PATIENCE:?}; a GRUB configuration is saved unchecked"),
        }
    }
    None
}

/// Runs a checker and returns its verdict; `None` if it cannot be run.
async fn said(program: &str, text: &[u8]) -> Option<Result<(), String>> {
    let mut command = Command::new(program);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut checker = command.env("LC_ALL", "C").spawn().ok()?;
    let mut input = checker.stdin.take()?;
    // The checker may end before it has read everything.
    drop(input.write_all(text).await);
    drop(input);
    let output = checker.wait_with_output().await.ok()?;
    if output.status.success() {
        return Some(Ok(()));
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let line = words.lines().rev().find_map(|line| line.trim().strip_prefix("Syntax error at line ")?.parse::<usize>().ok())?;
    let shown = String::from_utf8_lossy(text);
    let shown: String = shown.lines().nth(line.saturating_sub(1)).unwrap_or_default().chars().take(200).collect();
    Some(Err(format!(
        "GRUB cannot read the configuration: {program} finds a syntax error at line {line} of what is rendered: {shown}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn grubs_own_checker_accepts_a_configuration_and_finds_the_line_of_an_error() {
        for good in ["linux /pxe/_kernel a=b\ninitrd /pxe/_initrd\nboot\n", ""] {
            assert_eq!(problem(good.as_bytes()).await, None, "{good}");
        }
        for (bad, line) in [("echo a\nif true; then\n echo b\n", 4), ("menuentry 'a' {\n", 2), ("echo 'a\n", 2)] {
            let found = problem(bad.as_bytes()).await.unwrap_or_else(|| panic!("{bad}: nothing; has `scripts/setup test` run?"));
            assert!(found.contains("GRUB cannot read the configuration") && found.contains("at line "), "{line}: {found}");
        }
    }
}
