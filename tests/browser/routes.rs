//! The routes of pages, read from their sources, so that tests over all pages cannot miss one.

use anyhow::{Context, Result, ensure};
use std::path::Path;

/// Routes that are not pages for people: streams, files, suggestions and parts of pages; and a page that exists only after a
/// session has expired.
const OTHERS: [&str; 8] = ["/live/", ".csv", ".jsonl", "/assets/", "/favicon.ico", "/resume", "/suggest", "/timeline/proof"];
/// Handlers that only redirect to a page: reloading a path that only forms are sent to must not be an error.
const LEADING: [&str; 2] = [".get(to_site)", ".get(back)"];
/// The constants by which the sources name routes, and the pages among them. Signing in is a page without a user, so no link of a
/// user leads there.
const NAMED: [(&str, Option<&str>); 8] = [
    ("PASSWORD", Some("/settings/password")),
    ("PATH", Some("/compare")),
    ("moment::PATH", Some("/moment")),
    ("SIGN_IN", None),
    ("SIGN_OUT", None),
    ("VERIFY", None),
    ("openid::BEGIN", None),
    ("openid::CALLBACK", None),
];

/// All routes of pages, such as `/devices/{id}/deploy`.
pub(super) struct Routes(Vec<String>);

impl Routes {
    /// Reads the routes from the sources.
    pub(super) fn read() -> Result<Self> {
        let mut text = String::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("web/src/pages"), &mut text)?;
        let mut routes: Vec<String> = vec![];
        for part in text.split("resource(").skip(1) {
            let Some((route, rest)) = part.strip_prefix('"').and_then(|part| part.split_once("\")")) else {
                let name = part.split(')').next().unwrap_or_default();
                let known = NAMED.iter().find(|(known, _)| *known == name);
                let (_, page) =
                    known.with_context(|| format!("the sources name a route by {name}, which NAMED does not have"))?;
                routes.extend(page.map(str::to_owned));
                continue;
            };
            let leads = LEADING.iter().any(|handler| rest.trim_start().starts_with(handler));
            if rest.trim_start().starts_with(".get") && !leads && !OTHERS.iter().any(|other| route.contains(other)) {
                routes.extend(each(route));
            }
        }
        ensure!(routes.len() > 90, "the sources name only {routes:?}");
        Ok(Self(routes))
    }

    /// Every route of a page.
    pub(super) fn all(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The route of a page that matches a path, with or without a query; if several do, the one with the most literal parts.
    pub(super) fn of(&self, path: &str) -> Option<&str> {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        // A file such as `/devices/export.csv` is not the page of a device with this ID.
        if OTHERS.iter().any(|other| path.contains(other)) {
            return None;
        }
        let named = |route: &str| {
            let (parts, wanted): (Vec<&str>, Vec<&str>) = (path.split('/').collect(), route.split('/').collect());
            let fits = parts.len() == wanted.len()
                && parts.iter().zip(&wanted).all(|(part, want)| want.starts_with('{') || part == want);
            fits.then(|| wanted.iter().filter(|want| !want.starts_with('{')).count())
        };
        self.all().filter_map(|route| Some((named(route)?, route))).max_by_key(|(count, _)| *count).map(|(_, route)| route)
    }
}

/// A route with alternatives, such as `{tab:components|addresses}`, once for each alternative.
fn each(route: &str) -> Vec<String> {
    let alternatives = route.split_once('{').and_then(|(before, rest)| {
        let (inner, after) = rest.rsplit_once('}')?;
        let (_, choices) = inner.rsplit_once(':').filter(|(_, choices)| choices.contains('|'))?;
        let name = inner.rsplit_once('{').map_or("", |(kept, _)| kept);
        let before = if name.is_empty() { before.to_owned() } else { format!("{before}{{{name}") };
        Some(choices.split('|').map(|choice| format!("{before}{choice}{after}")).collect())
    });
    alternatives.unwrap_or_else(|| vec![route.to_owned()])
}

fn sources(folder: &Path, text: &mut String) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sources(&path, text)?;
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            text.push_str(&std::fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

#[test]
fn every_page_of_the_sources_is_read() -> Result<()> {
    let routes = Routes::read()?;
    for page in ["/", "/compare", "/moment", "/settings/password", "/settings/webhooks/{key}/skip", "/zones/{zone:.+}/edit"] {
        ensure!(routes.all().any(|route| route == page), "{page} is not read");
    }
    for other in ["/views", "/timeline/proof", "/search/suggest", "/timeline/verify"] {
        ensure!(routes.all().all(|route| route != other), "{other} is not a page");
    }
    Ok(())
}

#[test]
fn a_path_belongs_to_the_route_that_names_most_of_it() {
    let all: Vec<String> = ["/devices/{id}/{tab:components|history}", "/devices/{id}", "/devices/new"]
        .iter()
        .flat_map(|route| each(route))
        .collect();
    assert_eq!(all, ["/devices/{id}/components", "/devices/{id}/history", "/devices/{id}", "/devices/new"]);
    let routes = Routes(all);
    assert_eq!(routes.of("/devices/new"), Some("/devices/new"));
    assert_eq!(routes.of("/devices/0192"), Some("/devices/{id}"));
    assert_eq!(routes.of("/devices/0192/history?before=7"), Some("/devices/{id}/history"));
    assert_eq!(routes.of("/devices/export.csv?site=dc1"), None);
    assert_eq!(routes.of("/api/v1/devices"), None);
}
