//! Views of DHCP servers.

use super::{News, awaited, form::called};
use crate::english::counted;
use crate::http::error::problem::ProblemError;
use crate::machines::dhcp::format::Format;
use crate::machines::dhcp::held::Current;
use crate::pages::catalogue::{DHCP_SERVER, list};
use crate::pages::components::badge::{Tone, badge};
use crate::pages::components::block::{self, card};
use crate::pages::components::time::{moment, since};
use crate::pages::layout::PageContext;
use crate::wording::plugins;
use crate::wording::timeline::sentence;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::rows::catalogue::{DhcpServerView, Entry};
use bootledger_projections::rows::dhcp_sites::LastChange;
use bootledger_projections::rows::plugin_runs::HeldUp;
use maud::{Markup, html};

/// How many lines of a configuration are shown.
const SHOWN_LINES: usize = 120;

/// The state of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Retired,
    Failing,
    Unconfirmed,
    Behind,
    Current,
    /// The server has confirmed a configuration. For a past position, later changes are not known.
    Confirmed,
}

impl State {
    fn of(server: &Entry<DhcpServerView>, change: Option<&LastChange>) -> Self {
        let view = &server.spec;
        match (&view.confirmed, change) {
            _ if server.retired => Self::Retired,
            _ if view.failing.is_some() => Self::Failing,
            (None, _) => Self::Unconfirmed,
            (Some(_), None) => Self::Confirmed,
            (Some(confirmed), Some(change)) if confirmed.position < change.line.position => Self::Behind,
            (Some(_), Some(_)) => Self::Current,
        }
    }

    fn badge(self) -> Markup {
        match self {
            Self::Retired => badge(Tone::Neutral, "Retired"),
            Self::Failing => badge(Tone::Bad, "Failing"),
            Self::Unconfirmed => badge(Tone::Bad, "Never confirmed"),
            Self::Behind => badge(Tone::Warn, "Behind"),
            Self::Current => badge(Tone::Good, "Current"),
            Self::Confirmed => badge(Tone::Neutral, "Confirmed"),
        }
    }
}

fn short(revision: &Sha256) -> String {
    revision.to_string().chars().take(12).collect()
}

/// The columns of the list.
pub(super) const COLUMNS: &[list::Heading<DhcpServerView>] = &[
    list::Heading::new("server", "Server", |server| list::Value::text(&server.key)),
    list::Heading::new("site", "Site", |server| list::Value::text(&server.spec.spec.site)),
    list::Heading::new("software", "Software", |server| list::Value::text(called(server.spec.spec.kind))),
    list::Heading::shown("expected", "Expected"),
    list::Heading::new("observed", "Observed", |server| {
        let position = server.spec.confirmed.as_ref().map(|confirmed| confirmed.position);
        list::Value::Placed(position.unwrap_or_default(), position.map(|position| position.to_string()).unwrap_or_default())
    }),
    list::Heading::new("checked", "Last checked", |server| {
        list::Value::Text(server.spec.last_report().map(|at| at.to_string()).unwrap_or_default())
    }),
    list::Heading::shown("state", "State"),
    list::Heading::shown("waiting", "Waiting deployments"),
];

/// The list's table.
pub(super) fn table(page_context: &PageContext, rows: &Markup) -> Markup {
    html! {
        table.cards {
            caption.visually-hidden { "DHCP servers" }
            (list::head(page_context, COLUMNS))
            (rows)
        }
    }
}

/// The rows of the list, live. `news` is `None` for past positions.
pub(super) fn rows(servers: &[Entry<DhcpServerView>], news: Option<&News>, now: Timestamp) -> Markup {
    html! {
            tbody id="servers" {
                @for server in servers {
                    @let view = &server.spec;
                    @let change = news.and_then(|(changes, _)| changes.iter().find(|change| change.site == view.spec.site));
                    @let state = State::of(server, change);
                    @let key = awaited(&server.key);
                    @let held_up = news.map(|(_, waiting)| waiting.iter().find(|known| known.key == key).map_or(0, |known| known.deployments));
                    tr {
                        (list::name(&DHCP_SERVER, server.key.as_str(), false))
                        td data-label="Site" { a href=(format!("/sites/{}", view.spec.site)) { (view.spec.site) } }
                        td data-label="Software" { (called(view.spec.kind)) }
                        td data-label="Expected" { @match change { Some(change) => { "as of " a href=(format!("/timeline/{}", change.line.position)) { "event " (change.line.position) } } None if news.is_some() => { span.quiet { "no changes known" } } None => { (block::not_of_the_past()) } } }
                        td data-label="Observed" { @match &view.confirmed { Some(confirmed) => { "as of " a href=(format!("/timeline/{}", confirmed.position)) { "event " (confirmed.position) } ", revision " code title=(confirmed.revision) { (short(&confirmed.revision)) } } None => span.quiet { "nothing" } } }
                        td data-label="Last checked" { @match view.last_report() { Some(at) => { (since(at, now)) " ago" } None => (badge(Tone::Neutral, "Not checked")) } }
                        td data-label="State" {
                            (state.badge())
                            @if let Some(failing) = &view.failing { div { (failing.message) } }
                            @if let (State::Behind, Some(change)) = (state, change) { div.quiet { "since a change " (since(change.line.recorded_at, now)) " ago" } }
                        }
                        td data-label="Waiting deployments" {
                            @match held_up {
                                Some(0) => { span.quiet { "none" } }
                                Some(count) => { a href=(format!("/dhcp-servers/{}#waiting", server.key)) { (counted(count, "deployment", "deployments")) } }
                                None => { (block::not_of_the_past()) }
                            }
                        }
                    }
                }
            }
    }
}

/// The properties and the state of a server.
pub(super) fn state(server: &Entry<DhcpServerView>, change: Option<&LastChange>, now_known: bool, now: Timestamp) -> Markup {
    let (view, state) = (&server.spec, State::of(server, change));
    let advice = html! { "Check on its machine that " code { "bootledger dhcp-agent" } " runs there and reaches this service." };
    card(
        "state",
        "State",
        &html! {
            p { (state.badge()) }
            @if let Some(failing) = &view.failing {
                (block::note(Tone::Bad, &html! {
                    p { strong { "It rejected its configuration and has kept the previous one for " (since(failing.at, now)) ". Message:" } }
                    pre { (failing.message) }
                }))
            }
            @match (state, change) {
                (State::Behind, Some(change)) => {
                    (block::note(Tone::Warn, &html! {
                        p { "It has not confirmed the last change of its configuration, " (since(change.line.recorded_at, now)) " ago: " (sentence(&change.line)) " (event " (change.line.position) ")." }
                        p { (advice) }
                    }))
                }
                (State::Unconfirmed, _) => { (block::note(Tone::Warn, &html! { p { "It has never confirmed a configuration. " (advice) } })) }
                _ => {}
            }
            (block::facts(&[
                ("Site", html! { a href=(format!("/sites/{}", view.spec.site)) { (view.spec.site) } }),
                ("Software", html! { (called(view.spec.kind)) }),
                ("Address", html! { @match view.spec.address { Some(address) => { code { (address) } } None => { span.quiet { "none" } } } }),
                ("Confirmed", html! {
                    @match &view.confirmed {
                        Some(confirmed) => { "revision " code title=(confirmed.revision) { (short(&confirmed.revision)) } " of event " (confirmed.position) ", " (moment(confirmed.at)) }
                        None => { span.quiet { "nothing" } }
                    }
                }),
                ("Last change", html! {
                    @match change {
                        Some(change) => { (sentence(&change.line)) ", " (moment(change.line.recorded_at)) " (event " (change.line.position) ")" }
                        None if now_known => { span.quiet { "no changes yet" } }
                        None => { span.quiet { "not available for past events" } }
                    }
                }),
            ]))
        },
    )
}

/// The deployments that are waiting for a server.
pub(super) fn waiting(key: &Name, waiting: &[HeldUp], count: i64, now_known: bool, now: Timestamp) -> Markup {
    card(
        "waiting",
        "Waiting deployments",
        &html! {
            @if !now_known { p.quiet { "Waiting deployments are shown only for the present." } }
            @else if waiting.is_empty() { p { "No deployments are waiting." } }
            @else {
                p { strong { (count) @if count == 1 { " deployment waits" } @else { " deployments wait" } } " until it confirms a configuration with " @if count == 1 { "its entry." } @else { "their entries." } }
                div.scroll {
                    table.cards {
                        thead { tr { th scope="col" { "Deployment" } th scope="col" { "Waiting time" } th scope="col" { "Reason" } } }
                        tbody {
                            @for held_up in waiting {
                                tr {
                                    th scope="row" { a href=(format!("/deployments/{}", held_up.deployment)) { (held_up.hostname) } }
                                    td data-label="Waiting time" { (since(held_up.since, now)) ", since " (moment(held_up.since)) }
                                    td data-label="Reason" { @if let Some(reason) = &held_up.reason { (plugins::waiting(reason, held_up.hostname.as_str())) } }
                                }
                            }
                        }
                    }
                }
                @if count > i64::try_from(waiting.len()).unwrap_or(i64::MAX) { p.quiet { "The " (waiting.len()) " longest waits are shown. " a href=(format!("/deployments?awaiting={}", awaited(key))) { "Show all" } } }
            }
        },
    )
}

fn file(site: &Name, format: Format) -> String {
    format!("/dhcp/{site}/{format}")
}

/// The configuration that a server should have, or what its format cannot express, or that there is none.
pub(super) fn configuration(site: &Name, format: Format, current: Option<Result<&Current, &[ProblemError]>>) -> Markup {
    card(
        "configuration",
        "Expected configuration",
        &html! {
            @match current {
                None => { p.quiet { "None: the server or its site is retired." } }
                Some(Err(problems)) => {
                    (block::note(Tone::Bad, &html! {
                        p { strong { "This configuration cannot be written for this software, so the server keeps its current one:" } }
                        ul { @for problem in problems { li { (problem.message) } } }
                        p { "Edit these options of the site or its networks, or use other DHCP software for the site." }
                    }))
                }
                Some(Ok(current)) => {
                    @let text = std::str::from_utf8(&current.revision.bytes).unwrap_or_default();
                    @let (shown, lines) = head(text);
                    p {
                        a href=(file(site, format)) { (file(site, format)) } ", revision " code title=(current.revision.sha256) { (short(&current.revision.sha256)) }
                        ", " (counted(lines, "line", "lines")) ", " (counted(current.revision.bytes.len(), "byte", "bytes")) "."
                    }
                    details.more {
                        summary { @if lines > SHOWN_LINES { "First " (SHOWN_LINES) " lines" } @else { "All lines" } }
                        pre tabindex="0" { (shown) }
                    }
                }
            }
        },
    )
}

/// The link to the configuration at a past position.
pub(super) fn past_configuration(site: &Name, format: Format, position: i64) -> Markup {
    let path = format!("{}?at={position}", file(site, format));
    card("configuration", "Expected configuration", &html! { p { a href=(path) { (path) } } })
}

/// The first lines of a text, and the number of its lines.
fn head(text: &str) -> (&str, usize) {
    let end = text.match_indices('\n').nth(SHOWN_LINES - 1).map_or(text.len(), |(place, _)| place + 1);
    (text.get(..end).unwrap_or(text), text.lines().count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::selectors::{attributes, texts};
    use bootledger_aggregates::dhcp_server::{DhcpKind, DhcpServerSpec};
    use bootledger_aggregates::rules::Rule;
    use bootledger_aggregates::values::ids::DeploymentId;
    use bootledger_projections::rows::catalogue::{Confirmed, Failing};
    use bootledger_projections::rows::holders::HolderNames;
    use bootledger_projections::rows::plugin_runs::Awaited;
    use bootledger_projections::rows::timeline::Line;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::default().plus_seconds(seconds)
    }

    fn server(confirmed: Option<i64>, failing: Option<&str>) -> Entry<DhcpServerView> {
        let spec = DhcpServerSpec { site: "dc1".parse().expect("a name"), address: None, kind: DhcpKind::Kea };
        let confirmed = confirmed.map(|position| Confirmed { revision: Sha256::new([7; 32]), position, at: at(10) });
        let failing = failing.map(|message| Failing { revision: None, message: message.parse().expect("a text"), at: at(20) });
        let spec = DhcpServerView { spec, confirmed, failing };
        Entry { key: "kea-1".parse().expect("a name"), sequence: 1, retired: false, spec }
    }

    fn change(position: i64) -> LastChange {
        let line = Line {
            position,
            sequence: 1,
            recorded_at: at(30),
            aggregate_type: "device".to_owned(),
            aggregate_id: "<x>".to_owned(),
            event_type: "DhcpEntryCreated".to_owned(),
            actor: String::new(),
            correlation_id: String::new(),
            device: None,
            deployment: None,
            event: None,
            subject: None,
            parent: None,
            holders: HolderNames::default(),
            states: None,
        };
        LastChange { site: "dc1".parse().expect("a name"), line }
    }

    #[test]
    fn a_server_is_current_behind_failing_or_has_never_confirmed() {
        for (server, expected) in [
            (server(Some(7), None), State::Current),
            (server(Some(6), None), State::Behind),
            (server(Some(7), Some("no")), State::Failing),
            (server(None, None), State::Unconfirmed),
        ] {
            assert_eq!(State::of(&server, Some(&change(7))), expected);
            let badge = texts(&expected.badge(), ".badge");
            let html = state(&server, Some(&change(7)), true, at(90));
            assert_eq!(texts(&html, ".badge"), badge);
            let checked = server.spec.last_report().is_some();
            let html = html! { table { (rows(&[server], Some(&(vec![change(7)], vec![])), at(90))) } };
            assert_eq!(texts(&html, "td[data-label=State] .badge"), badge);
            assert_eq!(texts(&html, "td[data-label='Last checked'] .badge.neutral").len(), usize::from(!checked));
        }
    }

    #[test]
    fn a_server_that_is_behind_shows_since_when_and_the_missing_changes() {
        let html = state(&server(Some(6), None), Some(&change(7)), true, at(90));
        let note = texts(&html, ".note").concat();
        assert!(note.contains("1 min") && note.contains("device <x>") && note.contains("event 7"), "{note}");
    }

    #[test]
    fn the_error_of_a_failing_server_is_quoted() {
        let html = state(&server(Some(7), Some("line 3: <syntax error>")), Some(&change(7)), true, at(90));
        assert_eq!(texts(&html, ".note pre"), ["line 3: <syntax error>"]);
    }

    #[test]
    fn waiting_deployments_are_linked_with_their_waiting_time() {
        let id = DeploymentId::default();
        let held_up = HeldUp {
            deployment: id,
            hostname: "h200.dc1.example".parse().expect("a name"),
            plugin: "dhcp".parse().expect("a name"),
            since: at(0),
            reason: None,
        };
        let html = waiting(&"kea-1".parse().expect("a name"), &[held_up], 120, true, at(90));
        assert_eq!(
            attributes(&html, "a", "href"),
            [format!("/deployments/{id}"), "/deployments?awaiting=dhcp-server:kea-1".to_owned()]
        );
        let text = texts(&html, "#waiting").concat();
        assert!(text.contains("120 ") && text.contains("1 min 30 s"), "{text}");
        let awaited = Awaited { key: "dhcp-server:kea-1".to_owned(), deployments: 1, since: at(0) };
        let html = html! { table { (rows(&[server(Some(7), None)], Some(&(vec![change(7)], vec![awaited])), at(90))) } };
        assert!(texts(&html, "td a[href$='#waiting']")[0].starts_with('1'));
        let past = html! { table { (rows(&[server(Some(7), None)], None, at(90))) } };
        for label in ["Expected", "Waiting deployments"] {
            assert_eq!(texts(&past, &format!("td[data-label='{label}']")), ["not available for the past"]);
        }
    }

    #[test]
    fn settings_that_a_format_cannot_express_are_listed() {
        let problems =
            [ProblemError::new("dhcp_options", Rule::DnsmasqOption, "option x of network prod: dnsmasq has no such option")];
        let html = configuration(&"dc1".parse().expect("a name"), Format::Dnsmasq, Some(Err(&problems)));
        assert_eq!(texts(&html, ".note li"), ["option x of network prod: dnsmasq has no such option"]);
    }

    #[test]
    fn only_the_beginning_of_a_long_configuration_is_shown() {
        let text = "x\n".repeat(500);
        assert_eq!((head(&text).0.lines().count(), head(&text).1), (SHOWN_LINES, 500));
        assert_eq!(head("a\nb"), ("a\nb", 2));
    }
}
