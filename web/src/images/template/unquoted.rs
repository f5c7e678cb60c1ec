//! Finds the settings that a boot script writes without protection, so that some values would change the script: iPXE has no
//! quoting at all, and GRUB's language ends a command at `;` and begins a comment at `#`. Such a template can be saved, because
//! most values are harmless; a deployment with harmful values is refused when it is started.
//!
//! The template is rendered with each sign in each setting. A sign that appears unchanged in the output, where the language
//! gives it a meaning, is recorded with the setting.

use super::engine::Template;
use crate::images::settings::{Declared, SettingValues};
use crate::images::variables::Variables;
use bootledger_aggregates::boot_image::FileKind;
use bootledger_aggregates::values::setting::{SettingName, SettingSpec, SettingType};
use std::collections::{BTreeMap, BTreeSet};

/// The signs of iPXE. It splits a line at white space (`split_command` in its `src/core/exec.c`), ends a command at a word that
/// is `;`, `&&` or `||`, and the line at a word that begins with `#` (`command_terminator`); so `a;b` and `a#b` are plain text
/// to it. It replaces `${name}` within words (`expand_tokens`), and has no quotes. A backslash counts only at the end of a line
/// (`process_script` in `src/image/script.c`).
///
/// A sign with a space at both ends is a word of its own; one that begins or ends with a line feed is the beginning or the end
/// of the value.
const IPXE: [&str; 7] = [" ; ", " && ", " || ", " #", "\n#", "${", "\\\n"];

/// The signs of GRUB, outside of quotes, from `grub-core/script/yylex.l`: what a `CHAR` of a `WORD` cannot be, `COMMENT`, which
/// a `#` begins where a word could begin, and the reserved words `[[` and `]]`, which its grammar accepts nowhere. The other
/// reserved words, such as `done`, are plain text in an argument (`parser.y`).
const GRUB: [&str; 15] = [";", "&", "|", "<", ">", "{", "}", "$", "\\", "'", "\"", " #", "\n#", " [[ ", " ]] "];

/// A marker for what comes from a setting.
const MARK: &str = "zqz";

/// The maximum number of renderings of a template, because its author waits while it is saved.
const RENDERINGS: usize = 1200;

/// The signs of each setting that the template writes unchanged.
pub(super) fn of(template: &Template, kind: FileKind, known: &Declared) -> BTreeMap<SettingName, BTreeSet<String>> {
    let signs: &[&str] = match kind {
        FileKind::BootIpxe => &IPXE,
        FileKind::Grub => &GRUB,
        _ => return BTreeMap::new(),
    };
    let mut found: BTreeMap<SettingName, BTreeSet<String>> = BTreeMap::new();
    let is_free = |spec: &SettingSpec| matches!(spec.kind, SettingType::Text | SettingType::List);
    let free: Vec<&SettingName> = known.iter().filter(|(_, spec)| is_free(spec)).map(|(name, _)| name).collect();
    let choices = known.values().filter(|spec| spec.kind == SettingType::Choice).map(|spec| spec.choices.len()).max();
    let tried = (0..choices.unwrap_or(1).max(1)).flat_map(|choice| free.iter().map(move |name| (choice, *name)));
    for (choice, name, sign) in
        tried.flat_map(|(choice, name)| signs.iter().map(move |sign| (choice, name, *sign))).take(RENDERINGS)
    {
        let value = format!("{MARK}{sign}{MARK}");
        let value = value.split('\n').max_by_key(|part| part.len()).unwrap_or_default();
        let settings = SettingValues::sample(known, choice).with_text(name, value);
        // A template may refuse a value, for example with a filter for MAC addresses.
        let Ok(output) = template.render(Variables::sample().with_settings(settings)) else { continue };
        if passes(&String::from_utf8_lossy(&output), value, sign, kind) {
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
        let (part, after) = (&output[read..at], &output[at + value.len()..]);
        line = part.rfind('\n').map_or(line, |end| read + end + 1);
        read = at;
        let open = quotes.behind(part);
        let begins = output[..at]
            .chars()
            .next_back()
            .is_none_or(|c| c.is_whitespace() || (kind == FileKind::Grub && ENDS_WORD.contains(c)));
        let ends = after.trim_start_matches('\r').chars().next().is_none_or(|c| c == '\n');
        if (sign.starts_with('\n') && !begins) || (sign.ends_with('\n') && !ends) {
            return false;
        }
        match (kind, open) {
            (FileKind::Grub, Some('\'')) => sign == "'",
            (FileKind::Grub, Some('#')) => false,
            (FileKind::Grub, Some(_)) => matches!(sign, "\"" | "$" | "\\"),
            (FileKind::Grub, None) => true,
            _ => !output[line..at].split_whitespace().any(|word| word.starts_with('#')),
        }
    })
}

/// The characters that end an unquoted word of GRUB, in addition to white space.
const ENDS_WORD: &str = "{}|&;<>";

/// The state of a reader of a text in GRUB's language.
struct Quotes {
    /// The open quotation mark; `#` in a comment.
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
    /// The open quotation mark after a further part of the text.
    fn behind(&mut self, part: &str) -> Option<char> {
        for c in part.chars() {
            match (self.open, c) {
                _ if self.escaped => self.escaped = false,
                (Some('#'), '\n') => self.open = None,
                (Some('#'), _) => {}
                (None | Some('"'), '\\') => self.escaped = true,
                (None, '\'' | '"') => self.open = Some(c),
                (None, '#') if self.before.is_whitespace() || ENDS_WORD.contains(self.before) => self.open = Some('#'),
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
        let declared: Declared = serde_json::from_value(json!({
            "v": { "type": "text" },
            "l": { "type": "list", "default": [] },
            "c": { "type": "choice", "choices": ["plain", "raid"], "default": "plain" },
        }))
        .expect("settings");
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
        let within = all.replace("\n#", "");
        for (line, signs) in [
            ("linux /k {{ settings.v }}", all.as_str()),
            ("linux /k a={{ settings.v }} b", &within),
            ("linux /k {% if settings.c == 'raid' %}{{ settings.v }}{% endif %} b", &all),
            ("true;{{ settings.v }}", &all),
            ("linux /k {{ settings.l }}", &all),
            ("linux /k '{{ settings.v }}'", "'"),
            ("linux /k \"{{ settings.v }}\"", "\"$\\"),
            ("linux /k {{ settings.v|shell }}", ""),
            ("linux /k {{ settings.l|shell }}", ""),
            ("linux /k '{{ settings.v|replace(\"'\", '') }}'", ""),
            ("# {{ settings.v }}", ""),
            ("boot;# {{ settings.v }}", ""),
            ("linux /k a#{{ settings.v }}", &within),
            ("linux /k {{ ip }}", ""),
            ("{% if settings.v %}linux /k{% endif %}", ""),
        ] {
            assert_eq!(let_through(FileKind::Grub, line), signs, "{line}");
        }
    }

    #[test]
    fn signs_that_an_ipxe_script_lets_through_are_found() {
        for (line, signs) in [
            ("kernel {{ kernel_url }} {{ settings.v }}", "\n# # &&  ;  || ${\\\n"),
            ("kernel {{ kernel_url }} {{ settings.v }} b", "\n# # &&  ;  || ${"),
            ("kernel {{ kernel_url }} a={{ settings.v }}", " # &&  ;  || ${\\\n"),
            ("kernel {{ kernel_url }} {{ settings.v|replace('$', '')|replace('&', '')|replace('|', '') }}", "\n# # ; \\\n"),
            ("kernel {{ kernel_url }} '{{ settings.v }}'", " # &&  ;  || ${"),
            ("{% if settings.c == 'raid' %}kernel {{ kernel_url }} {{ settings.v }}x{% endif %}", "\n# # &&  ;  || ${"),
            ("# {{ settings.v }}", ""),
            ("boot # {{ settings.v }}", ""),
        ] {
            assert_eq!(let_through(FileKind::BootIpxe, line), signs, "{line}");
        }
    }
}
