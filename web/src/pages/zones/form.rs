//! The form of a zone's settings. It changes the zone in its site's description; the site's own form lists its zones.

use super::view;
use crate::http::auth::caller::Administrator;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::machines::dns::routes::find;
use crate::pages::catalogue::SITE;
use crate::pages::catalogue::form::{self as forms, FormPage, Pairs, field, lines, maybe, pair};
use crate::pages::catalogue::values::Whole;
use crate::pages::form::{Fields, done};
use crate::pages::layout::{Page, PageContext, Section};
use actix_web::HttpResponse;
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::hostname::{DomainName, Hostname};
use bootledger_aggregates::zone::serial::SerialPolicy;
use bootledger_aggregates::zone::{ServerName, Zone, ZoneSettings};
use bootledger_port::{CatalogueAction, Command};
use maud::{Markup, html};

const NAMES: [&str; 12] = [
    "range",
    "name_servers",
    "mname",
    "rname",
    "refresh",
    "retry",
    "expire",
    "minimum",
    "ttl",
    "serial",
    "serial_floor",
    "records",
];

/// Shows the form of an existing zone.
pub(super) async fn edit(
    _: Administrator,
    page_context: PageContext,
    Path(zone): Path<DomainName>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read_now().await?;
    let (zone, site, _) = find(&mut snapshot, &zone).await?;
    let content = shown(&zone, site.sequence, &Fields::new(pairs(&zone)));
    page_context.answer(snapshot, Page::new(&format!("Edit {zone}"), Section::Zones, content)).await
}

/// Changes the zone's settings.
pub(super) async fn change(
    caller: Administrator,
    page_context: PageContext,
    mut backend: Backend,
    Path(zone): Path<DomainName>,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let (zone, mut site, _) = find(&mut backend.read_now().await?, &zone).await?;
    forms::unchanged(&SITE, &site, &mut fields);
    let settings = read(&mut fields);
    let places = site.spec.zones.iter_mut().enumerate().filter(|(_, other)| other.name == zone.name);
    let mut index = 0;
    for (place, other) in places {
        index = place;
        *other.settings = settings.clone();
    }
    let command = Command::Catalogue(CatalogueAction::DefineSite(site.key.clone(), Box::new(site.spec)));
    if let Some(receipt) = forms::execute(&mut backend, &caller, &mut fields, Some(command)).await? {
        return Ok(done(&mut backend, &receipt, &format!("/zones/{zone}")).await);
    }
    // The rules name the fields as they are in the site's description.
    fields.within(&format!("zones[{index}]."));
    let snapshot = backend.read_now().await?;
    let content = shown(&zone, site.sequence, &fields);
    Ok(page_context.refused(snapshot.position, Page::new(&format!("Edit {zone}"), Section::Zones, content)))
}

/// The form's values for a zone.
fn pairs(zone: &Zone) -> Pairs {
    vec![
        maybe("range", zone.range.as_ref()),
        lines("name_servers", &zone.name_servers),
        maybe("mname", zone.mname.as_ref()),
        maybe("rname", zone.rname.as_ref()),
        maybe("refresh", zone.refresh.as_ref()),
        maybe("retry", zone.retry.as_ref()),
        maybe("expire", zone.expire.as_ref()),
        maybe("minimum", zone.minimum.as_ref()),
        maybe("ttl", zone.settings.ttl.as_ref()),
        pair("serial", zone.serial.name()),
        maybe("serial_floor", zone.serial_floor.as_ref()),
        pair("records", &zone.records),
    ]
}

/// The settings that the form contains. Errors are stored in `fields`.
fn read(fields: &mut Fields) -> ZoneSettings {
    let number = |fields: &mut Fields, name: &str| fields.read::<Whole>(name).map(|number| number.0);
    let chosen = fields.text("serial").to_owned();
    let serial = SerialPolicy::ALL.iter().find(|(_, name)| *name == chosen).map(|(policy, _)| *policy);
    if serial.is_none() {
        fields.refuse("serial", Rule::Malformed, format!("{chosen:?} is not one of position, unixtime, date"));
    }
    let servers: Vec<ServerName> = fields.read_list("name_servers");
    ZoneSettings {
        range: fields.read("range"),
        name_servers: servers.into_iter().map(|server| server.0).collect(),
        mname: fields.read::<ServerName>("mname").map(|server: ServerName| -> Hostname { server.0 }),
        rname: fields.read("rname"),
        refresh: number(fields, "refresh"),
        retry: number(fields, "retry"),
        expire: number(fields, "expire"),
        minimum: number(fields, "minimum"),
        ttl: number(fields, "ttl"),
        serial: serial.unwrap_or_default(),
        serial_floor: number(fields, "serial_floor"),
        records: fields.lines("records").trim_end().to_owned(),
    }
}

/// Renders the form of a zone.
fn shown(zone: &Zone, sequence: i64, fields: &Fields) -> Markup {
    let policies: Vec<(String, String)> = [
        (SerialPolicy::Position, "the event number of the last change"),
        (SerialPolicy::Unixtime, "the time of the last change, in seconds since 1970"),
        (SerialPolicy::Date, "the day of the last change in UTC and two digits, such as 2026113001"),
    ]
    .map(|(policy, words)| (policy.name().to_owned(), format!("{}: {words}", policy.name())))
    .into();
    let number = |name: &str, label: &str, hint: &str| field(fields, name, label, hint).text_with("number", &html! {});
    let inner = html! {
        @if view::is_reverse(zone) {
            (field(fields, "range", "Addresses", "The addresses of the zone, if its name does not determine them: 192.0.2.0/25 or 192.0.2.10-192.0.2.20.").text())
        }
        fieldset {
            legend { "Name servers and SOA" }
            (field(fields, "name_servers", "Name servers", "One per line, such as ns1.dc1.example. Name servers inside the zone need an address in the extra records.").list())
            div.pair {
                (field(fields, "mname", "Primary", "The name of the primary in the SOA record. Defaults to the first name server.").text())
                (field(fields, "rname", "Responsible", "An email address, such as hostmaster@dc1.example.").text())
            }
            div.pair {
                (number("refresh", "Refresh", "Seconds after which a secondary checks for changes. Defaults to 3600."))
                (number("retry", "Retry", "Seconds after which a secondary retries a failed check. Defaults to 600."))
            }
            div.pair {
                (number("expire", "Expire", "Seconds without the primary after which a secondary stops answering. Defaults to 1209600."))
                (number("minimum", "Minimum", "Seconds that negative answers may be cached. Defaults to 60."))
            }
            (number("ttl", "TTL", "Seconds that answers may be cached. Defaults to 300."))
        }
        fieldset {
            legend { "Serial number" }
            (field(fields, "serial", "Policy", "After a change of policy, serial numbers still only increase.").select(None, &policies))
            (number("serial_floor", "Minimum serial number", "Serial numbers stay above this value, such as the serial number that secondaries have of an older zone."))
        }
        (field(fields, "records", "Extra records", "In the format of zone files (RFC 1035), with names relative to the zone: \"ns1 A 10.0.0.53\". They are merged into the zone file and checked when you save.").area(12, false))
    };
    let page = format!("/zones/{zone}");
    let form_page = FormPage {
        crumbs: &[("DNS zones", "/zones"), (zone.name.as_str(), &page)],
        title: &format!("Edit {zone}"),
        path: &format!("{page}/edit"),
        send: "Save",
        back: &page,
        sequence: Some(sequence),
    };
    forms::render_form_page(&form_page, fields, &NAMES, &inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::selectors::{attributes, texts};
    use serde_json::json;

    #[test]
    fn every_field_of_a_zone_survives_its_form() {
        let full = json!({
            "name": "0-25.2.0.192.in-addr.arpa", "range": "192.0.2.0/25", "name_servers": ["ns1.dc1.example", "ns2.example.net"],
            "mname": "primary.dc1.example", "rname": "ada.lovelace@dc1.example", "refresh": 7200, "retry": 900, "expire": 604_800,
            "minimum": 30, "ttl": 600, "serial": "date", "serial_floor": 2_026_010_100, "records": "@ TXT \"a;b\"\n  TXT c"
        });
        for zone in [full, json!("dc1.example")] {
            let zone: Zone = serde_json::from_value(zone).expect("a zone");
            let mut fields = Fields::new(pairs(&zone));
            assert_eq!((read(&mut fields), fields.broken()), (*zone.settings, [].as_slice()));
        }
    }

    #[test]
    fn only_a_reverse_zone_has_a_field_for_addresses_and_errors_are_beside_their_fields() {
        let zone: Zone = "dc1.example".parse().expect("a zone");
        let mut fields = Fields::new(pairs(&zone)).with("refresh", "1h");
        fields.refuse("zones[3].records", Rule::RecordMalformed, "line 2: no");
        read(&mut fields);
        fields.within("zones[3].");
        let html = shown(&zone, 7, &fields);
        assert_eq!(attributes(&html, "#field-range", "name").len(), 0);
        assert_eq!(attributes(&html, "#refused a", "href"), ["#field-records", "#field-refresh"]);
        assert_eq!(texts(&html, "[id='error-records'] .error"), ["Line 2: no"]);
        let reverse = shown(&"0-25.2.0.192.in-addr.arpa".parse().expect("a zone"), 7, &Fields::default());
        assert_eq!(attributes(&reverse, "#field-range", "name"), ["range"]);
    }
}
