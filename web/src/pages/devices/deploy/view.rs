//! The page of the form that deploys a device.

use super::choices::{Choices, Options};
use super::suggested::SUGGESTED;
use crate::english::complete_sentence;
use crate::http::error::problem::ProblemError;
use crate::pages::components::action::once;
use crate::pages::components::field::{Field, place};
use crate::pages::devices::details::{DeviceDetails, form_head};
use crate::pages::form::Fields;
use maud::{Markup, html};

/// The fields in order, with their labels.
pub(super) const FIELDS: [(&str, &str); 6] = [
    ("venture", "The venture"),
    ("role", "The role"),
    ("boot_image", "The boot image"),
    ("mac", "The MAC"),
    ("ip", "The address"),
    ("hostname", "The host name"),
];
/// The fields about the deployment itself, which may be empty.
pub(super) const NOTES: [(&str, &str); 2] = [("note", "The note"), ("ticket", "The ticket")];
/// The field that errors are shown at if they concern none of the fields.
pub(super) const OTHER: &str = "device";

/// The errors. Those that concern no field are shown at the device.
pub(super) fn field_errors(errors: &[ProblemError]) -> Vec<ProblemError> {
    let is_field = |error: &ProblemError| FIELDS.iter().chain(&NOTES).any(|(name, _)| *name == error.field);
    let mut errors = errors.to_vec();
    for error in errors.iter_mut().filter(|error| !is_field(error)) {
        OTHER.clone_into(&mut error.field);
    }
    errors
}

pub(super) fn roles(choices: &Choices, venture: &str, role: &str, errors: &[ProblemError]) -> Markup {
    let field = Field {
        name: "role",
        label: "Role",
        value: role,
        hint: "What the server does in its venture, such as web.",
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

pub(super) fn inherited(choices: &Choices, venture: &str, role: &str) -> Markup {
    let image = choices.inherited(venture, role).map(|image| (image.to_string(), "default for this role".to_owned()));
    let field = Field { name: "boot_image", ..Field::default() };
    html! { div id="inherited" { (field.suggestions(&image.into_iter().collect::<Vec<_>>())) } }
}

/// The form. After it was sent, `sent`, a summary lists its errors.
///
/// The reason why the device cannot be deployed at all is there once: in the summary, otherwise above the fields, where the check
/// while the user types keeps it up to date, otherwise beside the button.
pub(super) fn form(found: &DeviceDetails, fields: &Fields, choices: &Choices, sent: bool) -> Markup {
    let device = &found.device;
    let errors = field_errors(fields.broken());
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
    let names: Vec<&str> = FIELDS.iter().chain(&NOTES).map(|(name, _)| *name).collect();
    let other: Vec<&ProblemError> = errors.iter().filter(|error| error.field == OTHER).collect();
    let allowed = found.deployable();
    let reported = found.reports_all(&other);
    let above: &[&ProblemError] = if sent { &[] } else { &other };
    let (ip, hostname) = (
        field("ip", "IP address", "Reserved when the deployment starts. Defaults to the next free address."),
        field(
            "hostname",
            "Host name",
            "Lower case, with its domain, in one of the site's zones. Defaults to the next free name.",
        ),
    );
    let (ip, hostname) = (Field { required: false, ..ip }, Field { required: false, ..hostname });
    html! {
        (form_head(device, &format!("Deploy {}", device.called()), if sent { &errors } else { &[] }, &names))
        form.form method="post" action=(format!("{path}/deploy")) hx-post=(format!("{path}/deploy/check"))
            hx-trigger="input delay:300ms, change delay:50ms" hx-swap="none" hx-sync="this:replace" hx-validate="false" {
            (once())
            @for (_, hidden) in SUGGESTED { input type="hidden" name=(hidden) value=(fields.text(hidden)); }
            (place(OTHER, above))
            fieldset {
                legend { "Assignment" }
                (field("venture", "Venture", "The owner of the server, such as a team or a service.").select(Some("Choose one"), &ventures))
                (roles(choices, fields.text("venture"), fields.text("role"), &errors))
                (field("boot_image", "Boot image", "The operating system to install.").select(Some("Choose one"), &choices.images))
                (inherited(choices, fields.text("venture"), fields.text("role")))
                p.hint { a href=(format!("{path}/settings")) { "Boot settings for this device" } }
            }
            fieldset {
                legend { "Network" }
                (field("mac", "MAC", "The interface that the server boots from.").select(Some("Choose one"), &macs))
                (ip.text_with("text", &ip.suggestions(&choices.addresses)))
                (hostname.text_with("text", &hostname.suggestions(&choices.hostnames)))
            }
            fieldset {
                legend { "Record" }
                (Field { required: false, ..field("note", "Note", "For people to read; the list of deployments finds it. Optional.") }.text())
                (Field { required: false, ..field("ticket", "Ticket", "The reference of a ticket in another system, such as OPS-1234. Optional.") }.text())
            }
            p.quiet { "When the deployment starts, Bootledger removes the records of the old role, assigns the venture and role, creates DNS records and DHCP entries, and restarts the server so that it boots from the network. Data on its disks may be lost." }
            div.actions {
                @match allowed {
                    Ok(()) => { button.primary type="submit" { "Deploy" } }
                    Err(_) if reported => {
                        button.primary type="button" aria-disabled="true" aria-describedby=(if sent { "refused" } else { "error-device" }) { "Deploy" }
                    }
                    Err(reason) => {
                        span.action {
                            button.primary type="button" aria-disabled="true" aria-describedby="start-reason" { "Deploy" }
                            span.reason id="start-reason" { (complete_sentence(&reason)) }
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
    use crate::pages::tests::samples::{deployment, device};
    use crate::pages::tests::selectors::texts;
    use bootledger_aggregates::rules::Rule;
    use bootledger_projections::rows::catalogue::Entry;
    use bootledger_projections::rows::deployments::Deployment;

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

    #[test]
    fn suggestions_say_where_they_come_from() {
        let html = form(&found(None), &fields(&[("venture", "shop"), ("role", "web")]), &choices(), false);
        assert!(texts(&html, "#box-ip .suggestions")[0].contains("next free in 10.0.0.0/24 (prod)"));
        assert_eq!(texts(&html, "button[data-fill='field-ip'][data-value='10.0.0.11']"), ["10.0.0.11"]);
        assert!(texts(&html, "#inherited")[0].contains("debian"));
        assert_eq!(texts(&html, "#field-role option[selected]"), ["web"]);
    }

    fn found(live: Option<Deployment>) -> DeviceDetails {
        DeviceDetails { device: device(), live, may: Ok(()), blocked: false, lifts: Ok(()) }
    }

    #[test]
    fn the_reason_why_a_device_cannot_be_deployed_is_shown_once_and_by_name() {
        let found = found(Some(deployment()));
        let reason = found.deployable().expect_err("it has a live deployment");
        assert!(reason.contains("by the deployment of h200.dc1.example"), "{reason}");
        let mut checked = fields(&[]);
        checked.refuse("device", Rule::AlreadyDeploying, reason.clone());
        let cases =
            [(fields(&[]), false, "#start-reason"), (checked.clone(), false, "#error-device"), (checked, true, "#refused li")];
        for (fields, sent, place) in cases {
            let html = form(&found, &fields, &choices(), sent);
            assert!(texts(&html, place)[0].contains(&reason), "{place}");
            assert_eq!(html.into_string().matches(&reason).count(), 1, "{place}");
        }
    }

    #[test]
    fn every_error_is_shown_beside_its_field_and_general_ones_above_all() {
        let mut fields = fields(&[("ip", "<10.0.0.1>")]);
        fields.refuse("ip", Rule::IpIsGateway, "10.0.0.1 is the gateway");
        fields.refuse("device", Rule::AlreadyDeploying, "it has a live deployment");
        let html = form(&found(Some(deployment())), &fields, &choices(), true);
        assert_eq!(texts(&html, "#error-ip"), ["10.0.0.1 is the gateway"]);
        assert_eq!(texts(&html, "#refused a[href='#field-ip']").len(), 1);
        assert_eq!(texts(&html, "#refused li").len(), 2);
        assert!(texts(&html, "button[type=submit]").is_empty());
        let html = form(&found(None), &fields, &choices(), false);
        assert_eq!(texts(&html, "#error-device"), ["It has a live deployment"]);
    }
}
