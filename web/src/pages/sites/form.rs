//! The form of a site. Its fields have the same names as in the site's description, because the rules use these names.

use crate::images::device_settings::SettingSources;
use crate::pages::catalogue::form::{Pairs, Target, field, lines, maybe, needed, pair, view as form};
use crate::pages::catalogue::values::{Address, AnyAddress, Port};
use crate::pages::catalogue::{SITE, options, settings};
use crate::pages::form::Fields;
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::site::{DnsUpdates, SiteSpec, TsigAlgorithm, TsigKey};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::zone::Zone;
use maud::{Markup, html};

const PRIMARY: &str = "dns_updates.primary";
const PORT: &str = "dns_updates.port";
const KEY: &str = "dns_updates.key.name";
const ALGORITHM: &str = "dns_updates.key.algorithm";
const SECRET: &str = "dns_updates.key.secret";

/// The settings of zones, which this form only passes on: each zone's page has a form for them.
const ZONE_FIELDS: &str = "zone_fields";

const NAMES: [&str; 13] = [
    "name",
    "domain",
    "zones",
    "hostname_template",
    "next_server",
    "boot_url",
    "dhcp_header",
    PRIMARY,
    PORT,
    KEY,
    ALGORITHM,
    SECRET,
    settings::FIELD,
];

/// The initial values of a new site's form.
pub(super) fn usual() -> Pairs {
    vec![pair(PORT, 53), pair(ALGORITHM, "hmac-sha256")]
}

/// The form's values for a site.
pub(super) fn pairs(spec: &SiteSpec) -> Pairs {
    let mut pairs = vec![
        pair("name", &spec.name),
        pair("domain", &spec.domain),
        lines("zones", &spec.zones),
        pair(ZONE_FIELDS, zone_fields(&spec.zones)),
        maybe("hostname_template", spec.hostname_template.as_ref()),
        maybe("next_server", spec.next_server.as_ref()),
        pair("boot_url", spec.boot_url.as_ref().map_or("", |url| url.as_str())),
    ];
    pairs.extend(options::pairs("dhcp_header", &spec.dhcp_header));
    pairs.extend(settings::pairs(&spec.settings));
    match &spec.dns_updates {
        Some(updates) => pairs.extend([
            pair(PRIMARY, updates.primary),
            pair(PORT, updates.port),
            pair(KEY, &updates.key.name),
            pair(ALGORITHM, updates.key.algorithm.name()),
            pair(SECRET, &updates.key.secret),
        ]),
        None => pairs.extend(usual()),
    }
    pairs
}

/// The site that the form describes; `None` if a field is wrong.
pub(super) fn read(fields: &mut Fields) -> Option<SiteSpec> {
    let (name, domain) = (fields.read("name"), fields.required("domain", "The domain"));
    let (zones, hostname_template) = (zones(fields), fields.read("hostname_template"));
    let (next_server, boot_url) = (fields.read::<Address>("next_server"), fields.read("boot_url"));
    let dhcp_header = options::read(fields, "dhcp_header");
    let settings = settings::read(fields);
    let wanted = [PRIMARY, KEY, SECRET].iter().any(|name| !fields.text(name).is_empty());
    let dns_updates = if wanted { Some(updates(fields)?) } else { None };
    Some(SiteSpec {
        name: name.unwrap_or_default(),
        next_server: next_server.map(|address| address.0),
        boot_url,
        domain: domain?,
        zones,
        hostname_template,
        dhcp_header,
        dns_updates,
        settings,
    })
}

/// The zones that have settings, as a text.
fn zone_fields(zones: &[Zone]) -> String {
    let stated: Vec<&Zone> = zones.iter().filter(|zone| zone.has_settings()).collect();
    if stated.is_empty() { String::new() } else { serde_json::to_string(&stated).unwrap_or_default() }
}

/// The listed zones, each with the settings that it had.
fn zones(fields: &mut Fields) -> Vec<Zone> {
    let carried = fields.text(ZONE_FIELDS).to_owned();
    let stated: Vec<Zone> = match serde_json::from_str(&carried) {
        Ok(stated) => stated,
        Err(_) if carried.is_empty() => vec![],
        Err(_) => {
            fields.refuse("zones", Rule::Malformed, "the zone fields of the form cannot be read; reload the form");
            vec![]
        }
    };
    let listed: Vec<Zone> = fields.read_list("zones");
    listed.into_iter().map(|zone| stated.iter().find(|stated| stated.name == zone.name).cloned().unwrap_or(zone)).collect()
}

fn updates(fields: &mut Fields) -> Option<DnsUpdates> {
    let primary = fields.required::<AnyAddress>(PRIMARY, "The primary's address");
    let (port, name) = (fields.required::<Port>(PORT, "The primary's port"), fields.required(KEY, "The key's name"));
    let secret = fields.required::<Name>(SECRET, "The name of the secret");
    let algorithm = fields.required::<TsigAlgorithm>(ALGORITHM, "The key's algorithm");
    let key = TsigKey { name: name?, algorithm: algorithm?, secret: secret? };
    Some(DnsUpdates { primary: primary?.0, port: port?.0, key })
}

/// Renders the form of a site.
pub(super) fn view(target: &Target, fields: &Fields, known: &SettingSources) -> Markup {
    let algorithms: Vec<(String, String)> =
        TsigAlgorithm::ALL.iter().map(|(_, name)| ((*name).to_owned(), (*name).to_owned())).collect();
    let inner = html! {
        (field(fields, "name", "Title", "Such as the town and the hall.").text())
        div.pair {
            (needed(fields, "domain", "Domain", "The default domain of its hosts, such as dc1.example.").text())
            (field(fields, "hostname_template", "Host name template", "Ranges of host names, in order of preference: h<200,299>.dc1.example|h<400,499>.dc1.example.").text())
        }
        (field(fields, "zones", "DNS zones", "The forward and reverse zones that Bootledger manages, one per line, such as dc1.example and 0.10.in-addr.arpa. The page of a zone has its name servers, serial numbers and extra records.").list())
        input type="hidden" name=(ZONE_FIELDS) value=(fields.text(ZONE_FIELDS));
        fieldset {
            legend { "Booting" }
            div.pair {
                (field(fields, "next_server", "Next server", "The address of the TFTP server for the first boot file.").text())
                (field(fields, "boot_url", "Boot URL", "The URL under which servers reach the boot pages, such as http://10.0.0.1:8080. Defaults to the URL of this service.").text())
            }
        }
        (options::table(fields, "dhcp_header", "DHCP header", "DHCP options sent only to servers being deployed, in addition to next server and boot file."))
        (settings::table(fields, known, "For every server of the site. Devices, roles and ventures override them."))
        fieldset {
            legend { "DNS updates" span.quiet { " (optional)" } }
            p.quiet { "The DNS primary that accepts dynamic updates of the zones (RFC 2136), signed with a key (TSIG). Without a primary, records are only in the zone files. With a primary, the other fields are required too." }
            div.pair {
                (field(fields, PRIMARY, "Primary", "The address of the primary.").text())
                (field(fields, PORT, "Port", "Usually 53.").text_with("number", &html! {}))
            }
            div.pair {
                (field(fields, KEY, "Key", "The name of the key on the DNS server.").text())
                (field(fields, ALGORITHM, "Algorithm", "").select(None, &algorithms))
            }
            (field(fields, SECRET, "Secret", "The name of the secret that contains the key in base64, never the key itself. A secret is a file in the secrets folder, or an environment variable, on the machine of this service.").text())
        }
    };
    form(&SITE, target, fields, &NAMES, &inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::selectors::{attributes, texts};
    use serde_json::json;

    #[test]
    fn every_field_of_a_site_survives_its_form() {
        let full = json!({
            "name": "First \"hall\"", "next_server": "10.0.0.2", "boot_url": "http://10.0.0.1:8080", "domain": "dc1.example",
            "zones": [{"name": "dc1.example", "serial": "date", "records": "a A 10.0.0.1\nb TXT \"<x>\""}, "0/25.2.0.192.in-addr.arpa"], "hostname_template": "h<200,299>.dc1.example|h<400,499>.dc1.example",
            "dhcp_header": [{"name": "root-path", "value": {"text": "/srv"}}],
            "dns_updates": {"primary": "10.0.0.53", "port": 5353, "key": {"name": "dc1-key", "algorithm": "hmac-sha512", "secret": "dc1-tsig"}},
            "settings": {"time_zone": "Europe/Berlin", "ntp_servers": ["10.0.0.3"]}
        });
        for spec in [full, json!({"domain": "dc2.example"})] {
            let spec: SiteSpec = serde_json::from_value(spec).expect("a site");
            let mut fields = Fields::new(pairs(&spec));
            assert_eq!(read(&mut fields), Some(spec));
            assert_eq!(fields.broken(), []);
        }
    }

    #[test]
    fn a_key_without_a_primary_is_an_error_beside_the_primary() {
        let mut fields = Fields::new(vec![
            pair("domain", "dc1.example"),
            pair(KEY, "x"),
            pair(ALGORITHM, "md5"),
            pair("name", "x".repeat(301)),
        ]);
        assert_eq!(read(&mut fields), None);
        let option_text: Vec<&str> = fields.broken().iter().map(|error| error.field.as_str()).collect();
        assert_eq!(option_text, ["name", PRIMARY, PORT, SECRET, ALGORITHM]);
        let html = view(&Target::New, &fields, &SettingSources::default());
        assert_eq!(attributes(&html, "#refused a", "href")[1], "#field-dns_updates.primary");
        assert_eq!(texts(&html, "[id='error-name'] .error").len(), 1);
    }
}
