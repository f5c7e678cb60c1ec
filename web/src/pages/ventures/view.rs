//! Views of ventures and roles.

use super::lineage::{self, From};
use crate::pages::catalogue::VENTURE;
use crate::pages::catalogue::list::{self, Heading, Value};
use crate::pages::components::action::{self, Allowed, Look};
use crate::pages::components::badge::{Tone, badge};
use crate::pages::components::block::{self, card};
use crate::pages::layout::PageContext;
use crate::pages::list::Listing;
use crate::pages::list::filters::bar;
use crate::pages::list::views::Views;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::venture::RoleSpec;
use bootledger_projections::questions::role_uses::RoleUse;
use bootledger_projections::rows::catalogue::{Entry, VentureView};
use maud::{Markup, html};

/// The columns of the CSV.
pub(super) const COLUMNS: &[Heading<VentureView>] = &[
    Heading::new("venture", "Venture", |venture| Value::text(&venture.key)),
    Heading::new("parent", "Parent", |venture| optional(venture.spec.spec.parent.as_ref())),
    Heading::new("description", "Description", |venture| Value::text(&venture.spec.spec.description)),
    Heading::new("default_boot_image", "Default boot image", |venture| optional(venture.spec.spec.default_boot_image.as_ref())),
    Heading::new("roles", "Roles", |venture| Value::Text(names(venture.spec.roles.keys()))),
];

fn optional(name: Option<&Name>) -> Value {
    Value::Text(name.map(ToString::to_string).unwrap_or_default())
}

/// Names separated by commas.
pub(super) fn names<'a>(names: impl Iterator<Item = &'a Name>) -> String {
    names.map(Name::as_str).collect::<Vec<_>>().join(", ")
}

/// The source of a value, as a link; "own" if it is the page's own.
fn whose(from: &From<'_>, own: &From<'_>) -> Markup {
    html! {
        @if from == own { span.quiet { "set here" } }
        @else {
            @match from {
                From::Role(role) => { "role " (role) }
                From::Venture(venture) => { "from " a href=(VENTURE.page(venture)) { (venture) } }
            }
        }
    }
}

/// A boot image and its source.
fn image(found: Option<(&Name, From<'_>)>, own: &From<'_>) -> Markup {
    html! {
        @match found {
            Some((image, from)) => { a href=(format!("/boot-images/{image}")) { (image) } " " (whose(&from, own)) }
            None => { span.quiet { "none: each deployment must name one" } }
        }
    }
}

/// Whether a venture has a text in its name, description or roles.
fn has(venture: &Entry<VentureView>, q: &str) -> bool {
    let text = |text: &str| text.to_lowercase().contains(q);
    let roles = &venture.spec.roles;
    text(venture.key.as_str())
        || text(venture.spec.spec.description.as_str())
        || roles.iter().any(|(name, role)| text(name.as_str()) || text(role.description.as_str()))
}

/// The ventures that a tree shows: those with the searched text and their ancestors; without a search, all.
fn shown<'a>(all: &'a [Entry<VentureView>], q: Option<&str>) -> Vec<&'a Entry<VentureView>> {
    let q = q.unwrap_or_default().to_lowercase();
    let found: Vec<&Entry<VentureView>> = all.iter().filter(|venture| has(venture, &q)).collect();
    let mut shown: Vec<&Entry<VentureView>> = found.iter().flat_map(|venture| lineage::of(venture, all)).collect();
    shown.sort_by(|a, b| a.key.cmp(&b.key));
    shown.dedup_by(|a, b| a.key == b.key);
    shown
}

/// Renders the tree of ventures.
pub(super) fn tree(
    page_context: &PageContext,
    all: &[Entry<VentureView>],
    uses: &[RoleUse],
    (q, views): (Option<&str>, &Views),
    may: &Allowed,
) -> Markup {
    let shown = shown(all, q);
    let csv = page_context.with("as", Some("csv"));
    let json = list::json(page_context, "/api/v1/ventures");
    let listing = Listing {
        page_context,
        many: "ventures",
        choices: &[],
        total: i64::try_from(all.len()).unwrap_or(i64::MAX),
        columns: None,
        views: views.menu(page_context),
        exports: (Some(&csv), Some(&json)),
    };
    let (retired, current): (Vec<&Entry<VentureView>>, Vec<_>) = shown.iter().partition(|venture| venture.retired);
    html! {
        (block::heading(&[], &html! { (VENTURE.many) }, &action::link("new", &VENTURE.new_path(), Look::Primary, "plus-lg", "Create venture", may)))
        p.quiet { "A venture is the owner of servers, such as a team or a service. A role is what a server does in its venture, such as web. Each deployment assigns a venture and a role." }
        @if all.is_empty() {
            (block::empty(
                "There are no ventures yet. Create a venture, then its roles.",
                &html! { a.button.primary href=(VENTURE.new_path()) { "Create venture" } },
            ))
        } @else {
            (bar(page_context, VENTURE.path, "Name, description or role", &[]))
            (listing.tools(shown.len()))
            @if shown.is_empty() { (block::empty("No results.", &html! { a.button href=(VENTURE.path) { "Show all" } })) }
            @let roots: Vec<_> = current.iter().copied().filter(|venture| parent(venture, &current).is_none()).collect();
            @if !roots.is_empty() { ul.tree { @for root in roots { (branch(root, all, &current, uses, 0)) } } }
            @if !retired.is_empty() {
                details.more {
                    summary { "Retired (" (retired.len()) ")" }
                    ul.plain { @for venture in retired { li { a href=(VENTURE.page(&venture.key)) { (venture.key) } " " (venture.spec.spec.description) } } }
                }
            }
        }
    }
}

fn parent<'a>(venture: &Entry<VentureView>, among: &[&'a Entry<VentureView>]) -> Option<&'a Entry<VentureView>> {
    let parent = venture.spec.spec.parent.as_ref()?;
    among.iter().copied().find(|entry| entry.key == *parent && entry.key != venture.key)
}

/// Maximum depth of a tree that is shown. A cycle, which the rules refuse, would otherwise be endless.
const DEEPEST: usize = 32;

fn branch(
    venture: &Entry<VentureView>,
    all: &[Entry<VentureView>],
    shown: &[&Entry<VentureView>],
    uses: &[RoleUse],
    depth: usize,
) -> Markup {
    let key = &venture.key;
    let mine = uses.iter().filter(|used| used.venture == *key);
    let (devices, live) = mine.fold((0, 0), |(devices, live), used| (devices + used.devices, live + used.live));
    let lineage = lineage::of(venture, all);
    let parts: Vec<_> = shown.iter().copied().filter(|part| part.spec.spec.parent.as_ref() == Some(key)).collect();
    html! {
        li {
            div.card {
                header {
                    h2 { a href=(VENTURE.page(key)) { (key) } }
                    span { (counts(key, None, devices, live)) }
                }
                @if !venture.spec.spec.description.is_empty() { p { (venture.spec.spec.description) } }
                p { "Default boot image: " (image(lineage::boot_image(None, &lineage), &From::Venture(key))) }
                @if venture.spec.roles.is_empty() { p.quiet { "No roles yet." } }
                @else {
                    ul.plain.roles {
                        @for (role, spec) in &venture.spec.roles {
                            li { a href=(format!("{}/roles/{role}", VENTURE.page(key))) { (role) } @if !spec.description.is_empty() { " " span.quiet { (spec.description) } } }
                        }
                    }
                }
            }
            @if !parts.is_empty() && depth < DEEPEST { ul.tree { @for part in parts { (branch(part, all, shown, uses, depth + 1)) } } }
        }
    }
}

/// The numbers of devices and of live deployments, as links.
fn counts(venture: &Name, role: Option<&Name>, devices: i64, live: i64) -> Markup {
    let role = role.map(|role| format!("&role={role}")).unwrap_or_default();
    html! {
        a href=(format!("/devices?venture={venture}{role}")) { (devices) @if devices == 1 { " device" } @else { " devices" } }
        ", "
        a href=(format!("/deployments?venture={venture}{role}&live=true")) { (live) @if live == 1 { " live deployment" } @else { " live deployments" } }
    }
}

/// The properties of a venture.
pub(super) fn facts(venture: &Entry<VentureView>, all: &[Entry<VentureView>]) -> Markup {
    let (key, spec) = (&venture.key, &venture.spec.spec);
    let lineage = lineage::of(venture, all);
    let parts: Vec<&Name> =
        all.iter().filter(|part| !part.retired && part.spec.spec.parent.as_ref() == Some(key)).map(|part| &part.key).collect();
    let broken = spec.parent.as_ref().filter(|_| lineage.len() < 2);
    card(
        "facts",
        "Details",
        &block::facts(&[
            ("Description", html! { @if spec.description.is_empty() { span.quiet { "none" } } @else { (spec.description) } }),
            (
                "Part of",
                html! {
                    @match &spec.parent { Some(parent) => { a href=(VENTURE.page(parent)) { (parent) } } None => { span.quiet { "none" } } }
                    @if broken.is_some() { " " (badge(Tone::Warn, "Retired: nothing is inherited")) }
                },
            ),
            (
                "Sub-ventures",
                html! {
                    @if parts.is_empty() { span.quiet { "none" } }
                    @for (index, part) in parts.iter().enumerate() { @if index > 0 { ", " } a href=(VENTURE.page(part)) { (part) } }
                },
            ),
            ("Default boot image", image(lineage::boot_image(None, &lineage), &From::Venture(key))),
        ]),
    )
}

/// The roles of a venture.
pub(super) fn roles(venture: &Entry<VentureView>, all: &[Entry<VentureView>], uses: &[RoleUse]) -> Markup {
    let (key, lineage) = (&venture.key, lineage::of(venture, all));
    // A device may have a role that was retired.
    let gone: Vec<&RoleUse> =
        uses.iter().filter(|used| used.venture == *key && !venture.spec.roles.contains_key(&used.role)).collect();
    card(
        "roles",
        "Roles",
        &html! {
            @if venture.spec.roles.is_empty() {
                p { "No roles yet. Each deployment assigns a role to its server. Create a role first." }
            } @else {
                div.scroll {
                    table.cards {
                        thead { tr { th scope="col" { "Role" } th scope="col" { "Description" } th scope="col" { "Boot image" } th scope="col" { "Used by" } } }
                        tbody {
                            @for (role, spec) in &venture.spec.roles {
                                @let mine = uses.iter().find(|used| used.venture == *key && used.role == *role);
                                tr {
                                    th scope="row" { a href=(format!("{}/roles/{role}", VENTURE.page(key))) { (role) } }
                                    td data-label="Description" { (spec.description) }
                                    td data-label="Boot image" { (image(lineage::boot_image(Some((role, spec)), &lineage), &From::Role(role))) }
                                    td data-label="Used by" { (counts(key, Some(role), mine.map_or(0, |mine| mine.devices), mine.map_or(0, |mine| mine.live))) }
                                }
                            }
                        }
                    }
                }
            }
            @for used in gone {
                (block::note(Tone::Warn, &html! { p { "The role " strong { (used.role) } " is retired, but is still assigned to " (counts(key, Some(&used.role), used.devices, used.live)) ". Restore the role, or deploy these devices with another role." } }))
            }
        },
    )
}

/// The properties of a role.
pub(super) fn role_facts(role: &Name, spec: &RoleSpec, lineage: &[&Entry<VentureView>], used: &RoleUse) -> Markup {
    card(
        "facts",
        "Details",
        &block::facts(&[
            ("Description", html! { @if spec.description.is_empty() { span.quiet { "none" } } @else { (spec.description) } }),
            ("Venture", html! { a href=(VENTURE.page(&used.venture)) { (used.venture) } }),
            ("Default boot image", image(lineage::boot_image(Some((role, spec)), lineage), &From::Role(role))),
            ("Used by", counts(&used.venture, Some(role), used.devices, used.live)),
        ]),
    )
}

/// The data for Puppet about servers of a role, or of a whole venture, each value with its source.
pub(super) fn puppet(role: Option<(&Name, &RoleSpec)>, venture: &Entry<VentureView>, all: &[Entry<VentureView>]) -> Markup {
    let lineage = lineage::of(venture, all);
    let puppet_data = lineage::puppet_data(role, &lineage);
    let own = role.map_or(From::Venture(&venture.key), |(role, _)| From::Role(role));
    card(
        "puppet",
        "Puppet data",
        &html! {
            p { "Environment: " @match &puppet_data.environment { Some((environment, from)) => { code { (environment) } " " (whose(from, &own)) } None => { span.quiet { "default of the agent" } } } }
            @if puppet_data.classes.is_empty() && puppet_data.parameters.is_empty() { p.quiet { "No classes and no parameters." } }
            @if !puppet_data.classes.is_empty() {
                h3 { "Classes" }
                div.scroll {
                    table.cards {
                        thead { tr { th scope="col" { "Class" } th scope="col" { "Parameter" } th scope="col" { "Value" } th scope="col" { "Source" } } }
                        tbody {
                            @for (class, parameter, from) in &puppet_data.classes {
                                tr {
                                    th scope="row" { code { (class) } }
                                    td data-label="Parameter" { @if let Some((name, _)) = parameter { code { (name) } } }
                                    td data-label="Value" { @if let Some((_, value)) = parameter { code { (value) } } }
                                    td data-label="Source" { (whose(from, &own)) }
                                }
                            }
                        }
                    }
                }
            }
            @if !puppet_data.parameters.is_empty() {
                h3 { "Parameters" }
                div.scroll {
                    table.cards {
                        thead { tr { th scope="col" { "Parameter" } th scope="col" { "Value" } th scope="col" { "Source" } } }
                        tbody {
                            @for (name, value, from) in &puppet_data.parameters {
                                tr { th scope="row" { code { (name) } } td data-label="Value" { code { (value) } } td data-label="Source" { (whose(from, &own)) } }
                            }
                        }
                    }
                }
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::selectors::{attributes, texts};
    use serde_json::json;

    fn venture(key: &str, view: serde_json::Value) -> Entry<VentureView> {
        let view = serde_json::from_value(view).expect("a venture");
        Entry { key: key.parse().expect("a name"), sequence: 1, retired: false, spec: view }
    }

    fn all() -> [Entry<VentureView>; 2] {
        [
            venture("search", json!({"spec": {"parent": "shop", "description": "<i>Search</i>"}, "roles": {"indexer": {}}})),
            venture(
                "shop",
                json!({"spec": {"default_boot_image": "debian-13", "puppet_parameters": {"tier": "gold<b>"}}, "roles": {"web": {"default_boot_image": "rocky-9"}}}),
            ),
        ]
    }

    fn used(venture: &str, role: &str) -> RoleUse {
        let name = |text: &str| text.parse().expect("a name");
        RoleUse { venture: name(venture), role: name(role), devices: 3, live: 1 }
    }

    #[test]
    fn an_inherited_boot_image_says_from_where() {
        let all = all();
        let html = facts(&all[0], &all);
        let image = texts(&html, "dd")[3].clone();
        assert!(image.contains("debian-13") && image.contains("shop"), "{image}");
        let own = texts(&facts(&all[1], &all), "dd")[3].clone();
        assert!(own.contains("debian-13") && !own.contains("shop"), "{own}");
        assert_eq!(texts(&html, "i").len(), 0, "escaped");
        let html = roles(&all[1], &all, &[used("shop", "web"), used("shop", "old")]);
        assert!(texts(&html, "tbody tr")[0].contains("rocky-9"));
        assert_eq!(
            attributes(&html, "tbody td a", "href")[1..],
            ["/devices?venture=shop&role=web", "/deployments?venture=shop&role=web&live=true"]
        );
        let note = texts(&html, ".note").concat();
        assert!(note.contains("old") && note.contains('3'), "{note}");
    }

    #[test]
    fn puppet_data_is_shown_with_its_source() {
        let all = all();
        let html = puppet(None, &all[0], &all);
        let row = texts(&html, "tbody tr")[0].clone();
        assert!(row.starts_with("tier\"gold<b>\"") && row.ends_with("shop"), "{row}");
        assert_eq!(attributes(&html, "tbody a", "href"), ["/ventures/shop"]);
    }

    #[test]
    fn a_search_keeps_what_is_above_what_it_finds() {
        let all = all();
        let keys = |q| shown(&all, q).iter().map(|entry| entry.key.to_string()).collect::<Vec<_>>();
        assert_eq!(keys(Some("indexer")), ["search", "shop"]);
        assert_eq!(keys(Some("WEB")), ["shop"]);
        assert_eq!(keys(Some("nothing")).len(), 0);
        assert_eq!(keys(None).len(), 2);
    }
}
