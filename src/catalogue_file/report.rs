//! The report of an import: each entry's result, field by field, and the totals.

use super::kinds::Kind;
use bootledger_aggregates::values::invisible;
use serde_json::Value;
use std::fmt::{self, Write as _};

/// The result of an entry, or the expected one in a dry run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The entry is new.
    Created,
    /// The entry existed and was changed to what the file says.
    Changed,
    /// The entry was already as the file says.
    Unchanged,
    /// The entry is not, or not in all fields, as the file says.
    Refused,
}

/// A field that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The path of the field in the entry, such as `management.address`.
    pub field: String,
    /// The value in the catalogue; `None` if it has none.
    pub old: Option<Value>,
    /// The value in the file; `None` if it has none.
    pub new: Option<Value>,
}

/// Why a field or an entry is not as the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The field's path; empty for the whole entry.
    pub field: String,
    /// The reason, and what to do.
    pub message: String,
}

/// The result of one entry.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub(crate) kind: Kind,
    /// The entry's name within its kind.
    pub name: String,
    /// The entry's place in the files, such as `catalogue.yaml, line 12, column 3`.
    pub place: String,
    /// Whether the entry was created, changed, unchanged or refused.
    pub status: Status,
    /// The fields that differed, including refused ones.
    pub changes: Vec<Change>,
    /// Why the entry is not, or not in all fields, as the file says.
    pub refusals: Vec<Refusal>,
}

/// The results of all entries.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The results, in the order of the import.
    pub outcomes: Vec<Outcome>,
    /// Whether the report is that of a dry run.
    pub dry_run: bool,
}

impl Report {
    /// How many entries have this status.
    pub fn count(&self, status: Status) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.status == status).count()
    }

    /// Whether every entry is, or would be, as the files say.
    pub fn is_whole(&self) -> bool {
        self.count(Status::Refused) == 0
    }

    /// The refusals, one line each with their places, for the end of a long report.
    pub fn refusals(&self) -> Vec<String> {
        let refused = self.outcomes.iter().filter(|outcome| outcome.status == Status::Refused);
        let line = |outcome: &Outcome| {
            let why = outcome.refusals.iter().map(|refusal| {
                let colon = if refusal.field.is_empty() { "" } else { ": " };
                format!("{}{colon}{}", refusal.field, refusal.message)
            });
            let why = why.collect::<Vec<_>>().join("; ");
            invisible::shown(&format!("{}: {} {}: {why}", outcome.place, outcome.kind.one(), outcome.name)).into_owned()
        };
        refused.map(line).collect()
    }

    /// The counts of one kind, in the order of the table.
    fn counts(&self, kind: Option<Kind>) -> [usize; 4] {
        let of = |status| {
            let counted = |outcome: &&Outcome| outcome.status == status && kind.is_none_or(|kind| outcome.kind == kind);
            self.outcomes.iter().filter(counted).count()
        };
        [Status::Created, Status::Changed, Status::Unchanged, Status::Refused].map(of)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for outcome in self.outcomes.iter().filter(|outcome| outcome.status != Status::Unchanged) {
            writeln!(f, "{}", outcome.shown(self.dry_run))?;
        }
        let columns = if self.dry_run { "would be" } else { "" };
        writeln!(f, "{columns:<16}{:>9}{:>9}{:>11}{:>9}", "created", "changed", "unchanged", "refused")?;
        for kind in Kind::ALL {
            let counts = self.counts(Some(kind));
            if counts.iter().sum::<usize>() > 0 {
                row(f, kind.section(), counts)?;
            }
        }
        row(f, "all", self.counts(None))?;
        if self.dry_run {
            writeln!(f, "Dry run: nothing was changed")?;
        }
        Ok(())
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, [created, changed, unchanged, refused]: [usize; 4]) -> fmt::Result {
    writeln!(f, "{:<16}{created:>9}{changed:>9}{unchanged:>11}{refused:>9}", name.replace('_', " "))
}

impl Outcome {
    /// The outcome as lines of text.
    fn shown(&self, dry_run: bool) -> String {
        let status = match (self.status, dry_run) {
            (Status::Created, true) => "would be created",
            (Status::Changed, true) => "would be changed",
            (Status::Created, false) => "created",
            (Status::Changed, false) => "changed",
            (Status::Unchanged, _) => "unchanged",
            (Status::Refused, true) => "would be refused",
            (Status::Refused, false) => "refused",
        };
        let place = if self.status == Status::Refused { format!(" ({})", self.place) } else { String::new() };
        let mut text = format!("{} {}: {status}{place}", self.kind.one(), invisible::shown(&self.name));
        for refusal in self.refusals.iter().filter(|refusal| !self.changes.iter().any(|change| refusal.is_about(&change.field))) {
            let colon = if refusal.field.is_empty() { "" } else { ": " };
            let _ = write!(text, "\n  {}{colon}{}", refusal.field, invisible::shown(&refusal.message));
        }
        // A field of an entry that was refused as a whole was not applied either.
        let all = self.refusals.iter().any(|refusal| !self.changes.iter().any(|change| refusal.is_about(&change.field)));
        for change in &self.changes {
            let (old, new) = (shown(change.old.as_ref()), shown(change.new.as_ref()));
            let _ = write!(text, "\n  {}: {old} → {new}", change.field);
            let refused: Vec<&str> = self
                .refusals
                .iter()
                .filter(|refusal| refusal.is_about(&change.field))
                .map(|refusal| refusal.message.as_str())
                .collect();
            if !refused.is_empty() {
                let _ = write!(text, " – refused: {}", invisible::shown(&refused.join("; ")));
            } else if self.status == Status::Refused && !all && !dry_run {
                text.push_str(" – applied");
            }
        }
        text
    }
}

impl Refusal {
    /// Whether the refusal concerns this field, or one above or below it.
    pub(super) fn is_about(&self, field: &str) -> bool {
        let parts = |path: &str| path.split(['.', '[']).map(ToOwned::to_owned).collect::<Vec<_>>();
        let (one, other) = (parts(&self.field), parts(field));
        !self.field.is_empty() && (one.starts_with(&other) || other.starts_with(&one))
    }
}

/// The maximum length of a value in a report, in characters.
const SHOWN: usize = 200;

fn shown(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => return "nothing".to_owned(),
        Some(Value::String(text)) if text.is_empty() => return "\"\"".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let line: String = text.chars().take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let cut = if text.chars().nth(SHOWN).is_some() { "…" } else { "" };
    format!("{}{cut}", invisible::shown(&line))
}

/// The differences between two descriptions, field by field.
pub(super) fn differences(old: Option<&Value>, new: Option<&Value>) -> Vec<Change> {
    let mut changes = vec![];
    compare("", old, new, &mut changes);
    changes
}

fn compare(path: &str, old: Option<&Value>, new: Option<&Value>, changes: &mut Vec<Change>) {
    match (old, new) {
        (old, new) if old == new => {}
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let added = new.keys().filter(|name| !old.contains_key(*name));
            for name in old.keys().chain(added) {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                compare(&path, old.get(name), new.get(name), changes);
            }
        }
        (old, new) => changes.push(Change { field: path.to_owned(), old: old.cloned(), new: new.cloned() }),
    }
}
