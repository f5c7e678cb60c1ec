//! Property tests: any text is either parsed or refused, and exported text is parsed to the same value.

use super::super::read::{FileContent, What};
use super::parsing::read;
use proptest::prelude::*;
use serde_json::{Value, json};

/// The value as the export writes it. Other YAML parsers read the same.
fn written(value: &Value) -> String {
    let yaml = super::super::write::document(value.as_object().expect("a mapping"));
    assert_eq!(serde_norway::from_str::<Value>(&yaml).expect(&yaml), *value, "{yaml}");
    yaml
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_with_a_place_and_never_worse(text in "(racks|sites|devices|a|-|:|\\{|\\}|\\[|\\]|\"|'|&a|\\*a|!!str|<<|\\||>|#|~|\t|\n|\n  | |\u{feff}|\u{0}|0|ä){0,40}") {
        if let Err(problems) = read(&text) {
            prop_assert!(!problems.is_empty());
            for problem in problems {
                prop_assert!(problem.place.line >= 1 && problem.place.column >= 1);
                prop_assert!(problem.place.line <= text.split(['\n', '\r']).count() + 1);
            }
        }
    }

    #[test]
    fn a_text_that_the_export_writes_is_read_as_the_same_text(text in "([a-z0-9:#~!&*%@`'\",{}\\[\\]|>?=.-]| |yes|no|null|0x1|1e5|ä|😀){1,30}") {
        let text = text.trim().to_owned();
        prop_assume!(!text.is_empty());
        let yaml = written(&json!({ "devices": [{ "site": "dc1", "serial": text, "settings": { "x": text, "y": [text] } }] }));
        let entries = read(&yaml).unwrap_or_else(|problems| panic!("{yaml}: {problems:?}"));
        let What::Device(device) = &entries.entries[0].what else { panic!("no device") };
        prop_assert_eq!(&device.given["serial"], &json!(text));
        prop_assert_eq!(&device.given["settings"]["x"], &json!(text));
        prop_assert_eq!(&device.given["settings"]["y"][0], &json!(text));
    }

    #[test]
    fn the_content_of_a_boot_file_is_preserved_byte_by_byte(text in "([a-z:#~!{}%|>'\"\\\\ä😀\u{a0}\u{7f}\u{200b}\r\u{e0001}]|\n|\n\n| |  |\t|---|\\.\\.\\.){0,40}") {
        let yaml = written(&json!({ "boot_images": { "i": { "files": { "f": { "kind": "other", "text": text } } } } }));
        let entries = read(&yaml).unwrap_or_else(|problems| panic!("{yaml}: {problems:?}"));
        let What::Image(image) = &entries.entries[0].what else { panic!("no image") };
        let FileContent::Text(read) = &image.files.values().next().expect("a file").content else { panic!("no text") };
        prop_assert_eq!(read, &text);
    }
}
