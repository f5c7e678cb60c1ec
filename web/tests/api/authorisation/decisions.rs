//! The decisions. A row that none of these describes fails the test: the author of the route either follows one of them or adds
//! a line here, which is reviewed.

use super::callers::kinds;
use std::fmt::Write as _;

/// Name, meaning, and the class of each caller in the order of [`kinds`].
const DECISIONS: [(&str, &str, &str); 18] = [
    ("anybody", "open to whoever reaches the listener", "ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok"),
    ("viewer", "read by viewers and above", "401 ok ok ok ok 403 403 403 401 ok ok ok ok 403 ok 401 401 401 401 401"),
    ("operator", "changed by operators and above", "401 403 403 ok ok 403 403 403 401 403 403 ok ok 403 403 401 401 401 401 401"),
    ("op-read", "read by operators and above", "401 403 403 ok ok 403 403 403 401 403 403 ok ok 403 ok 401 401 401 401 401"),
    ("admin", "changed by administrators", "401 403 403 403 ok 403 403 403 401 403 403 403 ok 403 403 401 401 401 401 401"),
    ("ad-read", "read by administrators", "401 403 403 403 ok 403 403 403 401 403 403 403 ok 403 ok 401 401 401 401 401"),
    (
        "verify",
        "started by auditors and administrators",
        "401 403 ok 403 ok 403 403 403 401 403 ok 403 ok 403 403 401 401 401 401 401",
    ),
    (
        "audit",
        "read by auditors and administrators",
        "401 403 ok 403 ok 403 403 403 401 403 ok 403 ok 403 ok 401 401 401 401 401",
    ),
    (
        "own",
        "one's own account, also with a one-time password",
        "401 ok ok ok ok 403 403 403 401 ok ok ok ok ok 403 401 401 401 401 401",
    ),
    ("own-page", "the page for that", "401 ok ok ok ok 403 403 403 401 ok ok ok ok ok ok 401 401 401 401 401"),
    (
        "session",
        "one's own session; anybody's for administrators",
        "401 403 403 403 ok 403 403 403 401 ok ok ok ok 403 403 401 401 401 401 401",
    ),
    (
        "agent",
        "the DHCP server's own agent, and administrators",
        "401 403 403 403 ok ok 403 403 401 401 401 401 401 401 401 401 401 401 401 401",
    ),
    (
        "reports",
        "Puppet's report processor, and operators",
        "401 403 403 ok ok 403 403 ok ok 401 401 401 401 401 401 401 401 401 401 401",
    ),
    ("sign-in", "anybody, from one of our own pages", "403 403 403 403 403 403 403 403 403 ok ok ok ok ok 403 ok ok 403 403 403"),
    (
        "by-token",
        "refused by address alone where the network asks for the deployment's token; see the boot matrix",
        "403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403 403",
    ),
    (
        "nothing",
        "a sentence that nothing is there",
        "404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404",
    ),
    (
        "list-own",
        "a user's or token's own view of a list",
        "401 ok ok ok ok 403 403 403 401 ok ok ok ok 403 403 401 401 401 401 401",
    ),
    (
        "end-page",
        "the page before one's own session ends; anybody's for administrators",
        "401 403 403 403 ok 403 403 403 401 ok ok ok ok 403 ok 401 401 401 401 401",
    ),
];

/// The decision with these classes.
pub(super) fn name(classes: &str) -> Option<&'static str> {
    DECISIONS.iter().find(|(_, _, of)| *of == classes).map(|(name, _, _)| *name)
}

/// The decision's name, or a mark that there is none.
pub(super) fn named(classes: &str) -> &str {
    name(classes).unwrap_or("?")
}

/// The legend: what the words of the table mean.
pub(super) fn legend() -> String {
    let mut text = String::from("ok: past all checks; 401, 403: refused; 404: this listener has no such route\n\n");
    write!(text, "{:<54}", "caller").expect("text");
    for (name, _, _) in DECISIONS {
        write!(text, " {name:<8}").expect("text");
    }
    for (number, kind) in kinds().into_iter().enumerate() {
        write!(text, "\n{:<54}", kind.words()).expect("text");
        for (_, _, classes) in DECISIONS {
            write!(text, " {:<8}", classes.split(' ').nth(number).expect("a class for each caller")).expect("text");
        }
    }
    text.push_str("\n\n");
    for (name, meaning, _) in DECISIONS {
        writeln!(text, "{name:<9} {meaning}").expect("text");
    }
    text
}
