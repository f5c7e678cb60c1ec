//! The errors of recipes: each with its file, its field, and a message.

use std::fmt;

/// An error in a recipe: its place, and how to fix it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The recipe's name, which is the name of its folder.
    pub recipe: String,
    /// The file with the error, relative to the library.
    pub file: String,
    /// The field, such as `downloads.linux.url`; empty for the whole file.
    pub field: String,
    /// The error as a sentence.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "recipe {}, {}", self.recipe, self.file)?;
        if !self.field.is_empty() {
            write!(f, ", {}", self.field)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// All errors of a library's recipes; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Problems(pub Vec<Problem>);

/// Collects the errors of one recipe.
pub(crate) struct Collector<'a> {
    pub(crate) recipe: &'a str,
    pub(crate) file: &'a str,
    pub(crate) problems: Vec<Problem>,
}

impl Collector<'_> {
    pub(crate) fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem {
            recipe: self.recipe.to_owned(),
            file: self.file.to_owned(),
            field: field.into(),
            message: message.into(),
        });
    }

    /// Returns the value, or records the error for the field.
    pub(crate) fn take<T, E: fmt::Display>(&mut self, field: impl Into<String>, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.add(field, error.to_string())).ok()
    }
}
