//! The page of the form.

use crate::english::complete_sentence;
use crate::http::error::Error;
use crate::http::request::snapshot::Snapshot;
use crate::pages::components::action::once;
use crate::pages::components::block;
use crate::pages::components::field::{Field, summary};
use crate::pages::devices::details::form_head;
use crate::pages::form::Fields;
use bootledger_aggregates::device::allowed;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::rows::catalogue;
use bootledger_projections::rows::devices::Device;
use maud::{Markup, html};

/// The fields in order.
pub(super) const FIELDS: [&str; 23] = [
    "kind",
    "name",
    "serial",
    "asset",
    "site",
    "rack",
    "position",
    "height",
    "face",
    "macs",
    "assignment",
    "management.address",
    "management.protocol",
    "management.credentials",
    "management.port",
    "management.system",
    "management.path",
    "management.tls",
    "management.boot_mode",
    "parent",
    "tags",
    "notes",
    "remark",
];

/// The options of the selects.
pub(super) struct Choices {
    pub(super) sites: Vec<(String, String)>,
    pub(super) racks: Vec<(String, String)>,
    pub(super) assignments: Vec<(String, String)>,
}

impl Choices {
    pub(super) async fn load(snapshot: &mut Snapshot<'_>) -> Result<Self, Error> {
        let at = snapshot.at;
        let sites = catalogue::sites(snapshot.connection(), at).await?;
        let racks = catalogue::racks(snapshot.connection(), at).await?;
        let ventures = catalogue::ventures(snapshot.connection(), at).await?;
        let named = |site: &Name, name: &str| if name.is_empty() { site.to_string() } else { format!("{site}: {name}") };
        Ok(Self {
            sites: sites.iter().map(|site| (site.key.to_string(), named(&site.key, site.spec.name.as_str()))).collect(),
            racks: racks.iter().map(|rack| (rack.key.to_string(), format!("{} in {}", rack.key, rack.spec.site))).collect(),
            assignments: ventures
                .iter()
                .flat_map(|entry| {
                    entry.spec.roles.keys().map(|role| (format!("{}/{role}", entry.key), format!("{} / {role}", entry.key)))
                })
                .collect(),
        })
    }
}

/// The form with its values: those that were sent, otherwise those of the device.
pub(super) struct Form<'a> {
    pub(super) fields: &'a Fields,
    pub(super) was: Vec<(&'static str, String)>,
    pub(super) choices: &'a Choices,
    pub(super) sent: bool,
}

impl Form<'_> {
    fn was(&self, name: &str) -> &str {
        self.was.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }

    fn value(&self, name: &str) -> String {
        if self.sent { self.fields.lines(name) } else { self.was(name).to_owned() }
    }

    fn field<R>(&self, name: &str, label: &str, hint: &str, required: bool, draw: impl FnOnce(&Field<'_>) -> R) -> R {
        let value = self.value(name);
        draw(&Field { name, label, value: &value, hint, required, errors: self.fields.broken() })
    }

    fn text(&self, name: &str, label: &str, hint: &str) -> Markup {
        self.field(name, label, hint, false, |field| field.text_with("text", &html! {}))
    }
}

fn pairs(options: &[(&str, &str)]) -> Vec<(String, String)> {
    options.iter().map(|(value, words)| ((*value).to_owned(), (*words).to_owned())).collect()
}

fn what(form: &Form<'_>, device: Option<&Device>) -> Markup {
    let kinds = pairs(&[("physical", "Physical server"), ("blade", "Blade"), ("virtual", "Virtual server")]);
    html! {
        fieldset {
            legend { "Identity" }
            @if device.is_none() { (form.field("kind", "Kind", "", true, |field| field.select(None, &kinds))) }
            (form.text("name", "Name", "A display name. Deployments assign host names."))
            div.pair {
                (form.text("serial", "Serial number", "The manufacturer's serial number. A serial number, an asset number or a MAC is required."))
                (form.text("asset", "Asset number", "The owner's inventory number."))
            }
            (form.field("macs", "Interfaces", "MAC addresses, one per line, such as 52:54:00:12:34:56. The server boots from one of them.", false, |field| field.area(4, false)))
            @if device.is_none() { (form.text("parent", "Part of", "The ID of the device that contains it, such as a blade's chassis.")) }
        }
        fieldset {
            legend { "Location" }
            (form.field("site", "Site", "", true, |field| field.select(Some("Choose one"), &form.choices.sites)))
            div.pair {
                (form.field("rack", "Rack", "", false, |field| field.select(Some("None"), &form.choices.racks)))
                (form.text("position", "Rack unit", "The lowest unit that the device occupies. Unit 1 is at the bottom of the rack."))
            }
            div.pair {
                (form.text("height", "Height", "In rack units. Defaults to 1."))
                (form.field("face", "Side of the rack", "", false, |field| field.select(Some("Front and rear"), &pairs(&[("front", "Front"), ("rear", "Rear")]))))
            }
        }
    }
}

fn whose(form: &Form<'_>, device: Option<&Device>) -> Markup {
    html! {
        fieldset {
            legend { "Owner" }
            @match device.and_then(|device| Some((device, allowed::reassigning(device.verified, "venture")?))) {
                Some((device, broken)) => {
                    p {
                        @if let Some(venture) = &device.venture { (venture) } @if let Some(role) = &device.role { " / " (role) }
                        ". " (complete_sentence(&broken.message))
                    }
                }
                None => (form.field("assignment", "Venture and role", "Required for verification.", false, |field| field.select(Some("None yet"), &form.choices.assignments))),
            }
        }
    }
}

fn managed(form: &Form<'_>) -> Markup {
    let protocols = pairs(&[("ipmi", "IPMI"), ("redfish", "Redfish")]);
    let modes = pairs(&[("bios", "BIOS"), ("uefi", "UEFI")]);
    html! {
        fieldset {
            legend { "Power control" }
            div.pair {
                (form.text("management.address", "Address of the management controller", "An IPv4 or IPv6 address, or a host name. Without one, power is managed manually."))
                (form.field("management.protocol", "Protocol", "", true, |field| field.select(None, &protocols)))
            }
            (form.text("management.credentials", "Credentials", "The name of a secret that contains user:password, never the password itself."))
            details {
                summary { "Management controller settings" }
                div.pair {
                    (form.text("management.port", "Port", "Defaults to 623 for IPMI and 443 for Redfish."))
                    (form.text("management.system", "System", "Redfish: the ID of the server's system, if there are several."))
                    (form.text("management.path", "Path", "Redfish: the URL prefix before /redfish/v1 on a gateway, such as /rack1/node7."))
                    (form.text("management.tls", "Trust", "Redfish: verify checks the certificate (the default); sha256: and a fingerprint accepts only that certificate; off uses HTTP without TLS."))
                    (form.field("management.boot_mode", "Firmware boot mode", "", false, |field| field.select(Some("Unchanged"), &modes)))
                }
            }
        }
    }
}

pub(super) fn content(form: &Form<'_>, device: Option<&Device>) -> Markup {
    let (action, back) = match device {
        None => ("/devices/new".to_owned(), "/devices".to_owned()),
        Some(device) => (format!("/devices/{}/edit", device.id), format!("/devices/{}", device.id)),
    };
    let errors = form.fields.broken();
    html! {
        @match device {
            None => {
                (block::heading(&[("Devices", "/devices")], &html! { "Register a device" }, &html! {}))
                (summary(errors, &FIELDS))
                @if form.choices.sites.is_empty() {
                    (block::empty("A device belongs to a site, and no site exists yet.", &html! { a.button.primary href="/sites" { "Create a site first" } }))
                }
            }
            Some(device) => (form_head(device, &format!("Edit {}", device.called()), errors, &FIELDS)),
        }
        form.form method="post" action=(action) {
            (once())
            @if device.is_some() { @for (name, value) in &form.was { input type="hidden" name=(format!("was.{name}")) value=(value); } }
            (what(form, device))
            (whose(form, device))
            (managed(form))
            fieldset {
                legend { "Notes and tags" }
                (form.text("tags", "Tags", "Words or keys for finding the device, separated by spaces, such as spare row:4."))
                (form.field("notes", "Notes", "They stay when the device is deployed again.", false, |field| field.area(4, true)))
            }
            @if device.is_some() { (form.field("remark", "New remark", "It remains until the device is deployed again.", false, |field| field.text_with("text", &html! {}))) }
            div.actions {
                button.primary type="submit" { @if device.is_none() { "Register" } @else { "Save" } }
                a.button href=(back) { "Back" }
            }
        }
    }
}
