//! The settings that a boot image declares, in its form and on its page: a row for each.

use crate::english::as_sentence;
use crate::pages::catalogue::form::{Pairs, pair};
use crate::pages::catalogue::settings::{FIELD, value};
use crate::pages::components::block;
use crate::pages::components::icon::icon;
use crate::pages::components::setting::{shown, written};
use crate::pages::form::Fields;
use bootledger_aggregates::boot_image::BootImage;
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::setting::{SettingName, SettingSpec, SettingText, SettingType, SettingValue};
use maud::{Markup, html};
use std::collections::BTreeMap;

const NAME: &str = "declared.name";
const TYPE: &str = "declared.type";
const REQUIRED: &str = "declared.required";
const DEFAULT: &str = "declared.default";
/// Whether an empty default is a default. To a template an empty text and no default are the same, but not to a comparison
/// of two images.
const EMPTY: &str = "declared.empty";
const CHOICES: &str = "declared.choices";
const DESCRIPTION: &str = "declared.description";

/// How many empty rows the form has for further settings.
const EMPTY_ROWS: usize = 2;

const TYPES: [(SettingType, &str); 6] = [
    (SettingType::Text, "Text"),
    (SettingType::Number, "Number"),
    (SettingType::Boolean, "Yes or no"),
    (SettingType::List, "List"),
    (SettingType::Choice, "Choice"),
    (SettingType::Secret, "Secret"),
];

/// Declarations as the values of the form's fields.
pub(super) fn pairs(declared: &BTreeMap<SettingName, SettingSpec>) -> Pairs {
    let row = |(name, spec): (&SettingName, &SettingSpec)| {
        let default = spec.default.as_ref().map(|value| written(value).1).unwrap_or_default();
        let empty = spec.default.as_ref().is_some_and(SettingValue::is_empty);
        let choices = spec.choices.iter().map(SettingText::as_str).collect::<Vec<_>>().join("\n");
        [
            pair(NAME, name),
            pair(TYPE, spec.kind.as_str()),
            pair(REQUIRED, spec.required),
            pair(DEFAULT, default),
            pair(EMPTY, empty),
            pair(CHOICES, choices),
            pair(DESCRIPTION, &spec.description),
        ]
    };
    declared.iter().flat_map(row).collect()
}

#[derive(Default)]
struct Row {
    name: String,
    kind: String,
    required: String,
    default: String,
    empty: String,
    choices: String,
    description: String,
}

fn rows(fields: &Fields) -> Vec<Row> {
    let column = |name| fields.all_lines(name).collect::<Vec<_>>();
    let (kinds, required, defaults) = (column(TYPE), column(REQUIRED), column(DEFAULT));
    let (empty, choices, descriptions) = (column(EMPTY), column(CHOICES), column(DESCRIPTION));
    let at = |column: &[String], place: usize| column.get(place).cloned().unwrap_or_default();
    let row = |(place, name): (usize, &str)| Row {
        name: name.to_owned(),
        kind: at(&kinds, place),
        required: at(&required, place),
        default: at(&defaults, place),
        empty: at(&empty, place),
        choices: at(&choices, place),
        description: at(&descriptions, place),
    };
    fields.all(NAME).enumerate().map(row).filter(|row| !row.name.is_empty()).collect()
}

fn one(row: &Row) -> Result<(SettingName, SettingSpec), String> {
    let said = |error: bootledger_aggregates::values::ParseError| error.to_string();
    let name: SettingName = row.name.parse().map_err(said)?;
    let kind = TYPES.iter().find(|(kind, _)| kind.as_str() == row.kind).map(|(kind, _)| *kind);
    let kind = kind.ok_or_else(|| format!("{:?} is not a setting type", row.kind))?;
    let lines = row.choices.lines().map(str::trim).filter(|line| !line.is_empty());
    let choices = lines.map(|line| line.parse().map_err(said)).collect::<Result<_, _>>()?;
    let keeps_empty = row.empty == "true" && matches!(kind, SettingType::Text | SettingType::List | SettingType::Choice);
    let default = if row.default.is_empty() && !keeps_empty { None } else { Some(value(kind.as_str(), &row.default)?) };
    let description = row.description.trim().parse().map_err(said)?;
    Ok((name, SettingSpec { kind, description, required: row.required == "true", default, choices }))
}

/// The declarations that a form contains. Errors are stored with their rows.
pub(super) fn read(fields: &mut Fields) -> BTreeMap<SettingName, SettingSpec> {
    let mut declared = BTreeMap::new();
    for (number, row) in (1..).zip(rows(fields)) {
        match one(&row) {
            Ok((name, _)) if declared.contains_key(&name) => {
                fields.refuse(FIELD, Rule::SettingRepeated, format!("row {number}: the setting {name} is listed twice"));
            }
            Ok((name, spec)) => drop(declared.insert(name, spec)),
            Err(error) => fields.refuse(FIELD, Rule::SettingMalformed, format!("row {number}, {}: {error}", row.name)),
        }
    }
    declared
}

/// The table of the form.
pub(super) fn table(fields: &Fields) -> Markup {
    let rows: Vec<Row> = rows(fields).into_iter().chain((0..EMPTY_ROWS).map(|_| Row::default())).collect();
    let mine = |field: &str| field == FIELD || field.starts_with("settings.");
    let mine: Vec<_> = fields.broken().iter().filter(|error| mine(&error.field)).collect();
    html! {
        fieldset id="field-settings" tabindex="-1" class=[(!mine.is_empty()).then_some("broken")] aria-describedby="hint-settings" {
            legend { "Settings" span.quiet { " (optional)" } }
            span.hint.quiet id="hint-settings" {
                "Templates use a setting as {{ settings.NAME }}. Devices, roles, ventures and sites set its value; otherwise the default applies. Write lists and choices with one entry per line. The default of a secret is the secret's name. To remove a setting, empty its name. To add more than two, save and edit again."
            }
            @for error in &mine { p.error { (icon("exclamation-triangle-fill")) " " (as_sentence(&error.message)) } }
            div.scroll {
                table.cards {
                    thead { tr { th scope="col" { "Setting" } th scope="col" { "Type" } th scope="col" { "Required" } th scope="col" { "Default" } th scope="col" { "Choices" } th scope="col" { "Description" } } }
                    tbody { @for (number, row) in (1..).zip(&rows) { (line(number, row)) } }
                }
            }
        }
    }
}

fn line(number: usize, row: &Row) -> Markup {
    let text = |name: &str, label: &str, value: &str| {
        html! { input type="text" name=(name) value=(value) aria-label=(format!("{label} of setting {number}")) autocomplete="off" spellcheck="false"; }
    };
    let lines = |name: &str, label: &str, value: &str| {
        let rows = value.split('\n').count().clamp(1, 12);
        // A browser drops a line break that directly follows the tag.
        html! { textarea.short name=(name) rows=(rows) aria-label=(format!("{label} of setting {number}")) spellcheck="false" { "\n" (value) } }
    };
    html! {
        tr {
            td data-label="Setting" { (text(NAME, "Name", &row.name)) input type="hidden" name=(EMPTY) value=(row.empty); }
            td data-label="Type" {
                select name=(TYPE) aria-label=(format!("Type of setting {number}")) {
                    @for (kind, words) in TYPES { option value=(kind.as_str()) selected[kind.as_str() == row.kind] { (words) } }
                }
            }
            td data-label="Required" {
                select name=(REQUIRED) aria-label=(format!("Whether setting {number} is required")) {
                    option value="false" { "No" }
                    option value="true" selected[row.required == "true"] { "Yes" }
                }
            }
            td data-label="Default" { (lines(DEFAULT, "Default", &row.default)) }
            td data-label="Choices" { (lines(CHOICES, "Choices", &row.choices)) }
            td data-label="Description" { (text(DESCRIPTION, "Description", &row.description)) }
        }
    }
}

/// The card with the settings that an image declares.
pub(super) fn card(image: &BootImage) -> Markup {
    let used = image.used_settings();
    block::card(
        "settings",
        "Settings",
        &html! {
            @if image.declared().is_empty() { p.quiet { "None. The templates use only the built-in variables." } }
            @else {
                div.scroll {
                    table.cards {
                        thead { tr { th scope="col" { "Setting" } th scope="col" { "Type" } th scope="col" { "Default" } th scope="col" { "Used" } } }
                        tbody {
                            @for (name, spec) in image.declared() {
                                tr {
                                    th scope="row" {
                                        code { (name) } @if spec.required { " " span.quiet { "(required)" } }
                                        @if !spec.description.as_str().is_empty() { div.quiet { small { (spec.description) } } }
                                    }
                                    td data-label="Type" {
                                        (spec.kind.as_str()) @if !spec.choices.is_empty() { div.quiet { small { (spec.choices.iter().map(SettingText::as_str).collect::<Vec<_>>().join(", ")) } } }
                                    }
                                    td data-label="Default" { @match &spec.default { Some(value) => (shown(value)), None => span.quiet { "none" } } }
                                    td data-label="Used" { @if used.contains(name) { "yes" } @else { "not used by any template" } }
                                }
                            }
                        }
                    }
                }
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::selectors::texts;
    use serde_json::json;

    #[test]
    fn declarations_of_every_type_come_back_from_the_form() {
        let declared: BTreeMap<SettingName, SettingSpec> = serde_json::from_value(json!({
            "disk": { "type": "text", "description": "Disk \"<x>\"", "default": "auto" },
            "proxy": { "type": "text", "default": "" },
            "user": { "type": "text" },
            "vlan": { "type": "number", "default": -1 },
            "quiet": { "type": "boolean", "required": true },
            "packages": { "type": "list", "default": ["a b", "c"] },
            "keys": { "type": "list", "default": [] },
            "layout": { "type": "choice", "choices": ["plain", "raid 1"], "default": "plain" },
            "hash": { "type": "secret", "required": true, "default": { "secret": "boot-root" } },
        }))
        .expect("declarations");
        let mut fields = Fields::new(pairs(&declared));
        assert_eq!(read(&mut fields), declared);
        assert_eq!(fields.broken(), []);
        let html = table(&fields);
        assert_eq!(texts(&html, "tbody tr").len(), declared.len() + EMPTY_ROWS);
        assert_eq!(texts(&html, "x").len(), 0);
    }

    #[test]
    fn each_wrong_row_is_reported_with_its_number() {
        let row = |name: &str, kind: &str, default: &str| {
            [(NAME, name), (TYPE, kind), (REQUIRED, "false"), (DEFAULT, default), (EMPTY, ""), (CHOICES, ""), (DESCRIPTION, "")]
                .map(|(name, value)| pair(name, value))
        };
        let rows = [
            row("Disk", "text", ""),
            row("vlan", "number", "x"),
            row("a", "text", ""),
            row("a", "text", ""),
            row("b", "map", ""),
        ];
        let mut fields = Fields::new(rows.concat());
        assert_eq!(read(&mut fields).len(), 1);
        let reported: Vec<&str> = fields.broken().iter().map(|error| error.message.as_str()).collect();
        assert_eq!(reported.len(), 4);
        for (message, place) in reported.iter().zip(["row 1, Disk:", "row 2, vlan:", "row 4:"]) {
            assert!(message.starts_with(place), "{place}: {reported:?}");
        }
        assert_eq!(fields.broken()[2].rule, "setting_repeated");
    }
}
