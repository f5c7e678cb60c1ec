//! What is wrong with a template, and why one was not rendered.

use super::deep::Busy;
use super::sandbox::{FILTERS, MAX_OUTPUT, NAME};
use minijinja::{Error, ErrorKind};

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
    /// An error that concerns the whole template.
    pub(super) fn whole(message: impl Into<String>) -> Self {
        Self { line: 0, message: message.into() }
    }

    /// The message of the engine's error, for the author.
    pub(super) fn of(error: &Error) -> Self {
        let message = match error.kind() {
            ErrorKind::OutOfFuel => "it does too much work; shorten its loops".to_owned(),
            ErrorKind::WriteFailure => format!("it produces more than {MAX_OUTPUT} bytes; shorten its loops"),
            ErrorKind::UnknownFilter | ErrorKind::UnknownTest | ErrorKind::UnknownFunction => {
                format!("{error}; the filters are {}", FILTERS.join(", "))
            }
            _ => error.to_string(),
        };
        let hint = if error.kind() == ErrorKind::SyntaxError { RAW } else { "" };
        Self { line: error.line().unwrap_or(0), message: format!("{}{hint}", place_removed(&message)) }
    }
}

/// A hint for authors whose shell script or other text contains the signs of a template.
const RAW: &str = "; to write {{ or {% as it is, put the text between {% raw %} and {% endraw %}";

/// Removes the template's name and line from the end of an engine message; they are reported separately.
fn place_removed(message: &str) -> &str {
    message.split(&format!(" (in {NAME}")).next().unwrap_or(message)
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
