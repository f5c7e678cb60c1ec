//! The form that deploys a device. It is filled in as far as possible, and its suggestions show where they come from. The
//! domain checks every rule while the user types, and again when the form is sent.

pub(crate) mod suggested;

use self::suggested::{SUGGESTED, started, suggest, untouched};
use super::show::{Found, form_head};
use crate::auth::caller::Operator;
use crate::auth::level::Level;
use crate::commands::{Command, CommandError, NewDeployment, Proposed, Suggested};
use crate::error::Error;
use crate::error::problem::ProblemError;
use crate::pages::form::{Fields, done};
use crate::pages::frame::{Page, Section, Visit};
use crate::pages::kit::action::{Allowed, once};
use crate::pages::kit::badge::Tone;
use crate::pages::kit::block;
use crate::pages::kit::field::{Field, checked, place};
use crate::request::backend::Backend;
use crate::request::path::Path;
use crate::request::reading::Reading;
use actix_web::HttpResponse;
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::catalogue::{self, Entry, VentureView, inherited_image};
use bootledger_projections::devices::Device;
use bootledger_projections::{dhcp_entries, free};
use maud::{Markup, html};
use std::collections::BTreeSet;

/// The fields in order, with their labels.
const FIELDS: [(&str, &str); 6] = [
    ("venture", "The venture"),
    ("role", "The role"),
    ("boot_image", "The boot image"),
    ("mac", "The MAC"),
    ("ip", "The address"),
    ("hostname", "The host name"),
];
/// The field that errors are shown at if they concern none of the fields.
const OTHER: &str = "device";

/// The options of a select: values and their texts.
type Options = Vec<(String, String)>;

/// The options that the form offers.
struct Choices {
    ventures: Vec<Entry<VentureView>>,
    images: Options,
    addresses: Options,
    hostnames: Options,
}

impl Choices {
    async fn ask(reading: &mut Reading<'_>, device: &Device) -> Result<Self, Error> {
        let at = reading.at;
        let images = catalogue::boot_images(reading.connection(), at).await?;
        let words = |entry: &Entry<bootledger_aggregates::boot_image::BootImage>| match entry.spec.incomplete() {
            Some(_) => format!("{} (incomplete)", entry.key),
            None => entry.key.to_string(),
        };
        let mut addresses = vec![];
        for network in catalogue::networks(reading.connection(), at).await? {
            let reaches = device.rack.as_ref().is_some_and(|rack| network.spec.racks.contains(rack));
            if network.spec.site != device.site || !reaches {
                continue;
            }
            let next = free::addresses(reading.connection(), &network.spec, &BTreeSet::new(), at, 1).await?;
            addresses
                .extend(next.first().map(|ip| (ip.to_string(), format!("next free in {} ({})", network.spec.cidr, network.key))));
        }
        let site = catalogue::site(reading.connection(), &device.site, at).await?.filter(|site| !site.retired);
        let mut hostnames = vec![];
        if let Some(template) = site.and_then(|site| site.spec.hostname_template) {
            let next = free::hostnames(reading.connection(), &template, &BTreeSet::new(), at, 1).await?;
            hostnames
                .extend(next.first().map(|name| (name.to_string(), format!("next free of {template} (site {})", device.site))));
        }
        Ok(Self {
            ventures: catalogue::ventures(reading.connection(), at).await?,
            images: images.iter().filter(|entry| !entry.retired).map(|entry| (entry.key.to_string(), words(entry))).collect(),
            addresses,
            hostnames,
        })
    }

    fn roles(&self, venture: &str) -> Options {
        let entry = self.ventures.iter().find(|entry| entry.key.as_str() == venture);
        let roles = entry.into_iter().flat_map(|entry| entry.spec.roles.keys());
        roles.map(|role| (role.to_string(), role.to_string())).collect()
    }

    /// The boot image of a role unless the user selects another.
    fn inherited(&self, venture: &str, role: &str) -> Option<Name> {
        let mut lineage: Vec<Entry<VentureView>> = vec![];
        let mut next = Some(venture.to_owned());
        while let Some(name) = next {
            let entry = self.ventures.iter().find(|entry| entry.key.as_str() == name);
            let Some(entry) = entry.filter(|entry| lineage.iter().all(|known| known.key != entry.key)) else { break };
            next = entry.spec.spec.parent.as_ref().map(ToString::to_string);
            lineage.push(entry.clone());
        }
        inherited_image(&lineage, role.parse().ok().as_ref())
    }
}

/// The initial values of the form, as in Ralph: the first interface with a DHCP entry and that entry's address, the present
/// venture and role, the role's image, and the device's name. A value that none of these provides is the next free one.
async fn filled_in(reading: &mut Reading<'_>, device: &Device, choices: &Choices) -> Result<Fields, Error> {
    let at = reading.at;
    let filter = dhcp_entries::Filter { device: Some(device.id), ..Default::default() };
    let entries = dhcp_entries::list(reading.connection(), &filter, at, 1_000).await?;
    let entry = device.macs.iter().find_map(|mac| entries.iter().find(|entry| entry.mac == *mac));
    let mac = entry.map(|entry| entry.mac).or(device.macs.first().copied());
    let (venture, role) = (device.venture.as_ref(), device.role.as_ref());
    let image = choices.inherited(venture.map_or("", Name::as_str), role.map_or("", Name::as_str));
    let named = device.name.as_str().parse::<Hostname>().ok().or(device.hostnames.first().cloned());
    let first = |options: &Options| options.first().map(|(value, _)| value.clone());
    let ip = entry.map(|entry| entry.ip.to_string()).or_else(|| first(&choices.addresses));
    let values = [
        ("venture", venture.map(ToString::to_string)),
        ("role", role.map(ToString::to_string)),
        ("boot_image", image.map(|image| image.to_string())),
        ("mac", mac.map(|mac| mac.to_string())),
        ("ip", ip),
        ("hostname", named.map(|name| name.to_string()).or_else(|| first(&choices.hostnames))),
    ];
    Ok(Fields::new(values.into_iter().map(|(name, value)| (name.to_owned(), value.unwrap_or_default())).collect()))
}

/// The deployment that the fields describe. Errors are stored in the fields.
fn read(id: DeviceId, fields: &mut Fields) -> NewDeployment {
    let (mut left, suggested) = untouched(fields);
    let new = NewDeployment { suggested, ..read_left(id, &mut left) };
    for problem in left.broken().iter().skip(fields.broken().len()).cloned().collect::<Vec<_>>() {
        fields.refuse(&problem.field, &problem.rule, problem.message);
    }
    new
}

fn read_left(id: DeviceId, fields: &mut Fields) -> NewDeployment {
    let text = fields.text("ip").to_owned();
    let ip = text.parse().ok();
    if !text.is_empty() && ip.is_none() {
        fields.refuse("ip", "malformed", format!("{text:?} is not an IPv4 address such as 10.0.0.7"));
    }
    // Upper and lower case are the same (RFC 4343).
    let text = fields.text("hostname").to_lowercase();
    let hostname = text.parse::<Hostname>();
    if let (false, Err(error)) = (text.is_empty(), &hostname) {
        fields.refuse("hostname", "malformed", error.to_string());
    }
    NewDeployment {
        device: id,
        mac: fields.read("mac"),
        ip,
        network: None,
        hostname: hostname.ok(),
        venture: fields.read("venture"),
        role: fields.read("role"),
        boot_image: fields.read("boot_image"),
        suggested: Suggested::default(),
    }
}

/// Adds every rule that the domain finds violated to the fields' own errors. If there is no error, returns the deployment that
/// would be started.
async fn examine(backend: &mut Backend, new: &NewDeployment, fields: &mut Fields) -> Result<Option<Proposed>, Error> {
    let known: Vec<String> = fields.broken().iter().map(|error| error.field.clone()).collect();
    match backend.check_deployment(new).await {
        Ok(proposed) => Ok(Some(proposed)),
        Err(CommandError::Refused(mut broken)) => {
            broken.retain(|broken| !known.contains(&broken.field));
            fields.refused(CommandError::Refused(broken))?;
            Ok(None)
        }
        Err(other) => Err(other.into()),
    }
}

/// Adds an error for every empty field, except for selects that offer the empty choice.
fn require_all(fields: &mut Fields) {
    for (name, label) in FIELDS {
        if fields.text(name).is_empty() && !["ip", "hostname"].contains(&name) {
            fields.refuse(name, "missing", format!("{label} is missing"));
        }
    }
}

/// The errors. Those that concern no field are shown at the device.
fn told(errors: &[ProblemError]) -> Vec<ProblemError> {
    let is_field = |error: &ProblemError| FIELDS.iter().any(|(name, _)| *name == error.field);
    let mut errors = errors.to_vec();
    for error in errors.iter_mut().filter(|error| !is_field(error)) {
        OTHER.clone_into(&mut error.field);
    }
    errors
}

/// Handles `GET /devices/{id}/deploy`.
pub(super) async fn ask(
    _: Operator,
    visit: Visit,
    Path(id): Path<DeviceId>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let may = visit.may_change(&reading, Level::Operator);
    let found = Found::ask(&mut reading, id, may).await?;
    let choices = Choices::ask(&mut reading, &found.device).await?;
    let mut fields = suggest(filled_in(&mut reading, &found.device, &choices).await?);
    // Initial values may violate rules as well as values that a user enters.
    let new = read(id, &mut fields);
    let seen = visit.see(reading).await?;
    if let Some(proposed) = examine(&mut backend, &new, &mut fields).await? {
        // Another device may now hold what this device had.
        let (ip, hostname) = (proposed.ip.to_string(), proposed.hostname.to_string());
        fields = suggest(fields.with("ip", &ip).with("hostname", &hostname));
    }
    let content = form(&found.device, &fields, &choices, &found.deployable(), false);
    Ok(seen.answer(&Page::new("Deploy a device", Section::Devices, content)))
}

/// Handles `POST /devices/{id}/deploy`.
pub(super) async fn start(
    caller: Operator,
    visit: Visit,
    mut backend: Backend,
    Path(id): Path<DeviceId>,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    require_all(&mut fields);
    let new = read(id, &mut fields);
    if fields.broken().is_empty() {
        let suggested = new.suggested.clone();
        match backend.execute(Command::StartDeployment(Box::new(new)), fields.context(&caller)).await {
            Ok(receipt) => {
                let path = started(&mut backend, &receipt, &suggested).await;
                return Ok(done(&mut backend, &receipt, &path).await);
            }
            Err(error) => fields.refused(error)?,
        }
    } else {
        examine(&mut backend, &new, &mut fields).await?;
    }
    let mut reading = backend.read_now().await?;
    let found = Found::ask(&mut reading, id, Ok(())).await?;
    let choices = Choices::ask(&mut reading, &found.device).await?;
    let content = form(&found.device, &fields, &choices, &found.deployable(), true);
    Ok(visit.refused(reading.position, Page::new("Deploy a device", Section::Devices, content)))
}

/// Handles `POST /devices/{id}/deploy/check`: renders the places of errors again, and what depends on the selected
/// venture and role.
pub(super) async fn check(
    _: Operator,
    mut backend: Backend,
    Path(id): Path<DeviceId>,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    require_all(&mut fields);
    let new = read(id, &mut fields);
    examine(&mut backend, &new, &mut fields).await?;
    let errors = told(fields.broken());
    let names: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).chain([OTHER]).collect();
    let mut reading = backend.read_now().await?;
    let at = reading.at;
    let choices = Choices {
        ventures: catalogue::ventures(reading.connection(), at).await?,
        images: vec![],
        addresses: vec![],
        hostnames: vec![],
    };
    let (venture, role) = (fields.text("venture"), fields.text("role"));
    let body = html! {
        (checked(&names, &errors))
        hx-partial id="inherited" hx-swap="outerMorph" { (inherited(&choices, venture, role)) }
        // The roles are those of the selected venture. If it has not changed, the field is not replaced.
        @if fields.text("roles_of") != venture { hx-partial id="roles" hx-swap="outerMorph" { (roles(&choices, venture, role, &errors)) } }
    };
    Ok(HttpResponse::Ok().content_type("text/html; charset=utf-8").body(body.into_string()))
}

fn roles(choices: &Choices, venture: &str, role: &str, errors: &[ProblemError]) -> Markup {
    let field = Field {
        name: "role",
        label: "Role",
        value: role,
        hint: "What the server will do; those of the venture.",
        required: true,
        errors,
    };
    html! {
        div id="roles" {
            input type="hidden" name="roles_of" value=(venture);
            (field.select(Some("Choose one"), &choices.roles(venture)))
        }
    }
}

fn inherited(choices: &Choices, venture: &str, role: &str) -> Markup {
    let image = choices.inherited(venture, role).map(|image| (image.to_string(), "what the role boots by default".to_owned()));
    let field = Field { name: "boot_image", ..Field::default() };
    html! { div id="inherited" { (field.suggestions(&image.into_iter().collect::<Vec<_>>())) } }
}

fn form(device: &Device, fields: &Fields, choices: &Choices, allowed: &Allowed, sent: bool) -> Markup {
    let errors = told(fields.broken());
    let path = format!("/devices/{}", device.id);
    let field = |name: &'static str, label: &'static str, hint: &'static str| Field {
        name,
        label,
        value: fields.text(name),
        hint,
        required: true,
        errors: &errors,
    };
    let ventures: Options = choices.ventures.iter().map(|entry| (entry.key.to_string(), entry.key.to_string())).collect();
    let macs: Options = device.macs.iter().map(|mac| (mac.to_string(), mac.to_string())).collect();
    let names = FIELDS.map(|(name, _)| name);
    let other: Vec<&ProblemError> = errors.iter().filter(|error| error.field == OTHER).collect();
    let (ip, hostname) = (
        field("ip", "IP address", "The server holds it from the start of the deployment on. Empty: the next free one."),
        field("hostname", "Host name", "Lower case, with its domain, in one of the site's zones. Empty: the next free one."),
    );
    let (ip, hostname) = (Field { required: false, ..ip }, Field { required: false, ..hostname });
    html! {
        (form_head(device, &format!("Deploy {}", device.called()), if sent { &errors } else { &[] }, &names))
        @if let Err(reason) = allowed {
            (block::note(Tone::Warn, &html! { p { "It cannot be deployed now: " (reason) ". " a href=(path) { "To the device" } } }))
        }
        form.form method="post" action=(format!("{path}/deploy")) hx-post=(format!("{path}/deploy/check"))
            hx-trigger="input delay:300ms, change delay:50ms" hx-swap="none" hx-sync="this:replace" hx-validate="false" {
            (once())
            @for (_, hidden) in SUGGESTED { input type="hidden" name=(hidden) value=(fields.text(hidden)); }
            (place(OTHER, &other))
            fieldset {
                legend { "What it becomes" }
                (field("venture", "Venture", "Who will own the server.").select(Some("Choose one"), &ventures))
                (roles(choices, fields.text("venture"), fields.text("role"), &errors))
                (field("boot_image", "Boot image", "What it boots and installs.").select(Some("Choose one"), &choices.images))
                (inherited(choices, fields.text("venture"), fields.text("role")))
                p.hint { a href=(format!("{path}/settings")) { "The settings that the image gets for this device" } }
            }
            fieldset {
                legend { "How it is reached" }
                (field("mac", "MAC", "The interface that it boots from.").select(Some("Choose one"), &macs))
                (ip.text_with("text", &ip.suggestions(&choices.addresses)))
                (hostname.text_with("text", &hostname.suggestions(&choices.hostnames)))
            }
            p.quiet { "When it starts, what the old role had is cleaned away, the venture and role are set, DNS records and DHCP entries are made, and the server is restarted to boot from the network: what is on its disks may be lost." }
            div.actions {
                @match allowed {
                    Ok(()) => { button.primary type="submit" { "Start the deployment" } }
                    Err(reason) => {
                        span.action {
                            button.primary type="button" aria-disabled="true" aria-describedby="start-reason" { "Start the deployment" }
                            span.reason id="start-reason" { (reason) }
                        }
                    }
                }
                a.button href=(path) { "Back" }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::devices::samples::device;
    use scraper::{Html, Selector};

    fn choices() -> Choices {
        let view = serde_json::json!({
            "spec": {"description": "", "parent": null, "default_boot_image": "debian"},
            "roles": {"web": {"description": "", "default_boot_image": null}},
        });
        let entry = Entry {
            key: "shop".parse().expect("a name"),
            sequence: 1,
            retired: false,
            spec: serde_json::from_value(view).expect("a venture"),
        };
        Choices {
            ventures: vec![entry],
            images: vec![("debian".to_owned(), "debian".to_owned())],
            addresses: vec![("10.0.0.11".to_owned(), "next free in 10.0.0.0/24 (prod)".to_owned())],
            hostnames: vec![],
        }
    }

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        Fields::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    fn texts(html: &Markup, selector: &str) -> Vec<String> {
        let page = Html::parse_document(&html.clone().into_string());
        page.select(&Selector::parse(selector).expect("a selector")).map(|found| found.text().collect()).collect()
    }

    #[test]
    fn suggestions_say_where_they_come_from() {
        let html = form(&device(), &fields(&[("venture", "shop"), ("role", "web")]), &choices(), &Ok(()), false);
        assert!(texts(&html, "#box-ip .suggestions")[0].contains("next free in 10.0.0.0/24 (prod)"));
        assert_eq!(texts(&html, "button[data-fill='field-ip'][data-value='10.0.0.11']"), ["10.0.0.11"]);
        assert!(texts(&html, "#inherited")[0].contains("debian"));
        assert_eq!(texts(&html, "#field-role option[selected]"), ["web"]);
    }

    #[test]
    fn every_error_stands_beside_its_field_and_what_is_about_none_before_all() {
        let mut fields = fields(&[("ip", "<10.0.0.1>")]);
        fields.refuse("ip", "ip_is_gateway", "10.0.0.1 is the gateway");
        fields.refuse("device", "already_deploying", "it has a live deployment");
        let html = form(&device(), &fields, &choices(), &Err("it has a live deployment".to_owned()), true);
        assert_eq!(texts(&html, "#error-ip"), ["10.0.0.1 is the gateway"]);
        assert_eq!(texts(&html, "#error-device"), ["it has a live deployment"]);
        assert_eq!(texts(&html, "#refused a[href='#field-ip']").len(), 1);
        assert_eq!(texts(&html, "#start-reason"), ["it has a live deployment"]);
        assert!(texts(&html, "button[type=submit]").is_empty());
    }
}
