//! The routes of a listener, as actix has registered them.

use crate::support::TestSite;
use actix_web::App;
use actix_web::dev::Service;
use actix_web::introspection::{IntrospectionNode, IntrospectionTree, ResourceType};
use actix_web::test::{TestRequest, init_service};
use actix_web::web::Data;
use bootledger_web::server::Part;
use std::collections::BTreeSet;

/// A route: its pattern, and the methods that its guards name; none if it accepts every method.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Route {
    pub(super) pattern: String,
    pub(super) methods: BTreeSet<String>,
}

/// All routes of a listener, sorted by pattern.
pub(super) async fn registered(site: &TestSite, part: Part) -> BTreeSet<Route> {
    let service = init_service(App::new().configure(site.site.configure(part))).await;
    let answer = service.call(TestRequest::get().uri("/healthz").to_request()).await.expect("an answer");
    let tree = answer.request().app_data::<Data<IntrospectionTree>>().expect("actix keeps its routes");
    let mut routes = BTreeSet::new();
    collect(&tree.root, &mut routes);
    routes
}

/// The path of a pattern, with a value for the name of each variable.
pub(super) fn filled(pattern: &str, value: impl Fn(&str) -> String) -> String {
    let (mut path, mut rest) = (String::new(), pattern);
    while let Some((before, after)) = rest.split_once('{') {
        let (variable, behind) = after.split_once('}').expect("a variable's end");
        path.push_str(before);
        path.push_str(&value(variable.split(':').next().unwrap_or_default()));
        rest = behind;
    }
    path + rest
}

fn collect(node: &IntrospectionNode, routes: &mut BTreeSet<Route>) {
    if matches!(node.kind, ResourceType::Resource) {
        let methods: BTreeSet<String> = node.methods.iter().map(ToString::to_string).collect();
        // actix joins paths that differ only in a trailing slash; their patterns keep it.
        for pattern in node.patterns.iter().filter(|pattern| pattern.starts_with('/')) {
            assert_eq!(pattern.trim_end_matches('/'), node.full_path.trim_end_matches('/'), "a pattern within a scope");
            routes.insert(Route { pattern: pattern.clone(), methods: methods.clone() });
        }
        assert!(node.patterns.iter().any(|pattern| pattern.starts_with('/')), "no pattern of {}", node.full_path);
    }
    for child in &node.children {
        collect(child, routes);
    }
}
