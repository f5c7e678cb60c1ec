//! Which settings a boot script writes so that some values would change the script: iPXE has no quoting at all, and GRUB's language
//! ends a command at `;` and begins a comment at `#`. Such a template is saved, since most values are harmless; a deployment
//! whose values are not is refused when it is started.
//!
//! The template is rendered with each sign in each setting. A sign that comes out as it went in, where the language gives it a
//! meaning, is recorded with the setting.

use super::super::settings::{Declared, SettingValues};
use super::{Template, Variables};
use bootledger_aggregates::boot_image::FileKind;
use bootledger_aggregates::values::setting::{SettingName, SettingType};
use std::collections::{BTreeMap, BTreeSet};

/// iPXE ends a command at these words (`command_terminator` in its `src/core/exec.c`), replaces `${name}`, and goes on with the next
/// line after a backslash.
const IPXE: [&str; 6] = [" ; ", " && ", " || ", " #", "${", "\\ "];

/// GRUB's, from the lexical rules of its `grub-core/script/yylex.l`, outside of quotes.
const GRUB: [&str; 12] = [";", "&", "|", "<", ">", "{", "}", "$", "\\", "'", "\"", " #"];

/// Marks what comes from a setting.
const MARK: &str = "zqz";

/// The most renderings of a template: it is saved while somebody waits.
const RENDERINGS: usize = 600;

/// The signs of each setting that the template lets through.
pub(super) fn of(template: &Template, kind: FileKind, known: &Declared) -> BTreeMap<SettingName, BTreeSet<String>> {
    let signs: &[&str] = match kind {
        FileKind::BootIpxe => &IPXE,
        FileKind::Grub => &GRUB,
        _ => return BTreeMap::new(),
    };
    let mut found: BTreeMap<SettingName, BTreeSet<String>> = BTreeMap::new();
    let free = known.iter().filter(|(_, spec)| matches!(spec.kind, SettingType::Text | SettingType::List));
    for (name, sign) in free.flat_map(|(name, _)| signs.iter().map(move |sign| (name, *sign))).take(RENDERINGS) {
        let value = format!("{MARK}{sign}{MARK}");
        let settings = SettingValues::sample(known, 0).with_text(name, &value);
        // A template may refuse a value, as with a filter for MAC addresses.
        let Ok(output) = template.render(Variables::sample().with_settings(settings)) else { continue };
        if passes(&String::from_utf8_lossy(&output), &value, sign, kind) {
            found.entry(name.clone()).or_default().insert(sign.to_owned());
        }
    }
    found
}

/// Whether a value is in the output where its sign has a meaning.
fn passes(output: &str, value: &str, sign: &str, kind: FileKind) -> bool {
    // Each part of the output is read once, however often the value is in it.
    let (mut quotes, mut read, mut line) = (Quotes::default(), 0, 0);
    output.match_indices(value).any(|(at, _)| {
        let part = &output[read..at];
        line = part.rfind('\n').map_or(line, |end| read + end + 1);
        read = at;
        if kind != FileKind::Grub {
            return !output[line..at].trim_start().starts_with('#');
        }
        match quotes.behind(part) {
            Some('\'') => sign == "'",
            Some('#') => false,
            Some(_) => matches!(sign, "\"" | "$" | "\\"),
            None => true,
        }
    })
}

/// Where in GRUB's language the reader of a text is.
struct Quotes {
    /// The quotation mark that is open; `#` in a comment.
    open: Option<char>,
    escaped: bool,
    before: char,
}

impl Default for Quotes {
    fn default() -> Self {
        Self { open: None, escaped: false, before: '\n' }
    }
}

impl Quotes {
    /// What is open behind a further part of the text.
    fn behind(&mut self, part: &str) -> Option<char> {
        for c in part.chars() {
            match (self.open, c) {
                _ if self.escaped => self.escaped = false,
                (Some('#'), '\n') => self.open = None,
                (Some('#'), _) => {}
                (None | Some('"'), '\\') => self.escaped = true,
                (None, '\'' | '"') => self.open = Some(c),
                (None, '#') if self.before.is_whitespace() || self.before == ';' => self.open = Some('#'),
                (Some(mark), c) if mark == c => self.open = None,
                _ => {}
            }
            self.before = c;
        }
        self.open
    }
}

#[cfg(test)]
mod tests {
    use super::super::examine;
    use super::*;
    use serde_json::json;

    fn let_through(kind: FileKind, line: &str) -> String {
        let declared: Declared =
            serde_json::from_value(json!({ "v": { "type": "text" }, "l": { "type": "list", "default": [] } })).expect("settings");
        let begin = if kind == FileKind::BootIpxe { "#!ipxe\n" } else { "" };
        let uses = examine(&format!("{begin}{line}\n"), kind, &declared).unwrap_or_else(|error| panic!("{line}: {error}"));
        uses.needs.unquoted.into_values().flatten().collect()
    }

    #[test]
    fn signs_that_a_grub_configuration_lets_through_are_found() {
        let all = {
            let mut all = GRUB.to_vec();
            all.sort_unstable();
            all.join("")
        };
        for (line, signs) in [
            ("linux /k {{ settings.v }}", all.as_str()),
            ("linux /k a={{ settings.v }} b", &all),
            ("linux /k {{ settings.l }}", &all),
            ("linux /k '{{ settings.v }}'", "'"),
            ("linux /k \"{{ settings.v }}\"", "\"$\\"),
            ("linux /k {{ settings.v|shell }}", ""),
            ("linux /k {{ settings.l|shell }}", ""),
            ("linux /k '{{ settings.v|replace(\"'\", '') }}'", ""),
            ("# {{ settings.v }}", ""),
            ("linux /k {{ ip }}", ""),
            ("{% if settings.v %}linux /k{% endif %}", ""),
        ] {
            assert_eq!(let_through(FileKind::Grub, line), signs, "{line}");
        }
    }

    #[test]
    fn signs_that_an_ipxe_script_lets_through_are_found() {
        for (line, signs) in [
            ("kernel {{ kernel_url }} {{ settings.v }}", " # &&  ;  || ${\\ "),
            ("kernel {{ kernel_url }} {{ settings.v|replace('$', '')|replace('&', '')|replace('|', '') }}", " # ; \\ "),
            ("kernel {{ kernel_url }} '{{ settings.v }}'", " # &&  ;  || ${\\ "),
            ("# {{ settings.v }}", ""),
        ] {
            assert_eq!(let_through(FileKind::BootIpxe, line), signs, "{line}");
        }
    }
}
