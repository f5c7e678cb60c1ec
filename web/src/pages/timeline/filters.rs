//! The filters of the timeline: fields with suggestions, what is filtered as chips, and names that nothing has.

use crate::confidential::Reader;
use crate::event_filter::{Entered, Resolved, Unknown, accounts, event_types, kind_of};
use crate::http::auth::principal::Principal;
use crate::http::error::Error;
use crate::http::request::snapshot::Snapshot;
use crate::pages::components::badge::Tone;
use crate::pages::components::block;
use crate::pages::layout::PageContext;
use crate::wording::events;
use bootledger_aggregates::event::KINDS;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::rows::timeline;
use maud::{Markup, html};
use serde::Deserialize;

/// How many names of each kind are suggested.
const SUGGESTED: i64 = 150;

/// The filters that a chip names, with their labels.
const LABELS: [(&str, &str); 10] = [
    ("q", "Contains"),
    ("actor", "Actor"),
    ("object", "Object"),
    ("aggregate", "Object"),
    ("type", "Event"),
    ("from", "From"),
    ("to", "To"),
    ("correlation", "Request"),
    ("device", "Device"),
    ("deployment", "Deployment"),
];

/// The filters that a saved view keeps.
pub(super) const FILTERS: [&str; 9] =
    ["actor", "object", "aggregate", "type", "from", "to", "correlation", "device", "deployment"];

/// The query of the page.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Query {
    device: Option<DeviceId>,
    deployment: Option<DeploymentId>,
    object: Option<String>,
    /// The name of `object` in links of earlier versions.
    aggregate: Option<String>,
    actor: Option<String>,
    correlation: Option<String>,
    r#type: Option<String>,
    from: Option<String>,
    to: Option<String>,
    q: Option<String>,
    /// The page begins before this position.
    pub(super) before: Option<i64>,
}

impl Query {
    /// The filters of a reader.
    pub(super) fn entered(&self, reader: Reader) -> Entered {
        Entered {
            actor: self.actor.clone(),
            object: self.object.clone().or_else(|| self.aggregate.clone()),
            event_type: self.r#type.clone(),
            from: self.from.clone(),
            to: self.to.clone(),
            correlation: self.correlation.clone(),
            device: self.device,
            deployment: self.deployment,
            text: self.q.clone(),
            reader,
        }
    }
}

/// What the fields suggest.
#[derive(Clone, Debug, Default)]
pub(super) struct Suggestions {
    actors: Vec<String>,
    objects: Vec<String>,
}

impl Suggestions {
    /// Reads the actors and names that exist, as far as the visitor may read about them.
    pub(super) async fn read(principal: &Principal, snapshot: &mut Snapshot<'_>) -> Result<Self, Error> {
        let position = snapshot.position;
        let actors = timeline::actors(snapshot.connection(), position, SUGGESTED).await?;
        let kinds = KINDS.iter().map(|(kind, _)| *kind).filter(|kind| accounts::may_read(principal, kind));
        let mut objects: Vec<String> = kinds.map(str::to_owned).collect();
        objects.extend(timeline::suggestions(snapshot.connection(), SUGGESTED, accounts::hidden(principal)).await?);
        Ok(Self { actors, objects })
    }
}

/// This page's path and query without some parameters.
pub(super) fn without(page_context: &PageContext, names: &[&str]) -> String {
    let kept = page_context.parameters().filter(|(name, value)| !names.contains(name) && !value.is_empty());
    let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish();
    if text.is_empty() { "/timeline".to_owned() } else { format!("/timeline?{text}") }
}

/// This page's path and query with one parameter set, at the first page unless the parameter is `before`.
pub(super) fn with(page_context: &PageContext, name: &str, value: &str) -> String {
    let rest = without(page_context, &[name, "before"]);
    let pair = form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish();
    format!("{rest}{}{pair}", if rest.contains('?') { '&' } else { '?' })
}

/// The query with the names that the API uses.
pub(super) fn for_api(page_context: &PageContext) -> String {
    let rest = without(page_context, &["before", "aggregate"]);
    match page_context.parameter("aggregate") {
        "" => rest,
        object if page_context.parameter("object").is_empty() => {
            let pair = form_urlencoded::Serializer::new(String::new()).append_pair("object", object).finish();
            format!("{rest}{}{pair}", if rest.contains('?') { '&' } else { '?' })
        }
        _ => rest,
    }
}

/// The form. `unknown` lists the fields whose values nothing has.
pub(super) fn form(page_context: &PageContext, suggestions: &Suggestions, resolved: &Resolved, unknown: &[Unknown]) -> Markup {
    let is_unknown = |name: &str| unknown.iter().any(|unknown| unknown.field == name);
    let object = match page_context.parameter("object") {
        "" => page_context.parameter("aggregate"),
        object => object,
    };
    let text = |name: &str, label: &str, value: &str, placeholder: &str, list: Option<&str>| {
        html! {
            div.field {
                label for=(format!("filter-{name}")) { (label) }
                input type="text" id=(format!("filter-{name}")) name=(name) value=(value) placeholder=(placeholder) maxlength="300"
                    list=[list] autocomplete="off" aria-invalid=[is_unknown(name).then_some("true")]
                    aria-describedby=[is_unknown(name).then(|| format!("unknown-{name}"))];
            }
        }
    };
    let moment = |name: &str, label: &str, at: Option<Timestamp>| {
        html! {
            div.field {
                label for=(format!("filter-{name}")) { (label) " (UTC)" }
                input type="datetime-local" step="1" id=(format!("filter-{name}")) name=(name) value=(at.map(local).unwrap_or_default())
                    aria-invalid=[is_unknown(name).then_some("true")] aria-describedby=[is_unknown(name).then(|| format!("unknown-{name}"))];
            }
        }
    };
    let principal = &page_context.caller.principal;
    let event_type = chip_value("type", page_context.parameter("type"));
    html! {
        form.filters method="get" action="/timeline" {
            div.field.grow {
                label for="filter-q" { "Search" }
                input type="search" id="filter-q" name="q" value=(page_context.parameter("q")) placeholder="Names, values, reasons" maxlength="300";
            }
            (text("actor", "Actor", page_context.parameter("actor"), "user ada", Some("known-actors")))
            (text("object", "Object", object, "Host name or network/prod", Some("known-objects")))
            (text("type", "Event", &event_type, "Deployment started", Some("known-types")))
            (moment("from", "From", resolved.from))
            (moment("to", "To", resolved.to))
            @for (name, value) in page_context.parameters().filter(|(name, value)| ["device", "deployment", "correlation", "at"].contains(name) && !value.is_empty()) {
                input type="hidden" name=(name) value=(value);
            }
            button type="submit" { "Filter" }
            datalist id="known-actors" { @for actor in &suggestions.actors { option value=(actor) {} } }
            datalist id="known-objects" { @for object in &suggestions.objects { option value=(object) {} } }
            datalist id="known-types" { @for (_, event_type) in accounts::readable_types(principal) { option value=(events::label(event_type)) {} } }
        }
        p.timeline-ranges {
            "Last " a href=(range(page_context, "24h")) { "24 hours" } " · " a href=(range(page_context, "7d")) { "7 days" } " · "
            a href=(range(page_context, "30d")) { "30 days" }
            @if page_context.may(Role::Auditor).is_ok() { " · " a href=(with(page_context, "type", SIGN_INS)) { "Sign-ins and lock-outs" } }
        }
    }
}

/// The types of events about sign-ins.
const SIGN_INS: &str = "SessionStarted,SessionEnded,UserSignInsFailed,UnknownUserSignInsFailed,UserLockedOut,UserUnlocked";

/// The page with a range of time that ends now.
fn range(page_context: &PageContext, span: &str) -> String {
    let rest = without(page_context, &["from", "to", "before"]);
    format!("{rest}{}from={span}", if rest.contains('?') { '&' } else { '?' })
}

/// The value of a `datetime-local` field, to the second.
fn local(at: Timestamp) -> String {
    at.to_string().chars().take(19).collect()
}

/// What is filtered: each chip is a link that removes its filter.
pub(super) fn chips(page_context: &PageContext) -> Markup {
    let active: Vec<(&str, &str, &str)> = page_context
        .parameters()
        .filter(|(_, value)| !value.is_empty())
        .filter_map(|(name, value)| LABELS.iter().find(|(known, _)| *known == name).map(|(_, label)| (name, *label, value)))
        .collect();
    html! {
        @if !active.is_empty() {
            ul.timeline-chips aria-label="Active filters" {
                @for (name, label, value) in &active {
                    li {
                        a href=(without(page_context, &[name, "before"])) {
                            span.visually-hidden { "Remove the filter " }
                            (label) ": " (chip_value(name, value)) span aria-hidden="true" { " ×" }
                        }
                    }
                }
                @if active.len() > 1 { li { a href=(all(page_context)) { "Clear all" } } }
            }
        }
    }
}

/// The page without filters, at the same moment.
fn all(page_context: &PageContext) -> String {
    let names: Vec<&str> = LABELS.iter().map(|(name, _)| *name).chain(["before"]).collect();
    without(page_context, &names)
}

fn chip_value(name: &str, value: &str) -> String {
    match name {
        "type" => {
            let label = |wanted: &str| {
                let known = event_types().find(|(_, known)| *known == wanted.trim());
                known.map_or_else(|| wanted.trim().to_owned(), |(_, known)| events::label(known))
            };
            value.split(',').map(label).collect::<Vec<_>>().join(", ")
        }
        "object" | "aggregate" => {
            kind_of(value).map_or_else(|| value.to_owned(), |kind| format!("any {}", kind.replace('_', " ")))
        }
        _ => value.to_owned(),
    }
}

/// The filters that name nothing, each with links to similar names.
pub(super) fn unknown(page_context: &PageContext, unknown: &[Unknown]) -> Markup {
    html! {
        @for Unknown { field, message, similar } in unknown {
            (block::note(Tone::Warn, &html! {
                div id=(format!("unknown-{field}")) {
                    p { (message) "." }
                    @if !similar.is_empty() {
                        p { "Similar: " @for (n, name) in similar.iter().enumerate() {
                            @if n > 0 { ", " }
                            a href=(with(page_context, field, name)) { (name) }
                        } }
                    }
                    p { a href=(without(page_context, &[field, if *field == "object" { "aggregate" } else { "" }, "before"])) { "Remove this filter" } }
                }
            }))
        }
    }
}
