//! The words of every page, for review: `snapshots/` has a file for each page, with the text of the page in its usual states, of
//! the same page without any objects, and of its form when it is sent empty. Other tests assert rules, fields, values and
//! structure, so that a better word changes only a snapshot.
//!
//! The pages come from actix's own registry. A page that is added has no snapshot and fails the test until its text is reviewed:
//! `INSTA_UPDATE=always scripts/with-postgres cargo nextest run -p bootledger-web --test pages wording`.

mod downloads;
pub(crate) mod fixtures;
pub(crate) mod objects;
mod placeholders;
mod text;

use crate::catalogue::{form, get};
use crate::routes::{Route, registered};
use crate::samples::proposed;
use crate::support::Answer;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_web::server::Part;
use fixtures::{Fixtures, PageRequest, Visitor, show};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// The beginnings of routes that are not pages of the site: those for machines, the API, files, and the identity provider's; and
/// the guide, whose words are reviewed in `docs/`.
const OTHERS: [&str; 13] = [
    "/api/",
    "/assets/",
    "/boot/loaders/",
    "/dhcp/",
    "/dns/",
    "/favicon.ico",
    "/grub/",
    "/healthz",
    "/help",
    "/metrics",
    "/puppet/",
    "/pxe",
    "/readyz",
];
const SIGN_IN_ELSEWHERE: &str = "/sign-in/openid";

/// The time at which all pages are shown.
fn clock() -> Timestamp {
    "2026-03-01T14:00:00Z".parse().expect("a time")
}

/// Whether a route may be a page: it answers GET, and is neither a stream nor a file.
pub(crate) fn may_be_page(route: &Route) -> bool {
    let pattern = route.pattern.as_str();
    route.methods.contains("GET")
        && !OTHERS.iter().any(|other| pattern.starts_with(other))
        && !pattern.starts_with(SIGN_IN_ELSEWHERE)
        && !pattern.contains("/live/")
        && !pattern.ends_with("csv")
}

/// The name of a page's snapshot: `deployments-id-cancel` for `/deployments/{id}/cancel`.
fn snapshot_name(pattern: &str) -> String {
    let parts = pattern.split('/').filter(|part| !part.is_empty());
    let parts = parts.map(|part| part.trim_matches(['{', '}']).split(':').next().unwrap_or_default());
    let name = parts.collect::<Vec<_>>().join("-");
    if name.is_empty() { "dashboard".to_owned() } else { name }
}

impl Fixtures {
    pub(crate) async fn answer(&self, page: &PageRequest) -> Answer {
        let request = get(&page.path);
        match page.visitor {
            Visitor::Administrator => self.site.request_as(&self.administrator, request).await,
            Visitor::Viewer => self.site.request_as(&self.viewer, request).await,
            Visitor::SignedIn => self.site.browse(&self.cookie, request).await,
            Visitor::Anonymous => self.site.request(request).await,
        }
    }

    /// The answer to the page's form when it is sent empty, if the form is refused.
    async fn refused(&self, visitor: Visitor, page: &Answer) -> Option<Answer> {
        let request = form(&text::form_action(&page.text)?, &[("key", "k")]);
        let answer = match visitor {
            Visitor::SignedIn => self.site.browse(&self.cookie, request).await,
            Visitor::Administrator => self.site.request_as(&self.administrator, request).await,
            Visitor::Viewer | Visitor::Anonymous => return None,
        };
        (answer.status == 422).then_some(answer)
    }
}

fn is_page(answer: &Answer) -> bool {
    answer.header("content-type").starts_with("text/html")
}

fn add(text: &mut String, label: &str, shown: &str) {
    let label = if label.is_empty() { "page" } else { label };
    writeln!(text, "==== {label} ====\n{shown}\n").expect("a text");
}

/// The texts of a route's pages; empty if the route only redirects or answers with a file.
async fn texts_of(full: &Fixtures, empty: &Fixtures, pattern: &str) -> String {
    let mut text = String::new();
    for request in full.requests(pattern) {
        if request.path.ends_with("/deploy") {
            let proposed = proposed(objects::device(objects::FREE), [10, 0, 0, 30], "h230.dc1.example");
            full.site.domain.checks.lock().expect("no panic").push_back(Ok(proposed));
        }
        let answer = full.answer(&request).await;
        assert!(answer.status.is_success() || answer.status.is_redirection(), "{pattern}: {} {}", request.path, answer.status);
        if !answer.status.is_success() || !is_page(&answer) {
            continue;
        }
        add(&mut text, &request.label, &text::of_page(&answer.text));
        if let Some(refused) = full.refused(request.visitor, &answer).await {
            add(&mut text, format!("{} sent empty", request.label).trim(), &text::of_page(&refused.text));
        }
    }
    if !pattern.contains('{') && !text.is_empty() {
        let answer = empty.answer(&show("", pattern)).await;
        if answer.status.is_success() {
            add(&mut text, "without any objects", &text::of_page(&answer.text));
        }
    }
    text
}

/// Pages that answer a request with an error, and what surrounds every page.
async fn others(full: &Fixtures) -> BTreeMap<String, String> {
    let missing = "/deployments/00000000-0000-0000-0000-000000000000";
    let forbidden = PageRequest { visitor: Visitor::Viewer, ..show("not permitted", "/settings/users") };
    let mut errors = String::new();
    for request in [
        show("no such page", "/no-such-page"),
        show("no such deployment", missing),
        show("an unknown parameter", "/devices?colour=red"),
        show("a malformed position", "/devices?at=x"),
        forbidden,
    ] {
        let answer = full.answer(&request).await;
        assert!(answer.status.is_client_error(), "{}: {}", request.path, answer.status);
        add(&mut errors, &request.label, &text::of_page(&answer.text));
    }
    let mut layout = String::new();
    for request in [show("the present", "/deployments"), show("the past", "/networks/prod?at=3")] {
        add(&mut layout, &request.label, &text::of_layout(&full.answer(&request).await.text));
    }
    [("errors".to_owned(), errors), ("layout".to_owned(), layout)].into()
}

/// Compares a text with its snapshot. Returns whether they are equal.
fn is_reviewed(name: &str, text: &str) -> bool {
    // All pages are compared before the test fails, because one word may be on many of them.
    let compared = std::panic::catch_unwind(|| {
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(name, text);
        });
    });
    compared.is_ok()
}

/// The snapshots of pages in the folder. Those of other tests begin with the name of their module.
fn stored() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pages/snapshots");
    let files = std::fs::read_dir(folder).expect("the snapshots").map(|file| file.expect("a file").file_name());
    let names = files.filter_map(|file| Some(file.to_str()?.strip_suffix(".snap")?.to_owned()));
    names.filter(|name| !name.starts_with("pages__")).collect()
}

#[actix_web::test]
async fn the_words_of_every_page_are_reviewed() {
    let (full, empty) = (Fixtures::create().await, fixtures::empty().await);
    let mut pages = others(&full).await;
    for route in registered(&full.site, Part::Whole).await.iter().filter(|route| may_be_page(route)) {
        let text = texts_of(&full, &empty, &route.pattern).await;
        if !text.is_empty() {
            let other = pages.insert(snapshot_name(&route.pattern), text);
            assert!(other.is_none(), "two pages have the snapshot {}", snapshot_name(&route.pattern));
        }
    }
    assert!(pages.len() > 60, "only {} pages were found: {:?}", pages.len(), pages.keys());
    let changed: Vec<&String> = pages.iter().filter(|(name, text)| !is_reviewed(name, text)).map(|(name, _)| name).collect();
    assert!(changed.is_empty(), "the texts of these pages differ from their snapshots: {changed:?}");
    let unused: Vec<String> = stored().into_iter().filter(|name| !pages.contains_key(name)).collect();
    assert!(unused.is_empty(), "these snapshots have no page: {unused:?}");
}
