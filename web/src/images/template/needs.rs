//! Finds what a template requires: the variables that are empty for some servers (`kernel_url`, `gateway`, …) and that it
//! writes without a condition for the empty case, and the files of its image whose addresses it writes.
//!
//! It walks the engine's own syntax tree once for each variable, with the variable empty and everything else unknown. It skips
//! a branch whose condition is then known to be false; if a condition is unknown, it walks both branches. If the output depends
//! on the empty variable, the variable is required. A line that begins with `#` is a comment to iPXE, GRUB, shells, preseed,
//! kickstart and YAML, so nothing in it is required.

mod expressions;
#[cfg(test)]
mod tests;
mod value;
mod walk;

use super::sandbox::{NAME, syntax};
use bootledger_aggregates::boot_image::{FileKind, Needs, NetworkValue};
use bootledger_aggregates::values::name::Name;
use minijinja::machinery::ast::Stmt;
use minijinja::machinery::parse;
use minijinja::value::Value;
use value::Abstract;
use walk::{END, UNKNOWN, Walk, is_comment};

/// The variables that are empty if the image has no file of a kind.
const OF_IMAGE: [(&str, FileKind); 3] =
    [("kernel_url", FileKind::Kernel), ("initrd_url", FileKind::Initrd), ("kickstart_url", FileKind::Kickstart)];

/// The variables that are empty if the network has no such value.
const OF_NETWORK: [NetworkValue; 2] = [NetworkValue::Gateway, NetworkValue::DnsServers];

/// Names below `files_url` that are not files.
const NO_FILES: [&str; 5] = ["done", "DONE", "progress", "log", "t"];

/// Markers for the service's address and for a token in the output.
const BASE: &str = "\u{2}";
const TOKEN: &str = "\u{3}";

/// What a template requires. The engine has already accepted the template.
pub(super) fn of(text: &str, kind: FileKind) -> Needs {
    let mut needs = Needs::default();
    let Some(Ok(Stmt::Template(template))) = syntax().map(|syntax| parse(text, NAME, syntax)) else { return needs };
    let is_needed = |variable: &str, empty: Value| {
        text.contains(variable) && Walk::new([(variable, Abstract::empty(empty))].into()).body(&template.children).depends
    };
    needs.kinds = OF_IMAGE.iter().filter(|(name, _)| is_needed(name, Value::from(""))).map(|(_, kind)| *kind).collect();
    for value in OF_NETWORK {
        let empty = if value == NetworkValue::DnsServers { Value::from(Vec::<Value>::new()) } else { Value::from("") };
        if is_needed(value.as_str(), empty) {
            needs.network.insert(value);
        }
    }
    let files = format!("{BASE}/pxe/t/{TOKEN}");
    let known = [("base_url", BASE.to_owned()), ("token", TOKEN.to_owned()), ("files_url", files)];
    let mut walk = Walk::new(known.into_iter().map(|(name, text)| (name, Abstract::known(Value::from(text)))).collect());
    walk.body(&template.children);
    named(&walk.log, kind, &mut needs);
    needs
}

/// Finds the files that the output names.
fn named(log: &str, kind: FileKind, needs: &mut Needs) {
    for line in
        log.lines().filter(|line| !is_comment(line.trim_start_matches(|c: char| c.is_whitespace() || c == UNKNOWN || c == END)))
    {
        let own = format!("{BASE}/pxe/");
        let mut paths: Vec<&str> = line.split(&own).skip(1).collect();
        if kind == FileKind::Grub {
            // A GRUB of the signed chain loads `/pxe/NAME` from the server that it was loaded from.
            paths.extend(line.split_whitespace().filter_map(|word| word.strip_prefix("/pxe/")));
        }
        for path in paths {
            let with_token = path.strip_prefix("t/").and_then(|path| path.strip_prefix(TOKEN)?.strip_prefix('/'));
            file(with_token.unwrap_or(path), needs);
        }
    }
}

fn file(path: &str, needs: &mut Needs) {
    let length = path.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '_' | '-')).unwrap_or(path.len());
    let (name, after) = path.split_at(length);
    // A part of a path, or of a name that the template, the server's shell or iPXE builds.
    if name.is_empty() || after.starts_with(['/', '$', '{', '%', '*', '?', '`', '\\', '[', UNKNOWN]) {
        return;
    }
    if let Some(kind) = name.strip_prefix('_').and_then(|kind| kind.parse().ok()) {
        needs.kinds.insert(kind);
    } else if let Ok(name) = name.trim_end_matches('.').parse::<Name>()
        && !NO_FILES.contains(&name.as_str())
    {
        needs.files.insert(name);
    }
}
