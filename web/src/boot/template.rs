//! Templates of boot files, in a sandbox.
//!
//! An operator writes a template, and it is rendered while a server boots. So it is checked when it is saved, and can then
//! neither fail at night nor harm the service: variables are strict, nothing can be included or imported (the engine is built
//! without it), loops are bounded (by fuel), the output is bounded, a template can access only the values of one server, and
//! there is no HTML escaping, because no output is HTML. Only the filters and tests named here exist. Rendering reads no clock,
//! no file and no network.
//!
//! A template is measured every time before the engine reads it: one that was saved before a bound existed is refused with the
//! reason, as it would be when it is saved. Templates for people are read and rendered on the threads of `deep`.

use super::settings::{Declared, SettingValues};
use super::variables::{self, SETTINGS, Variables};
use bootledger_aggregates::boot_image::{FileKind, Needs};
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::setting::{SettingName, SettingType};
use deep::Busy;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, filters, functions, tests};
use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, LazyLock};

mod bounds;
#[cfg(test)]
mod checks;
pub(super) mod deep;
mod growth;
mod needs;
#[cfg(test)]
mod nests;
#[cfg(test)]
mod passing;
mod scan;
mod served;
mod unquoted;
mod writing;

pub(super) use writing::quoted;

/// Maximum size of a template, in bytes.
pub const MAX_TEMPLATE: usize = 256 * 1024;

/// Maximum size of the output, in bytes.
pub const MAX_OUTPUT: usize = 1024 * 1024;

/// The fuel of one rendering: an instruction costs one, and so do 64 bytes of output. The longest plain template costs about
/// 4,000, and the longest output about 16,000. What a template can do with a text that took half of the fuel to build is
/// bounded by the other half, so the time grows with the square of this.
const FUEL: u64 = 30_000;

/// The functions that templates may call.
const FUNCTIONS: [&str; 1] = ["range"];

/// The name under which the engine knows every template.
const NAME: &str = "template";

/// An error in a template, for the author of the template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", at_line(*.line))]
pub struct TemplateError {
    /// The line, from 1; 0 if the error concerns the whole template.
    pub line: usize,
    /// What is wrong, and what to do.
    pub message: String,
}

fn at_line(line: usize) -> String {
    if line > 0 { format!("line {line}: ") } else { String::new() }
}

impl TemplateError {
    fn whole(message: impl Into<String>) -> Self {
        Self { line: 0, message: message.into() }
    }

    fn of(error: &Error) -> Self {
        let message = match error.kind() {
            ErrorKind::OutOfFuel => "it does too much work; shorten its loops".to_owned(),
            ErrorKind::WriteFailure => format!("it makes more than {MAX_OUTPUT} bytes; shorten its loops"),
            ErrorKind::UnknownFilter | ErrorKind::UnknownTest | ErrorKind::UnknownFunction => {
                format!("{error}; there are the filters {}", FILTERS.join(", "))
            }
            ErrorKind::SyntaxError => format!("{error}{RAW}"),
            _ => error.to_string(),
        };
        let end = if message.ends_with(RAW) { RAW } else { "" };
        Self { line: error.line().unwrap_or(0), message: format!("{}{end}", place_removed(&message)) }
    }
}

/// A hint for authors whose shell script or other text contains the signs of a template.
const RAW: &str = "; to write {{ or {% as it is, put the text between {% raw %} and {% endraw %}";

/// Removes the template's name and line from the end of an engine message; they are reported separately.
fn place_removed(message: &str) -> &str {
    message.split(&format!(" (in {NAME}")).next().unwrap_or(message)
}

/// The names of all filters, for messages.
const FILTERS: [&str; 16] = [
    "none", "colon", "cisco", "lower", "upper", "trim", "replace", "split", "join", "first", "last", "default", "length",
    "shell", "json", "xml",
];

/// The marks of a comment: control characters, because shell scripts contain `${#name}`. So templates have no comments.
const NO_COMMENT: (&str, &str) = ("\u{1}#", "#\u{1}");

/// The syntax of templates.
fn syntax() -> Option<SyntaxConfig> {
    let (begin, end) = NO_COMMENT;
    SyntaxConfig::builder().keep_trailing_newline(true).comment_delimiters(begin, end).build().ok()
}

static SANDBOX: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut sandbox = Environment::empty();
    sandbox.set_undefined_behavior(UndefinedBehavior::Strict);
    sandbox.set_auto_escape_callback(|_| AutoEscape::None);
    sandbox.set_fuel(Some(FUEL));
    // A script ends with the line break that it was written with.
    if let Some(syntax) = syntax() {
        sandbox.set_syntax(syntax);
    }
    // The engine would write True and False, as Python does; installers and scripts understand neither.
    sandbox.set_formatter(|out, state, value| match value.kind() {
        ValueKind::Bool => out.write_str(if value.is_true() { "true" } else { "false" }).map_err(Error::from),
        _ => minijinja::escape_formatter(out, state, value),
    });
    sandbox.add_filter("none", |mac: &str| notation(mac, MacAddress::bare));
    sandbox.add_filter("colon", |mac: &str| notation(mac, |mac| mac.to_string()));
    sandbox.add_filter("cisco", |mac: &str| notation(mac, MacAddress::cisco));
    sandbox.add_filter("lower", filters::lower);
    sandbox.add_filter("upper", filters::upper);
    sandbox.add_filter("trim", filters::trim);
    sandbox.add_filter("replace", filters::replace);
    sandbox.add_filter("split", filters::split);
    sandbox.add_filter("join", filters::join);
    sandbox.add_filter("first", filters::first);
    sandbox.add_filter("last", filters::last);
    sandbox.add_filter("default", filters::default);
    sandbox.add_filter("length", filters::length);
    sandbox.add_filter("shell", writing::shell);
    sandbox.add_filter("json", writing::json);
    sandbox.add_filter("xml", writing::xml);
    sandbox.add_test("startingwith", tests::is_startingwith);
    sandbox.add_test("endingwith", tests::is_endingwith);
    sandbox.add_test("in", tests::is_in);
    sandbox.add_function("range", functions::range);
    sandbox
});

fn notation(mac: &str, write: impl Fn(MacAddress) -> String) -> Result<String, Error> {
    let wrong = |_| Error::new(ErrorKind::InvalidOperation, "the value is not a MAC address; this filter is for `mac`");
    mac.parse().map(write).map_err(wrong)
}

/// A parsed template. Whether it can be rendered is checked by [`examine`].
#[derive(Debug)]
pub struct Template {
    environment: Environment<'static>,
    outline: bounds::Outline,
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
        let outline = bounds::measure(text)?;
        let mut environment = SANDBOX.clone();
        environment.add_template_owned(NAME, text.to_owned()).map_err(|error| TemplateError::of(&error))?;
        Ok(Self { environment, outline })
    }

    /// Parses a template.
    ///
    /// # Errors
    /// Returns an error over [`MAX_TEMPLATE`] bytes or another bound, if the text is not a template, or if the
    /// threads are busy.
    pub(super) async fn read(text: String) -> Result<Self, TemplateError> {
        deep::run(move || Self::parse(&text)).await?
    }

    /// Parses a template, and finds the settings that it uses.
    ///
    /// # Errors
    /// Returns the errors of [`Template::read`], and one if a setting is not declared.
    pub(super) async fn read_with(text: String, declared: Declared) -> Result<(Self, BTreeSet<SettingName>), TemplateError> {
        let read = move || Self::parse(&text).and_then(|template| template.settings(&declared).map(|used| (template, used)));
        deep::run(read).await?
    }

    /// Renders the template with the values of one server. One without loops and variables of its own is rendered immediately;
    /// another may take time, and is rendered on a thread for that.
    ///
    /// # Errors
    /// Returns an error for what the sandbox does not allow, over [`MAX_OUTPUT`] bytes of output, or if the threads are busy.
    pub(super) async fn rendered(self: &Arc<Self>, variables: Variables) -> Result<Vec<u8>, RenderError> {
        if self.outline.plain {
            return Ok(self.render(variables)?);
        }
        let template = Arc::clone(self);
        Ok(deep::run(move || template.render(variables)).await??)
    }

    /// Whether the output may contain the token in another form than its own.
    pub(super) fn changes_token(&self) -> bool {
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
            return Err(TemplateError::whole(format!("the setting {name} is a list, which * does not multiply")));
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
    fn unknown_names(&self) -> Result<Vec<String>, TemplateError> {
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
    fn settings(&self, declared: &Declared) -> Result<BTreeSet<SettingName>, TemplateError> {
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

/// Why a template was not rendered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RenderError {
    /// The template cannot be rendered.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The threads are busy.
    #[error(transparent)]
    Busy(#[from] Busy),
}

impl From<Busy> for TemplateError {
    fn from(busy: Busy) -> Self {
        Self::whole(busy.to_string())
    }
}

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

fn check(text: &str, kind: FileKind, declared: &Declared) -> Result<Uses, TemplateError> {
    no_control_characters(text, kind)?;
    let template = Template::parse(text)?;
    if let Some(name) = template.unknown_names()?.first() {
        return Err(TemplateError {
            line: line_of(text, name),
            message: format!("there is no variable {name}; there are {}", variables::NAMES.join(", ")),
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
            "it begins with a byte order mark, which GRUB takes for a part of the first command; save it as UTF-8 without one";
        return Err(TemplateError { line: 1, message: message.to_owned() });
    }
    Ok(())
}

/// Checks a script that is served as it is stored.
///
/// # Errors
/// Returns what iPXE or GRUB would stop at.
pub(super) fn check_stored(bytes: &[u8], kind: FileKind) -> Result<(), TemplateError> {
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
pub(super) async fn samples(text: String, declared: Declared) -> Result<Vec<Vec<u8>>, RenderError> {
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

/// The first line that has a word inside of `{{ }}` or `{% %}`, as well as that can be determined without the
/// engine's own parser.
fn line_of(text: &str, word: &str) -> usize {
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
