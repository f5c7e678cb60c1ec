//! Parses and renders templates in the sandbox.

use super::bounds::{Outline, measure};
use super::deep;
use super::error::{RenderError, TemplateError};
use super::sandbox::{FUNCTIONS, MAX_OUTPUT, MAX_TEMPLATE, NAME, SANDBOX};
use crate::images::settings::Declared;
use crate::images::variables::{self, SETTINGS, Variables};
use bootledger_aggregates::values::setting::SettingName;
use minijinja::Environment;
use minijinja::value::Value;
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

/// A parsed template. Whether it can be rendered is checked by [`examine`](super::examine).
#[derive(Debug)]
pub struct Template {
    environment: Environment<'static>,
    outline: Outline,
}

impl Template {
    /// Parses a template, on the caller's stack.
    ///
    /// # Errors
    /// Returns an error over [`MAX_TEMPLATE`] bytes or another bound, or if the text is not a template.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if text.len() > MAX_TEMPLATE {
            return Err(TemplateError::whole(format!(
                "a template has at most {MAX_TEMPLATE} bytes; this one has {}",
                text.len()
            )));
        }
        let outline = measure(text)?;
        let mut environment = SANDBOX.clone();
        environment.add_template_owned(NAME, text.to_owned()).map_err(|error| TemplateError::of(&error))?;
        Ok(Self { environment, outline })
    }

    /// Parses a template.
    ///
    /// # Errors
    /// Returns an error over [`MAX_TEMPLATE`] bytes or another bound, if the text is not a template, or if the
    /// threads are busy.
    pub(crate) async fn read(text: String) -> Result<Self, TemplateError> {
        deep::run(move || Self::parse(&text)).await?
    }

    /// Parses a template, and finds the settings that it uses.
    ///
    /// # Errors
    /// Returns the errors of [`Template::read`], and one if a setting is not declared.
    pub(crate) async fn read_with(text: String, declared: Declared) -> Result<(Self, BTreeSet<SettingName>), TemplateError> {
        let read = move || Self::parse(&text).and_then(|template| template.settings(&declared).map(|used| (template, used)));
        deep::run(read).await?
    }

    /// Renders the template with the values of one server. One without loops and variables of its own is rendered immediately;
    /// another may take time, and is rendered on a thread for that.
    ///
    /// # Errors
    /// Returns an error for what the sandbox does not allow, over [`MAX_OUTPUT`] bytes of output, or if the threads are busy.
    pub(crate) async fn rendered(self: &Arc<Self>, variables: Variables) -> Result<Vec<u8>, RenderError> {
        if self.outline.plain {
            return Ok(self.render(variables)?);
        }
        let template = Arc::clone(self);
        Ok(deep::run(move || template.render(variables)).await??)
    }

    /// Whether the output may contain the token in another form than its own.
    pub(crate) fn changes_token(&self) -> bool {
        self.outline.changes_token
    }

    /// Renders the template with the values of one server, on the caller's stack.
    ///
    /// # Errors
    /// Returns an error for what the sandbox does not allow, or over [`MAX_OUTPUT`] bytes of output.
    pub fn render(&self, variables: Variables) -> Result<Vec<u8>, TemplateError> {
        let template = self.environment.get_template(NAME).map_err(|error| TemplateError::of(&error))?;
        let mut output = Limited(Vec::with_capacity(1024));
        let settings = variables.settings();
        if let Some(name) = self.outline.numbers.iter().find(|name| settings.is_list(name)) {
            return Err(TemplateError::whole(format!("the setting {name} is a list, and * cannot multiply a list")));
        }
        let rendered = template.render_captured_to(Value::from_object(variables), &mut output);
        // If the template uses an unknown setting in a way that hides it, the output would be something else.
        if let Some(name) = settings.unknown() {
            return Err(TemplateError::whole(format!("the setting {name} has no value here")));
        }
        rendered.map_err(|error| TemplateError::of(&error))?;
        // The output may be kept for each of many servers.
        output.0.shrink_to_fit();
        Ok(output.0)
    }

    /// The names that are used but never defined, in branches that are taken and in those that are not.
    pub(super) fn unknown_names(&self) -> Result<Vec<String>, TemplateError> {
        let template = self.environment.get_template(NAME).map_err(|error| TemplateError::of(&error))?;
        let known = |name: &str| variables::NAMES.contains(&name) || FUNCTIONS.contains(&name);
        let mut unknown: Vec<_> = template.undeclared_variables(false).into_iter().filter(|name| !known(name)).collect();
        unknown.sort_unstable();
        Ok(unknown)
    }

    /// The declared settings that are used, in branches that are taken and in those that are not.
    ///
    /// # Errors
    /// Returns an error if a setting is not declared, or if `settings` is used in another way than `settings.NAME`: then it
    /// would not be known which settings are used.
    pub(super) fn settings(&self, declared: &Declared) -> Result<BTreeSet<SettingName>, TemplateError> {
        let template = self.environment.get_template(NAME).map_err(|error| TemplateError::of(&error))?;
        let mut used = BTreeSet::new();
        let mut names: Vec<String> = template.undeclared_variables(true).into_iter().collect();
        names.sort_unstable();
        let at = |word: &str, message: String| TemplateError { line: line_of(template.source(), word), message };
        for name in names {
            let mut parts = name.split('.');
            if parts.next() != Some(SETTINGS) {
                continue;
            }
            let Some(part) = parts.next() else {
                return Err(at(SETTINGS, "write settings.NAME with the name of one setting".to_owned()));
            };
            let setting = part.parse::<SettingName>().ok().filter(|setting| declared.contains_key(setting));
            used.insert(setting.ok_or_else(|| at(part, undeclared(part, declared)))?);
        }
        Ok(used)
    }
}

fn undeclared(name: &str, declared: &Declared) -> String {
    if declared.is_empty() {
        return format!("there is no setting {name}; the boot image declares none");
    }
    let names: Vec<&str> = declared.keys().map(SettingName::as_str).collect();
    format!("there is no setting {name}; the boot image declares {}", names.join(", "))
}

/// The first line that has a word inside of `{{ }}` or `{% %}`, as well as that can be determined without the
/// engine's own parser.
pub(super) fn line_of(text: &str, word: &str) -> usize {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let stands = |line: &str| line.split(|c| !part(c)).any(|found| found == word);
    let marked = |line: &str| line.contains("{{") || line.contains("{%");
    let numbered = || text.lines().zip(1..).filter(|(line, _)| stands(line));
    numbered().find(|(line, _)| marked(line)).or_else(|| numbered().next()).map_or(0, |(_, number)| number)
}

/// A buffer that accepts no more than [`MAX_OUTPUT`] bytes.
struct Limited(Vec<u8>);

impl io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT {
            return Err(io::Error::other("the output is too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
