//! Checks a template before it is saved, and finds what it uses of its image.

use super::engine::{Template, line_of};
use super::error::{RenderError, TemplateError};
use super::{deep, needs, served, unquoted};
use crate::images::settings::{Declared, SettingValues};
use crate::images::variables::{self, Variables};
use bootledger_aggregates::boot_image::{FileKind, Needs};
use bootledger_aggregates::values::setting::{SettingName, SettingType};
use std::collections::BTreeSet;

/// What a template uses of its image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    /// The settings that the template uses.
    pub settings: BTreeSet<SettingName>,
    /// The files and values that the template requires.
    pub needs: Needs,
}

/// [`examine`] for callers that must not block.
///
/// # Errors
/// Returns the first error, with its line.
pub(crate) async fn check_saved(text: String, kind: FileKind, declared: Declared) -> Result<Uses, RenderError> {
    Ok(deep::run(move || check(&text, kind, &declared)).await??)
}

/// Checks a template before it is saved: it is parsed, all its names are looked up, and it is rendered with the values of a
/// sample server in a complete network and of one in a minimal network, with every setting filled in and empty, and with each
/// choice. If it is the script that servers get, the output is parsed as iPXE does (`served`). Returns what the template uses.
///
/// # Errors
/// Returns the first error, with its line.
pub fn examine(text: &str, kind: FileKind, declared: &Declared) -> Result<Uses, TemplateError> {
    deep::block_on(|| check(text, kind, declared))?
}

/// [`examine`] for a template of which only the settings matter.
///
/// # Errors
/// Returns the first error, with its line.
pub fn check_template(text: &str, declared: &Declared) -> Result<BTreeSet<SettingName>, TemplateError> {
    examine(text, FileKind::Other, declared).map(|uses| uses.settings)
}

pub(super) fn check(text: &str, kind: FileKind, declared: &Declared) -> Result<Uses, TemplateError> {
    no_control_characters(text, kind)?;
    let template = Template::parse(text)?;
    if let Some(name) = template.unknown_names()?.first() {
        return Err(TemplateError {
            line: line_of(text, name),
            message: format!("there is no variable {name}; the variables are {}", variables::NAMES.join(", ")),
        });
    }
    let used = template.settings(declared)?;
    let known: Declared = declared.iter().filter(|(name, _)| used.contains(*name)).map(|(n, s)| (n.clone(), s.clone())).collect();
    let served = |output: Vec<u8>, whose: &str| match kind {
        FileKind::BootIpxe => served::script(&output, whose),
        _ => Ok(()),
    };
    let choices = known.values().filter(|spec| spec.kind == SettingType::Choice).map(|spec| spec.choices.len()).max();
    for choice in 0..choices.unwrap_or(1) {
        let output = template.render(Variables::sample().with_settings(SettingValues::sample(&known, choice)))?;
        served(output, "a server whose settings are all set")?;
    }
    template.render(Variables::sample().with_settings(SettingValues::empty_sample(&known)))?;
    template.render(Variables::bare_sample().with_settings(SettingValues::sample(&known, 0)))?;
    template.render(Variables::bare_sample().with_settings(SettingValues::empty_sample(&known)))?;
    if kind == FileKind::BootIpxe {
        let least = || SettingValues::least_sample(&known);
        served(template.render(Variables::sample().with_settings(least()))?, "a server whose optional settings are empty")?;
    }
    let unquoted = unquoted::of(&template, kind, &known);
    Ok(Uses { settings: used, needs: Needs { unquoted, ..needs::of(text, kind) } })
}

/// Refuses characters that no boot loader can read: control characters, and a byte order mark before a script. Carriage returns
/// are checked by the code that parses the lines.
fn no_control_characters(text: &str, kind: FileKind) -> Result<(), TemplateError> {
    let line = |at: usize| 1 + text.get(..at).unwrap_or_default().matches('\n').count();
    // Other files may contain a form feed or an escape; a zero byte ends a text for every program that reads it.
    let refused = |c: char| c == '\0' || (kind.is_script() && c.is_control() && !matches!(c, '\n' | '\r' | '\t'));
    if let Some((at, c)) = text.char_indices().find(|(at, c)| refused(*c) && !text[*at..].starts_with("\u{1}#")) {
        let message = format!("it has the control character U+{:04X}; remove it", u32::from(c));
        return Err(TemplateError { line: line(at), message });
    }
    if kind == FileKind::Grub && text.starts_with('\u{feff}') {
        let message =
            "it begins with a byte order mark, which GRUB reads as part of the first command; save it as UTF-8 without one";
        return Err(TemplateError { line: 1, message: message.to_owned() });
    }
    Ok(())
}

/// Checks a script that is served as it is stored.
///
/// # Errors
/// Returns what iPXE or GRUB would stop at.
pub(crate) fn check_stored(bytes: &[u8], kind: FileKind) -> Result<(), TemplateError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        TemplateError::whole(format!("a boot script is UTF-8 text, but byte {} of this one is not", error.valid_up_to() + 1))
    })?;
    no_control_characters(text, kind)?;
    if kind == FileKind::BootIpxe { served::script(bytes, "every server") } else { Ok(()) }
}

/// The output of a checked template for the sample servers: with every setting filled in, and with every optional
/// setting empty. A required setting is not left empty, because the output may then be one that no server gets, such as
/// `for x in ; do`.
///
/// # Errors
/// Returns an error if the template cannot be rendered, or if the threads are busy.
pub(crate) async fn samples(text: String, declared: Declared) -> Result<Vec<Vec<u8>>, RenderError> {
    let render = move || {
        let template = Template::parse(&text)?;
        let used = template.settings(&declared)?;
        let known: Declared = declared.into_iter().filter(|(name, _)| used.contains(name)).collect();
        let full = Variables::sample().with_settings(SettingValues::sample(&known, 0));
        let least = Variables::bare_sample().with_settings(SettingValues::least_sample(&known));
        Ok::<_, TemplateError>(vec![template.render(full)?, template.render(least)?])
    };
    Ok(deep::run(render).await??)
}
