//! Tests that shell scripts, preseed files, kickstarts and cloud-init files pass through a template unchanged, or are refused
//! with the line and with a way to write what looks like a tag. No part of them is ever lost.

use crate::images::settings::Declared;
use crate::images::template::*;
use crate::images::variables::Variables;
use bootledger_aggregates::boot_image::FileKind;
use proptest::prelude::*;

/// Parts of real files, most of which contain signs of templates.
const PARTS: &[&str] = &[
    "n=${#disks[@]}",
    "${line%#}",
    "${line#*%}",
    "${x%%#}",
    "${x##%}",
    "${x%%*}}",
    "{#",
    "#}",
    "%}",
    "}}",
    "{ %",
    "{ {",
    "${#}",
    "${#a}",
    "${!a[@]}",
    "$(( ${#a[@]} % 2 ))",
    "printf '%s\\n'",
    "printf \"{%s}\"",
    "awk '{print $1}'",
    "awk '{{print}}'",
    "date +%Y{%m}",
    "docker ps --format '{{.Names}}'",
    "find . -exec rm {} \\;",
    "find {} +",
    "echo {a,b}{c,d}",
    "{%",
    "{{",
    "%{url}",
    "<%= x %>",
    "#{x}",
    "${{ github.ref }}",
    "d-i preseed/late_command string in-target sh -c 'x'",
    "%packages",
    "%end",
    "%post --log=/root/x",
    "#cloud-config",
    "## template: jinja",
    "runcmd: [{a: b}]",
    "{\"a\": {\"b\": 1}}",
    "{\"a\":{\"b\":{}}}",
    "\t",
    " ",
    "\n",
    "\n\n",
    "\r\n",
    "\\",
    "`x`",
    "$x",
    "'",
    "\"",
    "-%}",
    "{-",
    "{+",
    "\u{e4}",
    "# comment {# not one #}",
    "case x in a) ;; esac",
    "[[ $x =~ ^#{1,3} ]]",
];

/// Whether a text contains the beginning of a tag, or the mark of a comment, which cannot be written.
fn has_tags(text: &str) -> bool {
    ["{{", "{%", "\u{1}#"].iter().any(|begin| text.contains(begin))
}

fn served(text: &str) -> Result<String, TemplateError> {
    examine(text, FileKind::Kickstart, &Declared::new())?;
    let bytes = Template::parse(text)?.render(Variables::sample())?;
    Ok(String::from_utf8(bytes).expect("UTF-8"))
}

#[test]
fn every_part_passes_alone_or_is_refused_with_its_line_and_the_way_to_write_it() {
    for part in PARTS {
        let text = format!("first\n{part}\nlast\n");
        match served(&text) {
            Ok(served) => assert_eq!(served, text),
            Err(error) => {
                assert!(has_tags(part), "{part:?} is no tag: {error}");
                assert!(error.line >= 2, "{part:?}: {error}");
            }
        }
        let raw = format!("{{% raw %}}{text}{{% endraw %}}");
        assert_eq!(served(&raw).as_deref(), Ok(&*text), "{part:?} between raw and endraw");
    }
    for part in ["awk '{{print $1}}'", "printf \"{%s}\"", "docker ps --format '{{.Names}}'", "{%", "{{"] {
        let error = served(part).expect_err(part);
        assert!(error.message.ends_with("put the text between {% raw %} and {% endraw %}"), "{part}: {error}");
        assert_eq!(error.line, 1, "{part}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_text_without_tags_is_served_unchanged(
        parts in proptest::collection::vec(prop_oneof![4 => proptest::sample::select(PARTS).prop_map(str::to_owned), 1 => "\\PC{0,12}", 1 => "[{}%# \n$-]{0,9}"], 0..24)
    ) {
        let text = parts.concat();
        match served(&text) {
            Ok(served) if !has_tags(&text) => prop_assert_eq!(&served, &text),
            Ok(_) => {}
            Err(error) => {
                prop_assert!(has_tags(&text), "{:?}: {}", text, error);
                prop_assert!(!error.message.is_empty());
            }
        }
        // Any text can be written in a way that is served unchanged.
        if !text.contains("endraw") && !text.contains('\u{1}') {
            prop_assert_eq!(served(&format!("{{% raw %}}{text}{{% endraw %}}")), Ok(text));
        }
    }
}
