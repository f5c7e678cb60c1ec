//! Which files of its image a template cannot do without: where it writes `kernel_url`, `initrd_url` or `kickstart_url`
//! without asking whether there is one, and where it writes a file's name after `files_url`.
//!
//! It reads tags, as `scan` finds them, and no more of the engine's language than that takes: conditions with `and`, `or` and
//! `not`, and names that stand for others (`set`, `with`, `for`). Where that is not enough to be sure that a file may be
//! missing, the file is needed: the operator can always write `{% if kernel_url %}` around what needs it.

use super::scan::{Tag, Tags, Token};
use bootledger_aggregates::boot_image::{FileKind, Needs};
use bootledger_aggregates::values::name::Name;
use std::collections::{BTreeMap, BTreeSet};

/// The variables that are empty where the image has no file of a kind.
const VARIABLES: [(&str, FileKind); 3] =
    [("kernel_url", FileKind::Kernel), ("initrd_url", FileKind::Initrd), ("kickstart_url", FileKind::Kickstart)];

/// What the tag before a file's name is.
const FILES: &str = "files_url";

/// What stands at these names below `files_url` is no file.
const NO_FILES: [&str; 3] = ["done", "progress", "log"];

type Kinds = BTreeSet<FileKind>;

/// What a template needs. Its bounds were checked.
pub(super) fn of(text: &str) -> Needs {
    let mut reader = Reader::default();
    for tag in Tags::new(text, super::bounds::MAX_TOKENS) {
        // The engine has refused what cannot be read.
        let Ok(tag) = tag else { break };
        if tag.block {
            reader.block(&tag);
        } else {
            let written = reader.written(&tag.tokens);
            reader.needs.kinds.extend(written);
            if matches!(tag.tokens[..], [Token::Name(FILES)]) {
                reader.file(text, &tag);
            }
        }
    }
    reader.needs
}

/// A block that is open.
struct Block {
    /// Whether it is an `if`.
    condition: bool,
    /// What is known to be there in the present branch.
    present: Kinds,
    /// What is known to be there in the branches that follow, since an earlier condition said that it is not.
    otherwise: Kinds,
}

#[derive(Default)]
struct Reader<'text> {
    needs: Needs,
    open: Vec<Block>,
    /// The names that stand for others, and what of.
    names: BTreeMap<&'text str, Kinds>,
}

impl<'text> Reader<'text> {
    fn block(&mut self, tag: &Tag<'text>) {
        let [Token::Name(word), rest @ ..] = &tag.tokens[..] else { return };
        match *word {
            "if" => {
                let (present, otherwise) = self.asked(rest);
                self.open.push(Block { condition: true, present, otherwise });
            }
            "elif" => {
                let (mut present, otherwise) = self.asked(rest);
                if let Some(block) = self.open.last_mut() {
                    present.extend(&block.otherwise);
                    block.otherwise.extend(otherwise);
                    block.present = present;
                }
            }
            "else" => {
                if let Some(block) = self.open.last_mut().filter(|block| block.condition) {
                    block.present = block.otherwise.clone();
                }
            }
            "for" | "with" | "filter" => {
                self.stands_for(rest);
                self.open.push(Block { condition: false, present: Kinds::new(), otherwise: Kinds::new() });
            }
            "set" => {
                // One without a value has it between its tags.
                if rest.contains(&Token::Sign("=")) {
                    self.stands_for(rest);
                } else {
                    self.open.push(Block { condition: false, present: Kinds::new(), otherwise: Kinds::new() });
                }
            }
            word if word.starts_with("end") => drop(self.open.pop()),
            _ => {}
        }
    }

    /// The names before `=` or `in` stand for what comes after it.
    fn stands_for(&mut self, tokens: &[Token<'text>]) {
        let split = tokens.iter().position(|token| matches!(token, Token::Sign("=") | Token::Name("in")));
        let Some(split) = split else { return };
        let kinds = self.unasked(&tokens[split + 1..]);
        for token in &tokens[..split] {
            if let Token::Name(name) = token {
                self.names.entry(name).or_default().extend(kinds.iter().copied());
            }
        }
        // Further names of the same tag are read as if they stood for all of it.
        for (token, next) in tokens[split..].iter().zip(&tokens[split + 1..]) {
            if let (Token::Name(name), Token::Sign("=")) = (token, next) {
                self.names.entry(name).or_default().extend(kinds.iter().copied());
            }
        }
    }

    /// What a name is about.
    fn kinds(&self, tokens: &[Token<'text>], at: usize) -> Kinds {
        // The name of an attribute, a filter or an argument is no variable.
        let after = at.checked_sub(1).map(|before| tokens[before]);
        let named = matches!(after, Some(Token::Sign("." | "|") | Token::Name("is")));
        match tokens[at] {
            Token::Name(name) if !named => {
                let own = VARIABLES.iter().filter(|(known, _)| *known == name).map(|(_, kind)| *kind);
                own.chain(self.names.get(name).into_iter().flatten().copied()).collect()
            }
            _ => Kinds::new(),
        }
    }

    /// What is written that may be empty.
    fn written(&self, tokens: &[Token<'text>]) -> Kinds {
        let mut written = self.unasked(tokens);
        for block in &self.open {
            written.retain(|kind| !block.present.contains(kind));
        }
        written
    }

    /// What an expression is about, without what it asks for itself.
    fn unasked(&self, tokens: &[Token<'text>]) -> Kinds {
        let condition = tokens.iter().position(|token| *token == Token::Name("if"));
        let asked = condition.map(|at| {
            let end = tokens[at..].iter().position(|token| *token == Token::Name("else")).map_or(tokens.len(), |end| at + end);
            self.asked(&tokens[at + 1..end])
        });
        let (present, otherwise) = asked.unwrap_or_default();
        let otherwise_from = tokens.iter().position(|token| *token == Token::Name("else")).unwrap_or(tokens.len());
        let mut kinds = Kinds::new();
        for at in 0..tokens.len() {
            let in_condition = condition.is_some_and(|condition| at > condition && at < otherwise_from);
            let known = if at < otherwise_from { &present } else { &otherwise };
            if in_condition || asked_after(tokens, at) {
                continue;
            }
            kinds.extend(self.kinds(tokens, at).into_iter().filter(|kind| !known.contains(kind)));
        }
        // `kernel_url and (… ~ kernel_url)`
        for at in 0..tokens.len() {
            if matches!(tokens.get(at + 1), Some(Token::Name("and"))) {
                let asked = self.kinds(tokens, at);
                kinds.retain(|kind| !asked.contains(kind));
            }
        }
        kinds
    }

    /// What a condition says is there where it is true, and what is there where it is false.
    fn asked(&self, tokens: &[Token<'text>]) -> (Kinds, Kinds) {
        let has = |word: &str| tokens.contains(&Token::Name(word));
        let (either, both) = (has("or"), has("and"));
        let (mut present, mut absent) = (Kinds::new(), Kinds::new());
        for at in 0..tokens.len() {
            let before = at.checked_sub(1).map(|before| tokens[before]);
            let compared = [at.checked_sub(1), Some(at + 1)].into_iter().flatten();
            let empty = compared.clone().any(|sign| matches!(tokens.get(sign), Some(Token::Sign("=="))))
                && tokens.iter().any(|token| matches!(token, Token::Text(0)));
            let negative = before == Some(Token::Name("not")) || empty;
            let kinds = self.kinds(tokens, at);
            if negative {
                absent.extend(kinds);
            } else {
                present.extend(kinds);
            }
        }
        // With `or`, only what makes all of it false is known, and with `and` only what makes all of it true.
        (if either { Kinds::new() } else { present }, if both { Kinds::new() } else { absent })
    }

    /// The file that is named behind the tag.
    fn file(&mut self, text: &str, tag: &Tag<'_>) {
        let Some(end) = text[tag.at..].find("}}") else { return };
        let Some(rest) = text[tag.at + end + 2..].strip_prefix('/') else { return };
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '_' | '-')).unwrap_or(rest.len());
        let (name, after) = rest.split_at(length);
        // A part of a path, or of a name that only the server's own shell or iPXE makes.
        if name.is_empty() || after.starts_with(['/', '$', '{', '%', '*', '?', '`', '\\', '[']) {
            return;
        }
        if let Some(kind) = name.strip_prefix('_').and_then(|kind| kind.parse().ok()) {
            self.needs.kinds.insert(kind);
        } else if let Ok(name) = name.trim_end_matches('.').parse::<Name>()
            && !NO_FILES.contains(&name.as_str())
        {
            self.needs.files.insert(name);
        }
    }
}

/// Whether an expression says what to take where the name is empty: `name or …`, `name|default(…, true)`.
fn asked_after(tokens: &[Token<'_>], at: usize) -> bool {
    match &tokens[at + 1..] {
        [Token::Name("or"), ..] => true,
        [Token::Sign("|"), Token::Name("default"), Token::Open(_), rest @ ..] => {
            let arguments = rest.iter().take_while(|token| **token != Token::Close);
            arguments.clone().any(|token| matches!(token, Token::Name("true" | "True")))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(text: &str) -> String {
        let needs = super::super::examine(text, FileKind::Other, &super::super::Declared::new())
            .unwrap_or_else(|error| panic!("{text}: {error}"))
            .needs;
        let kinds = needs.kinds.iter().map(|kind| kind.as_str().to_owned());
        kinds.chain(needs.files.iter().map(ToString::to_string)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_is_written_without_being_asked_for_is_needed() {
        for (text, needed) in [
            ("{{ kernel_url }} {{ hostname }}", "kernel"),
            ("{{ initrd_url|split('/')|last }}", "initrd"),
            ("{{ 'x' ~ kernel_url|upper }}", "kernel"),
            ("{% if hostname %}{{ kernel_url }}{% endif %}", "kernel"),
            ("{% if kernel_url %}{{ initrd_url }}{% endif %}", "initrd"),
            ("{% if kernel_url %}x{% else %}{{ kernel_url }}{% endif %}", "kernel"),
            ("{% if kernel_url or initrd_url %}{{ kernel_url }}{% endif %}", "kernel"),
            ("{% if not kernel_url %}{{ kernel_url }}{% endif %}", "kernel"),
            ("{% if not kernel_url and ip %}x{% else %}{{ kernel_url }}{% endif %}", "kernel"),
            ("{% if kernel_url %}x{% endif %}{{ kernel_url }}", "kernel"),
            ("{% set k = kernel_url %}{{ k }}", "kernel"),
            ("{% set k = kernel_url ~ ' ' ~ initrd_url %}{% set l = k %}{{ l|trim }}", "kernel initrd"),
            ("{% for url in [kernel_url, initrd_url] %}{{ url }}{% endfor %}", "kernel initrd"),
            ("{% with k = kernel_url %}{{ k }}{% endwith %}", "kernel"),
            ("{% set k %}{{ kickstart_url }}{% endset %}{{ k }}", "kickstart"),
            ("{{ kernel_url|default('x') }}", "kernel"),
            ("{{ 'a' if ip else kernel_url }}", "kernel"),
        ] {
            assert_eq!(needs(text), needed, "{text}");
        }
    }

    #[test]
    fn what_is_asked_for_is_not_needed() {
        for text in [
            "{% if kernel_url %}{{ kernel_url }}{% endif %}",
            "{% if kernel_url and initrd_url %}{{ kernel_url }}{{ initrd_url }}{% endif %}",
            "{% if kernel_url %}{% if ip %}{% for x in dns_servers %}{{ kernel_url }}{% endfor %}{% endif %}{% endif %}",
            "{% if not kernel_url %}x{% else %}{{ kernel_url }}{% endif %}",
            "{% if kernel_url == '' %}x{% else %}{{ kernel_url }}{% endif %}",
            "{% if kernel_url != '' %}{{ kernel_url }}{% endif %}",
            "{% if ip == 'x' %}x{% elif kernel_url %}{{ kernel_url }}{% endif %}",
            "{% if not kernel_url %}x{% elif ip %}{{ kernel_url }}{% endif %}",
            "{{ kernel_url if kernel_url else 'none' }}",
            "{{ 'none' if not kernel_url else kernel_url }}",
            "{{ kernel_url or 'none' }}",
            "{{ kernel_url|default('none', true) }}",
            "{{ kernel_url and ('kernel ' ~ kernel_url) }}",
            "{% set k = kernel_url %}{% if k %}{{ k }}{% endif %}",
            "{% set k = kernel_url %}{% if kernel_url %}{{ k }}{% endif %}",
            "{% set has = kernel_url != '' %}{% if has %}{{ kernel_url }}{% endif %}",
            "{% raw %}{{ kernel_url }}{% endraw %}",
            "kernel_url {{ 'kernel_url' }}",
        ] {
            assert_eq!(needs(text), "", "{text}");
        }
    }

    #[test]
    fn files_that_are_named_are_needed() {
        for (text, needed) in [
            ("wget {{ files_url }}/late.sh -O /x", "late.sh"),
            ("'{{ files_url }}/a.b_c-d' and {{ files_url }}/x.", "a.b_c-d x"),
            ("{{ files_url }}/_kernel {{ files_url }}/_initrd", "kernel initrd"),
            ("s={{ files_url }}/", ""),
            ("{{ files_url }}/{{ hostname }} {{ files_url }}/${arch}.img {{ files_url }}/a/b", ""),
            ("{{ files_url }}/DONE/ {{ files_url }}/done {{ files_url }}/progress {{ files_url }}/log", ""),
            ("{{ base_url }}/x", ""),
        ] {
            assert_eq!(needs(text), needed, "{text}");
        }
    }
}
