//! Views of DHCP servers.

use super::{awaited, form::called};
use crate::dhcp::configuration::Format;
use crate::dhcp::held::Current;
use crate::error::problem::ProblemError;
use crate::pages::catalogue::{DHCP_SERVER, list};
use crate::pages::kit::badge::{Tone, badge};
use crate::pages::kit::block::{self, card};
use crate::pages::kit::time::{moment, since};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::catalogue::{DhcpServerView, Entry};
use bootledger_projections::dhcp_sites::LastChange;
use bootledger_projections::plugin_runs::{Awaited, HeldUp};
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
            (Some(confirmed), Some(change)) if confirmed.position < change.position => Self::Behind,
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

/// The list's table.
pub(super) fn table(servers: &[Entry<DhcpServerView>], changes: &[LastChange], waiting: &[Awaited], now: Timestamp) -> Markup {
    html! {
        table.cards id="servers" {
            caption.visually-hidden { "DHCP servers" }
            thead { tr { th scope="col" { "Server" } th scope="col" { "Site" } th scope="col" { "Software" } th scope="col" { "State" } th scope="col" { "Last confirmed" } th scope="col" { "Holds up" } } }
            tbody {
                @for server in servers {
                    @let view = &server.spec;
                    @let change = changes.iter().find(|change| change.site == view.spec.site);
                    @let state = State::of(server, change);
                    @let key = awaited(&server.key);
                    @let held_up = waiting.iter().find(|known| known.key == key).map_or(0, |known| known.deployments);
                    tr {
                        (list::name(&DHCP_SERVER, server.key.as_str(), false))
                        td data-label="Site" { a href=(format!("/sites/{}", view.spec.site)) { (view.spec.site) } }
                        td data-label="Software" { (called(view.spec.kind)) }
                        td data-label="State" {
                            (state.badge())
                            @if let Some(failing) = &view.failing { div { (failing.message) } }
                            @if let (State::Behind, Some(change)) = (state, change) { div.quiet { "by a change " (since(change.at, now)) " ago" } }
                        }
                        td data-label="Last confirmed" { @match &view.confirmed { Some(confirmed) => { (since(confirmed.at, now)) " ago" } None => { span.quiet { "never" } } } }
                        td data-label="Holds up" { @if held_up > 0 { a href=(format!("/dhcp-servers/{}#waiting", server.key)) { (held_up) @if held_up == 1 { " deployment" } @else { " deployments" } } } @else { span.quiet { "nothing" } } }
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
                    p { strong { "It could not use its configuration and keeps the old one, since " (since(failing.at, now)) ". In its own words:" } }
                    pre { (failing.message) }
                }))
            }
            @match (state, change) {
                (State::Behind, Some(change)) => {
                    (block::note(Tone::Warn, &html! {
                        p { "It has not confirmed the last change of its configuration, " (since(change.at, now)) " ago: " (change.sentence) " (position " (change.position) ")." }
                        p { (advice) }
                    }))
                }
                (State::Unconfirmed, _) => { (block::note(Tone::Warn, &html! { p { "It has never confirmed a configuration. " (advice) } })) }
                _ => {}
            }
            (block::facts(&[
                ("Site", html! { a href=(format!("/sites/{}", view.spec.site)) { (view.spec.site) } }),
                ("Software", html! { (called(view.spec.kind)) }),
                ("Address", html! { @match view.spec.address { Some(address) => { code { (address) } } None => { span.quiet { "not told" } } } }),
                ("Confirmed", html! {
                    @match &view.confirmed {
                        Some(confirmed) => { "revision " code title=(confirmed.revision) { (short(&confirmed.revision)) } " of position " (confirmed.position) ", " (moment(confirmed.at)) }
                        None => { span.quiet { "nothing" } }
                    }
                }),
                ("Last change", html! {
                    @match change {
                        Some(change) => { (change.sentence) ", " (moment(change.at)) " (position " (change.position) ")" }
                        None if now_known => { span.quiet { "nothing that its configuration is made of has changed yet" } }
                        None => { span.quiet { "known only of now" } }
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
        "What it holds up",
        &html! {
            @if !now_known { p.quiet { "What waited for it is known only of now." } }
            @else if waiting.is_empty() { p { "No deployment waits for it." } }
            @else {
                p { strong { (count) @if count == 1 { " deployment waits" } @else { " deployments wait" } } " until it has confirmed a configuration with their entry." }
                div.scroll {
                    table.cards {
                        thead { tr { th scope="col" { "Deployment" } th scope="col" { "Waits for" } th scope="col" { "Why" } } }
                        tbody {
                            @for held_up in waiting {
                                tr {
                                    th scope="row" { a href=(format!("/deployments/{}", held_up.deployment)) { (held_up.hostname) } }
                                    td data-label="Waits for" { (since(held_up.since, now)) ", since " (moment(held_up.since)) }
                                    td data-label="Why" { (held_up.reason) }
                                }
                            }
                        }
                    }
                }
                @if count > i64::try_from(waiting.len()).unwrap_or(i64::MAX) { p.quiet { "The " (waiting.len()) " that wait longest are shown. " a href=(format!("/deployments?awaiting={}", awaited(key))) { "All of them" } } }
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
        "The configuration that it should have",
        &html! {
            @match current {
                None => { p.quiet { "There is none: the server or its site is out of use." } }
                Some(Err(problems)) => {
                    (block::note(Tone::Bad, &html! {
                        p { strong { "It cannot be written for this software, and the server keeps what it has:" } }
                        ul { @for problem in problems { li { (problem.message) } } }
                        p { "Change these options of the site or its networks, or let another software serve the site." }
                    }))
                }
                Some(Ok(current)) => {
                    @let text = std::str::from_utf8(&current.revision.bytes).unwrap_or_default();
                    @let (shown, lines) = head(text);
                    p {
                        a href=(file(site, format)) { (file(site, format)) } ", revision " code title=(current.revision.sha256) { (short(&current.revision.sha256)) }
                        ", " (lines) " lines, " (current.revision.bytes.len()) " bytes."
                    }
                    details.more {
                        summary { @if lines > SHOWN_LINES { "Its first " (SHOWN_LINES) " lines" } @else { "All of it" } }
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
    card("configuration", "The configuration that it should have had", &html! { p { a href=(path) { (path) } } })
}

/// The first lines of a text, and the number of its lines.
fn head(text: &str) -> (&str, usize) {
    let end = text.match_indices('\n').nth(SHOWN_LINES - 1).map_or(text.len(), |(place, _)| place + 1);
    (text.get(..end).unwrap_or(text), text.lines().count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::catalogue::form::tests::{attributes, texts};
    use bootledger_aggregates::dhcp_server::{DhcpKind, DhcpServerSpec};
    use bootledger_aggregates::values::ids::DeploymentId;
    use bootledger_projections::catalogue::{Confirmed, Failing};

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
        LastChange { site: "dc1".parse().expect("a name"), position, at: at(30), sentence: "Device <x> got an entry".to_owned() }
    }

    #[test]
    fn a_server_is_current_behind_failing_or_has_never_confirmed() {
        for (server, position, words) in [
            (server(Some(7), None), 7, "Current"),
            (server(Some(6), None), 7, "Behind"),
            (server(Some(7), Some("no")), 7, "Failing"),
            (server(None, None), 7, "Never confirmed"),
        ] {
            let html = state(&server, Some(&change(position)), true, at(90));
            assert_eq!(texts(&html, ".badge"), [words]);
            let html = table(&[server], &[change(position)], &[], at(90));
            assert_eq!(texts(&html, ".badge"), [words]);
        }
    }

    #[test]
    fn one_that_is_behind_says_since_when_and_by_what() {
        let html = state(&server(Some(6), None), Some(&change(7)), true, at(90));
        let note = texts(&html, ".note").concat();
        assert!(note.contains("1 min ago: Device <x> got an entry (position 7)"), "{note}");
    }

    #[test]
    fn one_that_fails_is_quoted() {
        let html = state(&server(Some(7), Some("line 3: <syntax error>")), Some(&change(7)), true, at(90));
        assert_eq!(texts(&html, ".note pre"), ["line 3: <syntax error>"]);
    }

    #[test]
    fn what_it_holds_up_is_linked_with_since_when() {
        let id = DeploymentId::default();
        let held_up = HeldUp {
            deployment: id,
            hostname: "h200.dc1.example".parse().expect("a name"),
            plugin: "dhcp".parse().expect("a name"),
            since: at(0),
            reason: "waiting for kea-1".to_owned(),
        };
        let html = waiting(&"kea-1".parse().expect("a name"), &[held_up], 120, true, at(90));
        assert_eq!(
            attributes(&html, "a", "href"),
            [format!("/deployments/{id}"), "/deployments?awaiting=dhcp-server:kea-1".to_owned()]
        );
        let text = texts(&html, "#waiting").concat();
        assert!(
            text.contains("120 deployments wait") && text.contains("1 min 30 s") && text.contains("The 1 that wait longest"),
            "{text}"
        );
        let html = table(
            &[server(Some(7), None)],
            &[change(7)],
            &[Awaited { key: "dhcp-server:kea-1".to_owned(), deployments: 1, since: at(0) }],
            at(90),
        );
        assert_eq!(texts(&html, "td a[href$='#waiting']"), ["1 deployment"]);
    }

    #[test]
    fn what_a_format_cannot_say_is_told() {
        let problems =
            [ProblemError::new("dhcp_options", "dnsmasq_option", "option x of network prod: dnsmasq has no such option")];
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
