//! Settings of boot images in forms and on pages: a row for each, with a field that fits its type.
//!
//! The form contains the types that the boot images declare, so that a row that is "as declared" can be parsed without a query.

use super::form::{Pairs, pair};
use crate::english::as_sentence;
use crate::images::device_settings::SettingSources;
use crate::pages::components::block;
use crate::pages::components::icon::icon;
use crate::pages::components::setting::{shown, written};
use crate::pages::form::Fields;
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::setting::{SettingName, SettingText, SettingType, SettingValue, Settings};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// The field that errors about settings refer to.
pub(crate) const FIELD: &str = "settings";

const NAME: &str = "settings.name";
const TYPE: &str = "settings.type";
const VALUE: &str = "settings.value";
const DECLARED: &str = "settings.declared";

/// How many empty rows the form has for further settings.
const EMPTY_ROWS: usize = 2;

/// The types that a row can have; a choice is a text.
const TYPES: [(&str, &str); 6] = [
    ("", "As declared"),
    ("text", "Text"),
    ("number", "Number"),
    ("boolean", "Yes or no"),
    ("list", "List"),
    ("secret", "Secret"),
];

/// Parses the text of a field.
pub(crate) fn value(kind: &str, text: &str) -> Result<SettingValue, String> {
    let one = |text: &str| text.parse::<SettingText>().map_err(|error| error.to_string());
    match kind {
        // A new row has room for several lines, so that a line break at the end is easily added by mistake.
        "text" | "choice" => one(text.trim_end_matches('\n')).map(SettingValue::Text),
        "number" => {
            let wrong = |_| format!("{text:?} is not a whole number");
            text.trim().parse().map(SettingValue::Number).map_err(wrong)
        }
        "boolean" => text.trim().parse().map(SettingValue::Boolean).map_err(|_| format!("{text:?} is neither true nor false")),
        "list" => {
            let lines = text.trim_end_matches('\n');
            let items = if lines.is_empty() { Ok(vec![]) } else { lines.split('\n').map(one).collect::<Result<Vec<_>, _>>() };
            items?
                .try_into()
                .map(SettingValue::List)
                .map_err(|error: bootledger_aggregates::values::ParseError| error.to_string())
        }
        "secret" => {
            let secret = text.trim().parse().map_err(|error: bootledger_aggregates::values::ParseError| error.to_string())?;
            Ok(SettingValue::Secret(bootledger_aggregates::values::setting::SecretReference { secret }))
        }
        other => Err(format!("{other:?} is not one of text, number, boolean, list, secret")),
    }
}

/// Settings as the values of the form's fields.
pub(crate) fn pairs(settings: &Settings) -> Pairs {
    settings
        .iter()
        .flat_map(|(name, value)| {
            let (kind, text) = written(value);
            [pair(NAME, name), pair(TYPE, kind), pair(VALUE, text)]
        })
        .collect()
}

struct Row {
    name: String,
    kind: String,
    value: String,
}

fn rows(fields: &Fields) -> Vec<Row> {
    let (names, kinds): (Vec<_>, Vec<_>) = (fields.all(NAME).collect(), fields.all(TYPE).collect());
    let rows = names.into_iter().zip(kinds).zip(fields.all_lines(VALUE));
    let row = |((name, kind), value): ((&str, &str), String)| Row { name: name.to_owned(), kind: kind.to_owned(), value };
    rows.map(row).filter(|row| !row.name.is_empty() || !row.value.trim().is_empty()).collect()
}

/// The settings that a form contains. Errors are stored with their rows.
pub(crate) fn read(fields: &mut Fields) -> Settings {
    let declared = fields.text(DECLARED).to_owned();
    let declared: BTreeMap<&str, &str> = declared.split(' ').filter_map(|pair| pair.split_once('=')).collect();
    let mut settings = Settings::new();
    for (number, row) in (1..).zip(rows(fields)) {
        let name = match row.name.parse::<SettingName>() {
            Ok(name) if settings.contains_key(&name) => {
                fields.refuse(FIELD, Rule::SettingRepeated, format!("row {number}: the setting {name} is listed twice"));
                continue;
            }
            Ok(name) => name,
            Err(error) => {
                fields.refuse(FIELD, Rule::SettingMalformed, format!("row {number}: {error}"));
                continue;
            }
        };
        let kind = if row.kind.is_empty() { declared.get(row.name.as_str()).copied().unwrap_or("text") } else { &row.kind };
        match value(kind, &row.value) {
            Ok(value) => drop(settings.insert(name, value)),
            Err(error) => fields.refuse(FIELD, Rule::SettingMalformed, format!("row {number}, {name}: {error}")),
        }
    }
    settings
}

/// The table of a form.
pub(crate) fn table(fields: &Fields, known: &SettingSources, hint: &str) -> Markup {
    let empty = (0..EMPTY_ROWS).map(|_| Row { name: String::new(), kind: String::new(), value: String::new() });
    let rows: Vec<Row> = rows(fields).into_iter().chain(empty).collect();
    let mine = |field: &str| field == FIELD || field.starts_with("settings.");
    let mine: Vec<_> = fields.broken().iter().filter(|error| mine(&error.field)).collect();
    let declared: Vec<String> =
        known.names().filter_map(|(name, ..)| known.kind(name).map(|kind| format!("{name}={}", kind.as_str()))).collect();
    html! {
        fieldset id="field-settings" tabindex="-1" class=[(!mine.is_empty()).then_some("broken")] aria-describedby="hint-settings" {
            legend { "Boot settings" span.quiet { " (optional)" } }
            span.hint.quiet id="hint-settings" { (hint) " To remove a setting, empty its name and value. To add more than two, save and edit again." }
            @for error in &mine { p.error { (icon("exclamation-triangle-fill")) " " (as_sentence(&error.message)) } }
            input type="hidden" name=(DECLARED) value=(declared.join(" "));
            datalist id="settings-names" { @for (name, kind, description) in known.names() { option value=(name) { (kind) @if !description.is_empty() { ": " (description) } } } }
            div.scroll {
                table.cards {
                    thead { tr { th scope="col" { "Setting" } th scope="col" { "Type" } th scope="col" { "Value" } } }
                    tbody { @for (number, row) in (1..).zip(&rows) { (line(number, row, known)) } }
                }
            }
        }
    }
}

fn line(number: usize, row: &Row, known: &SettingSources) -> Markup {
    let name = row.name.parse::<SettingName>().ok();
    let kind = name.as_ref().and_then(|name| known.kind(name));
    let declared = kind.map(SettingType::as_str);
    html! {
        tr {
            td data-label="Setting" { input type="text" name=(NAME) value=(row.name) list="settings-names" aria-label=(format!("Name of setting {number}")) placeholder="time_zone" autocomplete="off" spellcheck="false"; }
            td data-label="Type" {
                select name=(TYPE) aria-label=(format!("Type of setting {number}")) {
                    @for (value, words) in TYPES { option value=(value) selected[value == row.kind] { (words) } }
                }
                @if let Some(declared) = declared.filter(|declared| !row.kind.is_empty() && !same(declared, &row.kind)) {
                    p.error { (icon("exclamation-triangle-fill")) " declared as " (declared) }
                }
            }
            td data-label="Value" { (control(number, row, name.as_ref().map(|name| (name, kind)), known)) }
        }
    }
}

/// Whether a row's type is the declared one.
fn same(declared: &str, kind: &str) -> bool {
    declared == kind || (declared == "choice" && kind == "text")
}

/// The field for a value, by its type. Without a name the type is not known, and any text can be entered.
fn control(number: usize, row: &Row, setting: Option<(&SettingName, Option<SettingType>)>, known: &SettingSources) -> Markup {
    let label = format!("Value of setting {number}");
    let declared = setting.and_then(|(_, kind)| kind).filter(|kind| row.kind.is_empty() || same(kind.as_str(), &row.kind));
    let kind: &str = match declared {
        Some(kind) => kind.as_str(),
        None => &row.kind,
    };
    let one_of = |choices: &[String]| {
        html! {
            select name=(VALUE) aria-label=(label) {
                @if !choices.contains(&row.value) { option value=(row.value) selected { (row.value) } }
                @for choice in choices { option value=(choice) selected[*choice == row.value] { (choice) } }
            }
        }
    };
    match (kind, setting) {
        ("choice", Some((name, _))) => one_of(&known.choices(name)),
        ("boolean", _) => one_of(&["true".to_owned(), "false".to_owned()]),
        ("number", _) => {
            html! { input type="number" step="1" name=(VALUE) value=(row.value) aria-label=(label) autocomplete="off"; }
        }
        ("text", _) => {
            html! { input type="text" name=(VALUE) value=(row.value) aria-label=(label) autocomplete="off" spellcheck="false"; }
        }
        ("secret", _) => {
            html! { input type="text" name=(VALUE) value=(row.value) aria-label=(label) placeholder="boot-NAME" autocomplete="off" spellcheck="false"; }
        }
        _ => {
            let lines = row.value.split('\n').count().clamp(1, 12);
            html! {
                textarea.short name=(VALUE) rows=(lines) aria-label=(label) spellcheck="false" placeholder="A list: one entry per line" {
                    // A browser drops a line break that directly follows the tag.
                    "\n" (row.value)
                }
            }
        }
    }
}

/// The card with the settings of a site, venture or role. `problem` returns what is wrong with a secret.
pub(crate) fn card(settings: &Settings, inherits: &str) -> Markup {
    block::card(
        "settings",
        "Boot settings",
        &html! {
            @if settings.is_empty() { p.quiet { "None. " (inherits) } }
            @else {
                p.quiet { (inherits) }
                dl.facts { @for (name, value) in settings { dt { code { (name) } } dd { (shown(value)) } } }
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::selectors::{attributes, texts};
    use serde_json::json;

    fn known() -> SettingSources {
        SettingSources::of(json!({
            "disk": { "type": "text", "description": "Disk to install on" },
            "layout": { "type": "choice", "choices": ["plain", "lvm"] },
            "packages": { "type": "list" },
            "password": { "type": "secret" },
            "vlan": { "type": "number", "default": 0 },
        }))
    }

    fn sent(rows: &[(&str, &str, &str)]) -> Fields {
        let all = rows.iter().flat_map(|(name, kind, value)| [pair(NAME, name), pair(TYPE, kind), pair(VALUE, value)]);
        Fields::new(all.chain([pair(DECLARED, "disk=text layout=choice packages=list vlan=number")]).collect())
    }

    #[test]
    fn settings_of_every_type_come_back_as_they_were() {
        let settings: Settings = serde_json::from_value(json!({
            "disk": " /dev/<sda> \"x\" ", "packages": ["vim", "", "a, b"], "none": [], "password": { "secret": "boot-root" },
            "quiet": false, "vlan": -4, "layout": "lvm", "empty": "",
        }))
        .expect("settings");
        let mut fields = Fields::new(pairs(&settings));
        assert_eq!(read(&mut fields), settings);
        assert_eq!(fields.broken(), []);
        let html = table(&fields, &known(), "");
        assert_eq!(texts(&html, "tbody tr").len(), settings.len() + EMPTY_ROWS);
        assert_eq!(texts(&html, "script").len(), 0);
        assert_eq!(attributes(&html, "select[name='settings.value'] option[selected]", "value"), ["lvm", "false"]);
    }

    #[test]
    fn a_row_as_declared_has_the_type_that_the_boot_images_say() {
        let mut fields = sent(&[("vlan", "", "12"), ("packages", "", "a\r\nb\r\n"), ("other", "", "7"), ("disk", "", "")]);
        let expected = json!({ "vlan": 12, "packages": ["a", "b"], "other": "7", "disk": "" });
        assert_eq!(serde_json::to_value(read(&mut fields)).expect("JSON"), expected);
        assert_eq!(fields.broken(), []);
    }

    #[test]
    fn each_wrong_row_is_reported_with_its_number() {
        let mut fields = sent(&[
            ("VLAN", "number", "1"),
            ("vlan", "number", "twelve"),
            ("on", "boolean", "yes"),
            ("password", "secret", "a b"),
            ("", "text", "x"),
            ("disk", "text", "a"),
            ("disk", "text", "b"),
            ("x", "code", "x"),
        ]);
        assert_eq!(read(&mut fields).len(), 1);
        assert_eq!(fields.broken().len(), 7);
        let second = &fields.broken()[1];
        assert_eq!(second.rule, "setting_malformed");
        assert!(second.message.starts_with("row 2, vlan: \"twelve\""), "{second:?}");
        assert_eq!(texts(&table(&fields, &known(), ""), "fieldset > .error").len(), 7);
    }

    #[test]
    fn a_type_other_than_the_declared_one_is_an_error_beside_the_row() {
        let html = table(&sent(&[("vlan", "text", "12"), ("layout", "text", "lvm")]), &known(), "");
        let errors = texts(&html, "tbody .error");
        assert!(errors.len() == 1 && errors[0].ends_with("number"), "{errors:?}");
    }
}
