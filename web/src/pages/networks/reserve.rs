//! The forms that reserve an address of a network and release it, and the network's list of reservations.

use super::map;
use crate::http::auth::caller::Operator;
use crate::http::error::Error;
use crate::http::error::problem::ProblemError;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::http::request::snapshot::Snapshot;
use crate::pages::catalogue::values::Address;
use crate::pages::catalogue::{NETWORK, entry};
use crate::pages::components::action::{self, Allowed, Look, once};
use crate::pages::components::block;
use crate::pages::components::field::{Field, summary};
use crate::pages::components::time::{moment, until};
use crate::pages::form::{Fields, done, see_other};
use crate::pages::layout::{Page, PageContext, Section};
use crate::wording::actors;
use actix_web::HttpResponse;
use bootledger_aggregates::network::NetworkSpec;
use bootledger_aggregates::reservation::ReservationSpec;
use bootledger_aggregates::values::ParseError;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_port::{Command, ReservationAction};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue::Entry;
use bootledger_projections::rows::reservations::{self, Reservation};
use maud::{Markup, html};
use serde::Deserialize;
use std::net::Ipv4Addr;
use std::str::FromStr;

const NAMES: [&str; 3] = ["ip", "note", "expires"];
/// The field with the address whose reservation the form changes; empty for a new reservation.
const REPLACES: &str = "replaces";

/// The query of the forms.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Query {
    /// The address to reserve or to release.
    ip: Option<Ipv4Addr>,
}

/// A time as a form sends it: as RFC 3339, or in UTC without its zone, as the browser's field for times writes it.
struct FormTime(Timestamp);

impl FromStr for FormTime {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let candidates = [text.to_owned(), format!("{text}Z"), format!("{text}:00Z"), format!("{text}T00:00:00Z")];
        let read = candidates.iter().find_map(|candidate| candidate.replace(' ', "T").parse().ok());
        read.map(Self).ok_or_else(|| ParseError::new(format!("{text:?} is not a time such as 2026-12-31T18:00")))
    }
}

/// A time as the browser's field for times reads it.
fn in_field(at: Timestamp) -> String {
    at.to_string().get(..16).unwrap_or_default().to_owned()
}

/// Handles `GET /networks/{key}/reserve`: the form, for a new reservation or with the values of an existing one.
pub(super) async fn load(
    _: Operator,
    page_context: PageContext,
    Path(key): Path<Name>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let query: Query = page_context.query()?;
    let mut snapshot = backend.read_now().await?;
    let network = entry::find::<NetworkSpec>(&mut snapshot, &NETWORK, key.as_str()).await?;
    let existing = match query.ip {
        Some(ip) => reservations::find_many(snapshot.connection(), &[ip], At::Now).await?.pop(),
        None => None,
    };
    let ip = match query.ip {
        Some(ip) => Some(ip),
        None => map::next_free(&mut snapshot, &network.spec).await?,
    };
    let pair = |name: &str, value: String| (name.to_owned(), value);
    let replaces = existing.as_ref().map(|reservation| reservation.ip.to_string()).unwrap_or_default();
    let spec = existing.map(|reservation| reservation.view.spec);
    let fields = Fields::new(vec![
        pair(REPLACES, replaces),
        pair("ip", ip.map(|ip| ip.to_string()).unwrap_or_default()),
        pair("note", spec.as_ref().map(|spec| spec.note.to_string()).unwrap_or_default()),
        pair("expires", spec.and_then(|spec| spec.expires).map(in_field).unwrap_or_default()),
    ]);
    let content = form(&network, &fields);
    page_context.answer(snapshot, Page::new("Reserve an address", Section::Networks, content)).await
}

/// Handles `POST /networks/{key}/reserve`.
pub(super) async fn reserve(
    caller: Operator,
    page_context: PageContext,
    mut backend: Backend,
    Path(key): Path<Name>,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let (ip, note) = (fields.required::<Address>("ip", "The address"), fields.required::<Text>("note", "The note"));
    let expires = fields.read::<FormTime>("expires").map(|time| time.0);
    if let (Some(ip), Some(note), true) = (ip, note, fields.broken().is_empty()) {
        let spec = ReservationSpec { note, expires };
        let replaces = fields.text(REPLACES) == ip.0.to_string();
        let action = ReservationAction::ReserveAddress { network: key.clone(), ip: ip.0, spec, replaces };
        match backend.execute(Command::Reservation(action), fields.context(&caller)).await {
            Ok(receipt) => return Ok(done(&mut backend, &receipt, &format!("/networks/{key}#reservations")).await),
            Err(error) => fields.refused(error)?,
        }
    }
    let mut snapshot = backend.read_now().await?;
    let network = entry::find::<NetworkSpec>(&mut snapshot, &NETWORK, key.as_str()).await?;
    let content = form(&network, &fields);
    Ok(page_context.refused(snapshot.position, Page::new("Reserve an address", Section::Networks, content)))
}

fn form(network: &Entry<NetworkSpec>, fields: &Fields) -> Markup {
    let key = &network.key;
    let expires = fields.text("expires");
    // The browser's field for times shows nothing else, and a refused value must stay.
    let kind = if expires.is_empty() || expires.len() == 16 { "datetime-local" } else { "text" };
    let field = |name: &'static str, label: &'static str, hint: &'static str, required: bool| Field {
        name,
        label,
        hint,
        required,
        value: fields.text(name),
        errors: fields.broken(),
    };
    let page = NETWORK.page(key);
    html! {
        (block::heading(&[(NETWORK.many, NETWORK.path), (key.as_str(), &page)], &html! { "Reserve an address" }, &html! {}))
        (summary(fields.broken(), &NAMES))
        section.card aria-label="Reservation" {
            p { "A reserved address of " code { (network.spec.cidr) } " is neither suggested for a server nor assigned to one, until the reservation expires or is released." }
            form.form method="post" action=(format!("{page}/reserve")) {
                (once())
                input type="hidden" name=(REPLACES) value=(fields.text(REPLACES));
                (field("ip", "Address", "An address of the network that is free.", true).text())
                (field("note", "Note", "What the address is reserved for.", true).text())
                (field("expires", "Expires (UTC)", "Without a time, the address stays reserved until it is released.", false).text_with(kind, &html! {}))
                div.actions {
                    button.primary type="submit" { "Reserve" }
                    a.button href=(page) { "Back" }
                }
            }
        }
    }
}

/// Handles `GET /networks/{key}/release`: the confirmation page. Without an address, it leads to the list of reservations.
pub(super) async fn confirm(
    _: Operator,
    page_context: PageContext,
    Path(key): Path<Name>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let query: Query = page_context.query()?;
    let Some(ip) = query.ip else { return Ok(see_other(&format!("/networks/{key}#reservations"))) };
    let mut snapshot = backend.read_now().await?;
    let found = find(&mut snapshot, &key, ip).await?;
    let content = question(&key, &found, &[]);
    page_context.answer(snapshot, Page::new("Release an address", Section::Networks, content)).await
}

/// Handles `POST /networks/{key}/release`.
pub(super) async fn release(
    caller: Operator,
    page_context: PageContext,
    mut backend: Backend,
    Path(key): Path<Name>,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let list = format!("/networks/{key}#reservations");
    let Some(Address(ip)) = fields.required::<Address>("ip", "The address") else { return Ok(see_other(&list)) };
    let found = find(&mut backend.read_now().await?, &key, ip).await?;
    let command = Command::Reservation(ReservationAction::ReleaseAddress(ip));
    match backend.execute(command, fields.context(&caller)).await {
        Ok(receipt) => return Ok(done(&mut backend, &receipt, &list).await),
        Err(error) => fields.refused(error)?,
    }
    let snapshot = backend.read_now().await?;
    let content = question(&key, &found, fields.broken());
    Ok(page_context.refused(snapshot.position, Page::new("Release an address", Section::Networks, content)))
}

async fn find(snapshot: &mut Snapshot<'_>, key: &Name, ip: Ipv4Addr) -> Result<Reservation, Error> {
    let found = reservations::find_many(snapshot.connection(), &[ip], At::Now).await?.pop();
    let found = found.filter(|reservation| reservation.view.network == *key);
    found.ok_or_else(|| Error::NotFound(format!("{ip} is not reserved in network {key}")))
}

fn question(key: &Name, found: &Reservation, errors: &[ProblemError]) -> Markup {
    let page = NETWORK.page(key);
    html! {
        (block::heading(&[(NETWORK.many, NETWORK.path), (key.as_str(), &page)], &html! { "Release " (found.ip) }, &html! {}))
        (summary(errors, &[]))
        section.card aria-label="Reservation" {
            p { "The address becomes free: it is suggested for servers again, and the next deployment may get it." }
            (block::facts(&[
                ("Note", html! { (found.view.spec.note) }),
                ("Reserved by", html! { (actors::actor(&found.view.reserved_by)) ", " (moment(found.view.reserved_at)) }),
            ]))
            form.form method="post" action=(format!("{page}/release")) {
                (once())
                input type="hidden" name="ip" value=(found.ip);
                div.actions {
                    button.danger type="submit" { "Release" }
                    a.button href=(page) { "Back" }
                }
            }
        }
    }
}

/// The card with the network's reservations.
pub(super) fn card(network: &Entry<NetworkSpec>, found: &[Reservation], may: &Allowed, now: Timestamp) -> Markup {
    let page = NETWORK.page(&network.key);
    let retired = if network.retired { Err("The network is retired.".to_owned()) } else { Ok(()) };
    let may = may.clone().and(retired);
    block::card(
        "reservations",
        "Reservations",
        &html! {
            div.actions { (action::link("reserve", &format!("{page}/reserve"), Look::Usual, "plus-lg", "Reserve an address", &may)) }
            @if found.is_empty() {
                p.quiet { "No address is reserved. Reserve an address to keep it free for something that Bootledger does not deploy." }
            } @else {
                div.scroll {
                    table.cards {
                        caption.visually-hidden { "Reserved addresses, lowest first" }
                        thead { tr { th scope="col" { "Address" } th scope="col" { "Note" } th scope="col" { "Expires" } th scope="col" { "Reserved by" } th scope="col" { "Actions" } } }
                        tbody { @for one in found { (row(one, &page, &may, now)) } }
                    }
                }
            }
        },
    )
}

fn row(one: &Reservation, page: &str, may: &Allowed, now: Timestamp) -> Markup {
    let view = &one.view;
    html! {
        tr id=(format!("reservation-{}", one.ip)) {
            th scope="row" { code { (one.ip) } }
            td data-label="Note" { div { (view.spec.note) } }
            td data-label="Expires" { div { @match view.spec.expires { Some(end) => { (until(end, now)) " " small.quiet { (moment(end)) } } None => span.quiet { "never" } } } }
            td data-label="Reserved by" { div { (actors::actor(&view.reserved_by)) ", " (moment(view.reserved_at)) } }
            td data-label="Actions" {
                div.actions {
                    @if may.is_ok() {
                        a.button.small href=(format!("{page}/reserve?ip={}", one.ip)) { "Edit" span.visually-hidden { " the reservation of " (one.ip) } }
                        a.button.small href=(format!("{page}/release?ip={}", one.ip)) { "Release" span.visually-hidden { " " (one.ip) } }
                    } @else { span.quiet { "–" } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::selectors::{attributes, texts};
    use bootledger_projections::rows::reservations::ReservationView;

    fn network() -> Entry<NetworkSpec> {
        let spec = serde_json::from_str(r#"{"cidr": "10.0.0.0/24", "site": "dc1"}"#).expect("a network");
        Entry { key: "prod".parse().expect("a name"), sequence: 1, retired: false, spec }
    }

    fn reservation() -> Reservation {
        let note = "new <firewall>".parse().expect("a text");
        let view = ReservationView {
            network: "prod".parse().expect("a name"),
            spec: ReservationSpec { note, expires: Some(Timestamp::default().plus_seconds(3_600)) },
            reserved_by: "user ada".to_owned(),
            reserved_at: Timestamp::default(),
        };
        Reservation { ip: Ipv4Addr::new(10, 0, 0, 20), view }
    }

    #[test]
    fn a_reservation_shows_its_note_and_end_and_who_made_it() {
        let html = card(&network(), &[reservation()], &Ok(()), Timestamp::default());
        assert_eq!(texts(&html, "[data-label=Note]"), ["new <firewall>"]);
        assert_eq!(attributes(&html, "[data-label=Expires] time[data-until]", "datetime"), ["1970-01-01T01:00:00Z"]);
        let paths = ["/networks/prod/reserve?ip=10.0.0.20", "/networks/prod/release?ip=10.0.0.20"];
        assert_eq!(attributes(&html, "tbody a", "href"), paths);
        let viewer =
            card(&network(), &[reservation()], &Err("This requires the role operator.".to_owned()), Timestamp::default());
        assert!(attributes(&viewer, "a", "href").is_empty());
        assert_eq!(texts(&viewer, "#reserve-reason").len(), 1);
    }

    #[test]
    fn the_time_of_a_browsers_field_is_read_as_utc() {
        let read = |text: &str| text.parse::<FormTime>().map(|time| time.0.to_string()).ok();
        for text in ["2026-12-31T18:00", "2026-12-31 18:00", "2026-12-31T18:00:00Z", "2026-12-31T19:00:00+01:00"] {
            assert_eq!(read(text).as_deref(), Some("2026-12-31T18:00:00Z"), "{text}");
        }
        assert_eq!(read("2026-12-31").as_deref(), Some("2026-12-31T00:00:00Z"));
        assert_eq!(read("soon"), None);
    }

    #[test]
    fn a_refused_reservation_keeps_what_was_entered() {
        let pairs = [("ip", "10.0.0.999"), ("note", "new <firewall>"), ("expires", "soon")];
        let mut fields = Fields::new(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec());
        assert!(fields.required::<Address>("ip", "The address").is_none() && fields.read::<FormTime>("expires").is_none());
        let html = form(&network(), &fields);
        assert_eq!(
            attributes(&html, "#field-ip, #field-note, #field-expires", "value"),
            ["10.0.0.999", "new <firewall>", "soon"]
        );
        assert_eq!(attributes(&html, "#field-expires", "type"), ["text"]);
        assert_eq!(texts(&html, "#refused li").len(), 2);
    }
}
