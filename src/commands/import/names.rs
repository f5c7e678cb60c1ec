//! Handles names in a file that the catalogue does not have: placeholders are ignored, and changes by a spreadsheet are
//! recognised.

use super::facts::ImportFacts;
use super::read::{Row, made_of, passed_over};
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::serial_number::is_filler;
use bootledger_port::RowError;
use std::borrow::Cow;

/// The rows without placeholders such as `TBD` in optional columns, with a note for each. A rack that really has such a name
/// keeps it.
pub(super) fn without_fillers<'a>(rows: &'a [Row], known: &ImportFacts) -> Cow<'a, [Row]> {
    let filler = |name: Option<&Name>, exists: bool| name.is_some_and(|name| !exists && is_filler(name.as_str()));
    let has = |row: &Row| {
        [
            filler(row.network.as_ref(), row.network.as_ref().is_some_and(|name| known.networks.contains_key(name))),
            filler(row.boot_image.as_ref(), row.boot_image.as_ref().is_some_and(|name| known.boot_images.contains_key(name))),
            filler(row.rack.as_ref(), row.rack.as_ref().is_some_and(|name| known.racks.contains_key(name))),
        ]
    };
    // Most files have no placeholders and need no copy.
    if !rows.iter().any(|row| has(row).contains(&true)) {
        return Cow::Borrowed(rows);
    }
    let without = |row: &Row| {
        let fillers = has(row);
        let mut row = row.clone();
        let columns = [("network", &mut row.network), ("boot_image", &mut row.boot_image), ("rack", &mut row.rack)];
        for ((column, name), _) in columns.into_iter().zip(fillers).filter(|(_, filler)| *filler) {
            row.notes.extend(name.take().map(|name| passed_over(column, name.as_str())));
        }
        row
    };
    Cow::Owned(rows.iter().map(without).collect())
}

/// The error with a hint about what a spreadsheet may have changed, if the row names something that the catalogue does not
/// have.
pub(super) fn hinted(error: RowError, row: &Row, known: &ImportFacts) -> RowError {
    let name = match Rule::of_code(&error.broken.rule) {
        Some(Rule::NetworkUnknown) => row.network.as_ref(),
        Some(Rule::RackUnknown) => row.rack.as_ref().filter(|rack| !known.racks.contains_key(*rack)),
        Some(Rule::BootImageUnknown) => row.boot_image.as_ref(),
        Some(Rule::VentureUnknown) => Some(&row.venture),
        Some(Rule::RoleUnknown) => Some(&row.role),
        _ => None,
    };
    let Some(hint) = name.and_then(|name| made_of(name.as_str())) else { return error };
    let mut error = error;
    error.broken.message.push_str(&hint);
    error
}
