//! The authorisation matrix: every route of the service, every method, every kind of caller, as one snapshot for review. The
//! routes come from actix's own registry and not from a list kept here. A route that is added without a decision therefore
//! changes the snapshot, and a route that decides in a new way fails until the decision has a name.
//!
//! A cell shows whether the caller passes the checks of identity and role. It does not show the handler's answer after that:
//! the body of each request breaks off at its first byte, and commands are recorded instead of executed. This is also how the
//! test sees that no route reads a body for a caller that it refuses.

mod boot;
mod callers;
mod cells;
mod decisions;
mod fixtures;
mod routes;
mod rules;

use crate::support::TestSite;
use actix_web::http::Method;
use bootledger_web::server::Part;
use callers::{Caller, Kind};
use cells::{Cell, Class, Probe};
use fixtures::Fixtures;
use routes::Route;
use std::fmt::Write as _;

/// The methods that are tried on every route, whether the route has registered them or not.
const METHODS: [Method; 8] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS, Method::TRACE];

/// A route's decision for one method: one class for each caller, in the order of [`callers`].
struct Row {
    name: String,
    method: Method,
    path: String,
    cells: Vec<Cell>,
}

impl Row {
    fn classes(&self) -> String {
        self.cells.iter().map(|cell| cell.class.word()).collect::<Vec<_>>().join(" ")
    }

    fn of(&self, kind: Kind) -> impl Iterator<Item = &Cell> {
        callers::kinds().into_iter().zip(&self.cells).filter(move |(other, _)| *other == kind).map(|(_, cell)| cell)
    }
}

/// Every row in which some caller passes, or whose method a route has registered.
async fn rows(site: &TestSite, fixtures: &Fixtures, callers: &[Caller], part: Part) -> Vec<Row> {
    let registered = routes::registered(site, part).await;
    let whole = routes::registered(site, Part::Whole).await;
    assert!(registered.len() > 20 && whole.len() > 150, "{} and {} routes were found", registered.len(), whole.len());
    let probe = Probe::start(site, part).await;
    let mut rows = vec![];
    for Route { pattern, methods } in registered.union(&whole) {
        // The whole matrix takes longer than the table may be without news of the views.
        site.boot.table.touch();
        let own = registered.iter().any(|route| route.pattern == *pattern);
        for (label, variant) in fixtures.paths(pattern) {
            for method in METHODS {
                // Except on paths of machines, a HEAD is routed as a GET. Its decision must be that of the GET.
                let rerouted = own && method == Method::HEAD && methods.contains("GET") && !methods.contains("HEAD");
                if rerouted {
                    for caller in callers.iter().filter(|caller| caller.is_representative()) {
                        let path = variant.for_caller(caller);
                        let head = probe.request(&method, &path, caller).await.class;
                        let get = probe.request(&Method::GET, &path, caller).await.class;
                        assert!(head != Class::Passes || get == Class::Passes, "{method} {pattern}{label}");
                    }
                    continue;
                }
                if method == Method::HEAD && !own && !methods.contains("HEAD") {
                    // It is routed as a GET, which no route answers.
                    continue;
                }
                let expected = own && (methods.contains(method.as_str()) || methods.is_empty());
                let name = format!("{method} {pattern}{label}");
                let some: Vec<&Caller> = callers.iter().filter(|caller| expected || caller.is_representative()).collect();
                let mut cells = Vec::with_capacity(some.len());
                for caller in some {
                    cells.push(probe.request(&method, &variant.for_caller(caller), caller).await);
                }
                let passes = cells.iter().any(|cell| cell.class == Class::Passes);
                if expected {
                    rows.push(Row { name, method, path: variant.for_caller(&callers[0]), cells });
                } else {
                    assert!(!passes, "{name} on {part:?} answers, but no route has registered it");
                }
            }
        }
    }
    rows
}

fn table(rows: &[Row], part: Part) -> String {
    let mut text = format!("{part:?}\n");
    for row in rows {
        let classes = row.classes();
        writeln!(text, "{:<9} {}", decisions::named(&classes), row.name).expect("a line");
    }
    text
}

#[actix_web::test]
async fn every_route_has_a_decision_for_every_kind_of_caller() {
    let site = TestSite::create().await;
    let fixtures = Fixtures::create(&site).await;
    let callers = callers::all(&site, &fixtures).await;
    let end = fixtures::end_of_log(&site).await;
    let mut snapshot = decisions::legend();
    let mut problems = vec![];
    for part in [Part::Whole, Part::BootOnly] {
        let rows = rows(&site, &fixtures, &callers, part).await;
        write!(snapshot, "\n{}", table(&rows, part)).expect("a table");
        problems.extend(rules::broken(&rows));
    }
    assert_eq!(fixtures::end_of_log(&site).await, end, "a request appended an event past the commands");
    insta::assert_snapshot!("authorisation_matrix", snapshot);
    assert!(problems.is_empty(), "{problems:#?}");
}
