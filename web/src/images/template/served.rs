//! Parses the script that a server would get, as iPXE does: a script that cannot boot anything is refused when it is saved.
//!
//! iPXE recognises a script by its first line (`script_probe` in its `src/image/script.c`), splits lines into words at white
//! space and commands at `;`, `&&` and `||` (`src/core/exec.c`), interprets the first word after a `:` at a line's beginning as
//! a label, and requires an image's address after `kernel`, `initrd` and `imgfetch` (`src/hci/commands/image_cmd.c`). A
//! carriage return is white space to it, but not at the end of a line that continues after a backslash.

use super::error::TemplateError;
use std::collections::BTreeSet;

/// Commands that require an image's address.
const FETCHING: [&str; 5] = ["kernel", "initrd", "imgfetch", "module", "imgselect"];

/// Options of these commands that have a value.
const VALUED: [&str; 4] = ["--name", "-n", "--timeout", "-t"];

/// Checks a script. `whose` describes the server that it is for.
///
/// # Errors
/// Returns what iPXE would stop at.
pub(super) fn script(output: &[u8], whose: &str) -> Result<(), TemplateError> {
    let wrong = |message: String| Err(TemplateError { line: 0, message });
    let text = String::from_utf8_lossy(output);
    let first = text.lines().next().unwrap_or_default();
    let begins = ["#!ipxe", "#!gpxe"].iter().find_map(|magic| text.strip_prefix(magic));
    if !begins.is_some_and(|rest| rest.starts_with([' ', '\t', '\r', '\n'])) {
        if text.starts_with('\u{feff}') {
            return wrong(format!(
                "the script for {whose} begins with a byte order mark; iPXE accepts only a script whose first line is #!ipxe, so save it as UTF-8 without the mark"
            ));
        }
        let shown: String = first.chars().take(40).collect();
        return wrong(format!(
            "the script for {whose} begins with {shown:?}; iPXE accepts only a script whose first line is #!ipxe"
        ));
    }
    let labels: BTreeSet<&str> = text.lines().filter_map(|line| line.trim_start().strip_prefix(':')).map(first_word).collect();
    let mut before = String::new();
    let mut lines = (1..).zip(text.split('\n')).peekable();
    while let Some((number, line)) = lines.next() {
        if line.strip_suffix('\r').is_some_and(|line| line.ends_with('\\')) {
            return wrong(format!(
                "line {number} of the script for {whose} ends in \\ and a carriage return, so iPXE does not continue with the next line; save it with line feeds only"
            ));
        }
        if let Some(part) = line.strip_suffix('\\') {
            if lines.peek().is_none_or(|(_, next)| next.trim().is_empty()) {
                return wrong(format!("line {number} of the script for {whose} ends in \\, but no line follows"));
            }
            before.push_str(part);
            continue;
        }
        let joined = std::mem::take(&mut before) + line;
        if let Err(why) = command(&joined, &labels) {
            return wrong(format!("line {number} of the script for {whose} would be {:?}: {why}", joined.trim()));
        }
    }
    Ok(())
}

/// Checks one line.
fn command(line: &str, labels: &BTreeSet<&str>) -> Result<(), String> {
    // A command may follow a label, and a comment a command.
    let words = line.split_whitespace().take_while(|word| !word.starts_with('#'));
    let words: Vec<&str> = words.skip(usize::from(line.trim_start().starts_with(':'))).collect();
    for words in words.split(|word| matches!(*word, "||" | "&&" | ";")) {
        let [command, rest @ ..] = words else { continue };
        if FETCHING.contains(command) {
            fetching(command, rest)?;
        }
        if let ("goto", [label, ..]) = (*command, rest) {
            // A label may be the value of an iPXE setting.
            if !label.contains("${") && !labels.contains(label) {
                return Err(format!("there is no line \":{label}\" to go to"));
            }
        }
    }
    Ok(())
}

/// The first word. iPXE takes a colon without a word for a label without a name.
fn first_word(text: &str) -> &str {
    if text.starts_with(char::is_whitespace) { "" } else { text.split_whitespace().next().unwrap_or_default() }
}

fn fetching(command: &str, mut words: &[&str]) -> Result<(), String> {
    while let [option, rest @ ..] = words
        && option.starts_with('-')
    {
        words = if VALUED.contains(option) { rest.get(1..).unwrap_or_default() } else { rest };
    }
    let nothing = || format!("{command} needs the address of a file, but it is empty");
    let address = words.first().ok_or_else(nothing)?;
    let key = address.split(['/', '$', '?']).next().unwrap_or_default();
    match key.split_once('=') {
        Some(_) => Err(format!("{command} would read {address:?} as the address of a file")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::examine;
    use crate::images::settings::Declared;
    use bootledger_aggregates::boot_image::FileKind;
    use serde_json::json;

    fn judged(text: &str) -> Result<(), String> {
        let declared: Declared = serde_json::from_value(json!({
            "kernel": { "type": "text" },
            "disk": { "type": "text", "default": "sda" },
            "loader": { "type": "text", "required": true },
        }))
        .expect("declarations");
        examine(text, FileKind::BootIpxe, &declared).map(drop).map_err(|error| error.message)
    }

    #[test]
    fn scripts_that_boot_nothing_are_refused_when_they_are_saved() {
        for (text, words) in [
            ("kernel x\n", "begins with \"kernel x\""),
            ("\n#!ipxe\n", "first line is #!ipxe"),
            ("\u{feff}#!ipxe\n", "first line is #!ipxe"),
            (" #!ipxe\n", "first line is #!ipxe"),
            ("#!ipxeboot\n", "first line is #!ipxe"),
            // iPXE requires white space after it.
            ("#!ipxe", "first line is #!ipxe"),
            ("#!/bin/sh\n", "first line is #!ipxe"),
            ("{% if hostname == 'x' %}#!ipxe\n{% endif %}", "first line is #!ipxe"),
            (
                "#!ipxe\nkernel {{ settings.kernel }} initrd=initrd\n",
                "line 2 of the script for a server whose optional settings are empty",
            ),
            ("#!ipxe\nkernel {{ settings.kernel }}\n", "but it is empty"),
            ("#!ipxe\ninitrd --name x {{ settings.kernel }}\n", "but it is empty"),
            ("#!ipxe\nisset ${x} && kernel || boot\n", "but it is empty"),
            ("#!ipxe\nkernel a \\\n", "no line follows"),
            ("#!ipxe\nkernel a \\", "no line follows"),
            ("#!ipxe\r\nkernel a \\\r\n b\r\n", "carriage return"),
            ("#!ipxe\nboot || goto faild\n:failed\n", "there is no line \":faild\""),
            ("#!ipxe\nset a b ; kernel\n", "but it is empty"),
            ("#!ipxe\nkernel # {{ kernel_url }}\n", "but it is empty"),
            ("#!ipxe\n:again kernel\n", "but it is empty"),
            ("#!ipxe\n: again\ngoto again\n", "there is no line \":again\""),
        ] {
            let why = judged(text).expect_err(text);
            assert!(why.contains(words), "{text:?}: {why}");
        }
    }

    #[test]
    fn scripts_that_ipxe_takes_are_saved() {
        for text in [
            "#!ipxe\n",
            "#!ipxe \n# kernel\nboot",
            "#!gpxe\nboot\n",
            "#!ipxe\r\nkernel {{ kernel_url }} initrd=initrd\r\ninitrd --name initrd {{ initrd_url }}\r\nboot\r\n",
            "#!ipxe\nkernel --name linux {{ kernel_url }} \\\n  console=ttyS0\nboot || goto failed\n:failed\nshell\n",
            "#!ipxe\nkernel {{ settings.loader }} {{ settings.kernel }} root={{ settings.disk }}\n",
            "#!ipxe\nkernel {{ settings.disk }}\n",
            "#!ipxe\n{% if settings.kernel %}kernel {{ settings.kernel }}{% endif %}\nboot\n",
            "#!ipxe\nkernel ${base}/vmlinuz?a=b x=y\ngoto ${target}\n",
            "#!ipxe\nkernel http://x/?a=b\n",
            "#!ipxe\nkernel vmlinuz?a=b x=y initrd=initrd.gz url=/x inst.repo=http://x/\ninitrd --name initrd.gz initrd.gz?a=b\n",
            "#!ipxe\n:again dhcp || goto again\n  :next # here\nboot ; goto next # and goto nowhere\n",
            "#!ipxe\nchain {{ done_url }}\nsanboot --drive 0x80\n",
        ] {
            assert_eq!(judged(text), Ok(()), "{text:?}");
        }
    }
}
