//! Values of which only a part is known, and what follows from comparing them.

use minijinja::machinery::ast::CompareOpKind;
use minijinja::value::{Value, ValueKind};

/// Maximum length of a text whose value is tracked. Such texts decide conditions, and name files.
pub(super) const FOLLOWED: usize = 1024;

/// What is known about a value.
#[derive(Clone, Debug, Default)]
pub(super) struct Abstract {
    /// Whether the value depends on the empty variable.
    pub(super) depends: bool,
    /// The value, if the empty variable and the template's own texts determine it.
    pub(super) known: Option<Value>,
    /// Whether the value counts as true, if only that is known.
    pub(super) truth: Option<bool>,
    /// Whether the value is one of several values of a list, of which a condition may skip the empty one.
    pub(super) item: bool,
}

impl Abstract {
    pub(super) fn empty(value: Value) -> Self {
        Self { depends: true, known: Some(value), ..Self::default() }
    }

    pub(super) fn known(value: Value) -> Self {
        Self { known: Some(value), ..Self::default() }
    }

    pub(super) fn truth(&self) -> Option<bool> {
        self.known.as_ref().map(Value::is_true).or(self.truth)
    }

    pub(super) fn or(self, other: &Self) -> Self {
        let same = self.known.is_some() && self.known == other.known;
        let truth = self.truth().filter(|truth| other.truth() == Some(*truth));
        Self { depends: self.depends || other.depends, known: self.known.filter(|_| same), truth, item: self.item || other.item }
    }

    pub(super) fn text(&self) -> Option<String> {
        let text = self.known.as_ref()?;
        match text.kind() {
            ValueKind::String | ValueKind::Number => Some(text.to_string()).filter(|text| text.len() <= FOLLOWED),
            ValueKind::Seq if text.len() == Some(0) => Some(String::new()),
            _ => None,
        }
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.known.as_ref().is_some_and(|known| known.len() == Some(0))
    }
}

pub(super) fn said(answer: Option<bool>) -> Abstract {
    Abstract { known: answer.map(Value::from), ..Abstract::default() }
}

pub(super) fn both(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

pub(super) fn compared(operation: CompareOpKind, left: &Abstract, right: &Abstract) -> Option<bool> {
    let (left, right) = (left.known.as_ref()?, right.known.as_ref()?);
    Some(match operation {
        CompareOpKind::Eq => left == right,
        CompareOpKind::Ne => left != right,
        CompareOpKind::Lt => left < right,
        CompareOpKind::Lte => left <= right,
        CompareOpKind::Gt => left > right,
        CompareOpKind::Gte => left >= right,
        CompareOpKind::In => within(left, right)?,
        CompareOpKind::NotIn => !within(left, right)?,
    })
}

pub(super) fn within(value: &Value, container: &Value) -> Option<bool> {
    match (container.as_str(), value.as_str()) {
        (Some(container), Some(value)) => Some(container.contains(value)),
        (None, _) => Some(container.try_iter().ok()?.any(|item| item == *value)),
        _ => None,
    }
}
