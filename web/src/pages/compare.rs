//! The page `/compare`: the fields of any object at two moments, side by side.

use crate::api::compare::{ComparedField, ComparedMoment, Comparison, before_last_change, compare, object_of};
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::snapshot::Snapshot;
use crate::pages::components::badge::Tone;
use crate::pages::components::block;
use crate::pages::components::moment::{Moment, read};
use crate::pages::components::time::moment;
use crate::pages::layout::{Page, PageContext, Section};
use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_aggregates::values::user_name::in_url;
use bootledger_projections::rows::timeline;
use maud::{Markup, html};
use serde::Deserialize;

const PATH: &str = "/compare";

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(resource(PATH).get(show));
}

/// The query of the page. A comparison needs the object; the other parameters have defaults.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Query {
    object: String,
    from: String,
    to: String,
    all: bool,
}

impl Query {
    fn path(&self, from: i64, to: i64, all: bool) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("object", &self.object).append_pair("from", &from.to_string()).append_pair("to", &to.to_string());
        if all {
            query.append_pair("all", "true");
        }
        format!("{PATH}?{}", query.finish())
    }
}

/// The changes of the object around a moment, to step to.
#[derive(Clone, Copy, Debug, Default)]
struct Steps {
    previous: Option<i64>,
    next: Option<i64>,
}

/// Handles the request for the page.
async fn show(page_context: PageContext, mut backend: Backend) -> Result<HttpResponse, Error> {
    let query: Query = page_context.query()?;
    let now = page_context.now;
    let mut snapshot = backend.read_now().await?;
    if query.object.is_empty() {
        let content = html! {
            (block::heading(&[], &html! { "Compare two moments" }, &html! {}))
            p { "Compare the fields of an object at two moments. The clock of an object's page leads here, too." }
            (form(&query, "", ""))
        };
        return page_context
            .with_own_moments()
            .answer(snapshot, Page::new("Compare two moments", Section::Timeline, content))
            .await;
    }
    let to = if query.to.is_empty() { snapshot.position } else { position(&mut snapshot, "to", &query.to, now).await? };
    let from = match query.from.as_str() {
        "" => before_last_change(&mut snapshot, &query.object, to).await?,
        from => position(&mut snapshot, "from", from, now).await?,
    };
    let found = compare(&mut snapshot, &page_context.caller, &query.object, (from, to)).await?;
    let around = (steps(&mut snapshot, &query.object, from).await?, steps(&mut snapshot, &query.object, to).await?);
    let title = format!("Compare {} {}", called(&found.kind), found.key);
    let json = query.path(from, to, query.all).replacen(PATH, "/api/v1/compare", 1);
    let content = view(&query, &found, around);
    let page = Page { json: Some(json), ..Page::new(&title, Section::Timeline, content) };
    page_context.with_own_moments().answer(snapshot, page).await
}

/// The position that a field names, as the clock of a page reads it.
async fn position(snapshot: &mut Snapshot<'_>, field: &str, text: &str, now: Timestamp) -> Result<i64, Error> {
    let text = match read(text) {
        Some(Moment::Time(first, end)) if first <= now => end.min(now).to_string(),
        Some(Moment::Time(first, _)) => first.to_string(),
        Some(Moment::Event(number)) => number.to_string(),
        None => text.to_owned(),
    };
    snapshot.resolve(field, &text, now).await
}

/// The changes before a position, and after it.
async fn steps(snapshot: &mut Snapshot<'_>, object: &str, position: i64) -> Result<Steps, Error> {
    let Some((kind, key)) = object_of(object) else { return Ok(Steps::default()) };
    let (previous, next) = timeline::around(snapshot.connection(), kind, key, position, position).await?;
    Ok(Steps { previous, next })
}

/// The kind of an object as words.
fn called(kind: &str) -> String {
    kind.replace("dhcp", "DHCP").replace('_', " ")
}

/// The page of an object, by the type and key of its events, if it has one.
pub(super) fn page_of(kind: &str, key: &str) -> Option<String> {
    let folder = match kind {
        "deployment" => "deployments",
        "device" => "devices",
        "network" => "networks",
        "rack" => "racks",
        "site" => "sites",
        "venture" => "ventures",
        "boot_image" => "boot-images",
        "dhcp_server" => "dhcp-servers",
        "reservation" => "addresses",
        "bulk" => "bulk-actions",
        "webhook" => "settings/webhooks",
        "user" => return Some(format!("/settings/users/{}", in_url(key))),
        _ => return None,
    };
    Some(format!("/{folder}/{key}"))
}

fn form(query: &Query, from: &str, to: &str) -> Markup {
    let field = |name: &str, label: &str, value: &str, hint: &str| {
        html! {
            div.field {
                label for=(format!("compare-{name}")) { (label) }
                input type="text" id=(format!("compare-{name}")) name=(name) value=(value) maxlength="300" autocomplete="off" spellcheck="false" aria-describedby=(format!("compare-{name}-hint"));
                span.hint id=(format!("compare-{name}-hint")) { (hint) }
            }
        }
    };
    html! {
        form.filters method="get" action=(PATH) {
            (field("object", "Object", &query.object, "Type and key, such as network/prod"))
            (field("from", "From", from, "Event number or time (UTC)"))
            (field("to", "To", to, "Empty for the present"))
            @if query.all { input type="hidden" name="all" value="true"; }
            button type="submit" { "Compare" }
        }
    }
}

fn view(query: &Query, found: &Comparison, (of_from, of_to): (Steps, Steps)) -> Markup {
    let (from, to) = (found.from, found.to);
    let page = page_of(&found.kind, &found.key);
    let changed = found.fields.iter().filter(|field| field.changed).count();
    let title = format!("{} {}", called(&found.kind), found.key);
    html! {
        (block::heading(&[("Timeline", "/timeline")], &html! { "Compare " (title) }, &html! {
            a.button href=(query.path(to.position, from.position, query.all)) { "Swap" }
            @if query.all { a.button href=(query.path(from.position, to.position, false)) { "Show changes only" } }
            @else { a.button href=(query.path(from.position, to.position, true)) { "Show all fields" } }
        }))
        (form(query, &from.position.to_string(), &to.position.to_string()))
        @for (at, words) in [(from, "the first"), (to, "the second")] {
            @if !at.exists { (block::note(Tone::Info, &html! { p { "The object did not exist at " (words) " moment (event " (at.position) ")." } })) }
            @else if at.retired { (block::note(Tone::Info, &html! { p { "The object was retired or decommissioned at " (words) " moment (event " (at.position) ")." } })) }
        }
        section.card id="comparison" aria-labelledby="comparison-title" {
            h2 id="comparison-title" { @match changed { 0 => "No differences", 1 => "1 field differs", _ => { (changed) " fields differ" } } }
            @if from.exists || to.exists {
                div.scroll {
                    table.compare.cards {
                        caption.visually-hidden { "Fields of " (title) " at two moments" }
                        thead {
                            tr {
                                th scope="col" { "Field" }
                                th scope="col" { (head(page.as_deref(), from, "From", |position| query.path(position, to.position, query.all), of_from)) }
                                th scope="col" { (head(page.as_deref(), to, "To", |position| query.path(from.position, position, query.all), of_to)) }
                            }
                        }
                        tbody {
                            @for field in found.fields.iter().filter(|field| query.all || field.changed) { (row(field)) }
                        }
                    }
                }
            }
        }
    }
}

fn head(page: Option<&str>, at: ComparedMoment, word: &str, path: impl Fn(i64) -> String, steps: Steps) -> Markup {
    html! {
        (word) ": "
        @match page.filter(|_| at.exists) {
            Some(page) => a href=(format!("{page}?at={}", at.position)) { "event " (at.position) },
            None => { "event " (at.position) }
        }
        @if let Some(time) = at.recorded_at { br; span.quiet { (moment(time)) } }
        div.actions {
            @if let Some(previous) = steps.previous { a.button.small href=(path(previous)) rel="prev" { "Previous change" } }
            @if let Some(next) = steps.next { a.button.small href=(path(next)) rel="next" { "Next change" } }
        }
    }
}

fn row(field: &ComparedField) -> Markup {
    html! {
        tr {
            th scope="row" { (field.label) }
            td data-label="From" {
                @match &field.from {
                    Some(value) if field.changed => del { "\u{2212}\u{a0}" (value) },
                    Some(value) => (value),
                    None => span.quiet { "none" },
                }
            }
            td data-label="To" {
                @match &field.to {
                    Some(value) if field.changed => ins { "+\u{a0}" (value) },
                    Some(value) => (value),
                    None => span.quiet { "none" },
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scraper::{Html, Selector};

    fn count(html: &Markup, selector: &str) -> usize {
        Html::parse_fragment(&html.0).select(&Selector::parse(selector).expect("a selector")).count()
    }

    fn found(exists: bool) -> Comparison {
        let field = |name: &str, from: Option<&str>, to: Option<&str>| ComparedField {
            field: name.to_owned(),
            label: name.to_owned(),
            from: from.map(str::to_owned),
            to: to.map(str::to_owned),
            changed: from != to,
        };
        let at = |position, exists| ComparedMoment { position, recorded_at: Some(Timestamp::default()), exists, retired: false };
        Comparison {
            kind: "network".to_owned(),
            key: "prod".to_owned(),
            from: at(3, exists),
            to: at(9, true),
            fields: vec![field("a", Some("1"), Some("<2>")), field("b", Some("x"), Some("x")), field("c", None, Some("y"))],
        }
    }

    fn shown(all: bool, exists: bool) -> Markup {
        let query = Query { object: "network/prod".to_owned(), all, ..Query::default() };
        let steps = Steps { previous: Some(2), next: None };
        view(&query, &found(exists), (steps, Steps { previous: Some(5), next: Some(12) }))
    }

    #[test]
    fn what_changed_is_marked_by_elements_and_signs() {
        let html = shown(false, true);
        assert_eq!((count(&html, "tbody tr"), count(&html, "tbody del"), count(&html, "tbody ins")), (2, 1, 2));
        assert!(html.0.contains("\u{2212}\u{a0}1</del>") && html.0.contains("+\u{a0}&lt;2&gt;</ins>"), "{}", html.0);
        assert_eq!(count(&shown(true, true), "tbody tr"), 3);
        assert_eq!((count(&html, ".note"), count(&shown(false, false), ".note")), (0, 1));
    }

    #[test]
    fn objects_lead_to_their_pages() {
        for (kind, key, page) in [
            ("network", "prod", Some("/networks/prod")),
            ("webhook", "chat", Some("/settings/webhooks/chat")),
            ("user", "ada l", Some("/settings/users/ada%20l")),
            ("session", "7", None),
        ] {
            assert_eq!(page_of(kind, key).as_deref(), page);
        }
    }

    #[test]
    fn a_comparison_can_be_swapped_and_stepped() {
        let html = shown(false, true);
        for (selector, links) in
            [("a[rel=prev]", 2), ("a[rel=next]", 1), ("a[href*='from=9&to=3']", 1), ("a[href*='all=true']", 1)]
        {
            assert_eq!(count(&html, selector), links, "{selector}");
        }
        assert_eq!(count(&html, "a[href='/networks/prod?at=3']"), 1);
    }
}
