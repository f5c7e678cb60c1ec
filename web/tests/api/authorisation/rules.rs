//! Rules that every row must meet, whatever its decision is.

use super::callers::Kind;
use super::cells::{Cell, Class};
use super::{Row, decisions, fixtures};

/// What a viewer or an auditor may change: only their own account, their own views of lists, and how their browser shows pages.
const A_VIEWER_MAY_CHANGE: [&str; 9] = [
    "DELETE /api/v1/sessions/{id} (own)",
    "POST /settings/password",
    "POST /settings/sessions/{id}/end (own)",
    "POST /sign-in",
    "POST /sign-out",
    "POST /theme",
    "POST /views",
    "POST /views/{id}/delete",
    "POST /views/{id}/share",
];

/// Whether a row violates a rule.
type Breaks = fn(&Row) -> bool;

/// The violated rules, as sentences.
pub(super) fn broken(rows: &[Row]) -> Vec<String> {
    let rules: [(&str, Breaks); 6] = [
        ("has a decision without a name: add it to decisions.rs, where a person reviews it", has_no_name),
        ("reads the body of a caller before it refuses it", refuses_after_the_body),
        ("has no object in the fixtures, so that its 404 could hide a missing check", finds_nothing),
        ("leads to a command although it is a safe method", changes_when_read),
        ("lets a viewer or an auditor change what is not their own account", lets_a_viewer_change),
        ("takes a person's cookie from a page of another site", is_open_to_other_sites),
    ];
    let of_rule = |(sentence, breaks): (&str, Breaks)| {
        let broken = rows.iter().filter(move |row| breaks(row));
        broken.map(move |row| format!("{} {sentence} ({})", row.name, row.classes())).collect::<Vec<_>>()
    };
    rules.into_iter().flat_map(of_rule).collect()
}

/// Whether booting servers use this route. Those routes check a deployment's token or address; `boot.rs` is their matrix.
fn is_of_machines(row: &Row) -> bool {
    ["/pxe", "/grub/", "/boot/loaders/"].iter().any(|prefix| row.path.starts_with(prefix))
}

fn passes(cell: Cell) -> bool {
    cell.class == Class::Passes
}

fn has_no_name(row: &Row) -> bool {
    decisions::name(&row.classes()).is_none()
}

/// A slow or malformed body must not change the answer to a caller without rights, and must not hold a connection.
fn refuses_after_the_body(row: &Row) -> bool {
    row.cells.iter().any(|cell| cell.read_body && cell.is_refused())
}

fn finds_nothing(row: &Row) -> bool {
    row.of(Kind::AdministratorToken).any(|cell| cell.absent) && !fixtures::may_be_absent(&row.name)
}

fn changes_when_read(row: &Row) -> bool {
    row.method.is_safe() && !is_of_machines(row) && row.cells.iter().any(|cell| cell.commanded)
}

fn lets_a_viewer_change(row: &Row) -> bool {
    let allowed = row.method.is_safe() || is_of_machines(row) || A_VIEWER_MAY_CHANGE.contains(&row.name.as_str());
    let readers = [Kind::ViewerToken, Kind::ViewerPerson, Kind::AuditorToken, Kind::AuditorPerson];
    let allowed = allowed || row.name == "POST /timeline/verify";
    !allowed && readers.into_iter().any(|kind| row.of(kind).copied().any(passes))
}

/// The theme belongs to the browser: this route does nothing on behalf of the user whose cookie is sent.
fn is_open_to_other_sites(row: &Row) -> bool {
    let ignores_cookies = row.path == "/theme" || is_of_machines(row);
    !row.method.is_safe() && !ignores_cookies && row.of(Kind::CrossSite).any(|cell| passes(*cell) || cell.commanded)
}
