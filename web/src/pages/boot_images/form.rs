//! The form of a boot image, without its files.

use super::declarations;
use crate::english::capitalised;
use crate::pages::catalogue::BOOT_IMAGE;
use crate::pages::catalogue::form::{Pairs, Target, field, needed, pair, view as form};
use crate::pages::catalogue::settings::FIELD;
use crate::pages::catalogue::values::Whole;
use crate::pages::form::Fields;
use bootledger_aggregates::boot_image::{BootImageSpec, EndedBy, NetworkBoot};
use maud::{Markup, html};

/// Text for who marks deployments done.
pub(super) fn ended_by(by: EndedBy) -> &'static str {
    match by {
        EndedBy::Server => "the server, when it reports DONE",
        EndedBy::Puppet => "Puppet, with its first successful run after DONE",
    }
}

/// Text for how often a server boots from the network.
pub(super) fn network_boot(boot: NetworkBoot) -> &'static str {
    match boot {
        NetworkBoot::UntilDone => "Until the deployment is done",
        NetworkBoot::Once => "Once, then from its disk",
    }
}

/// The initial values of the form of a new boot image.
pub(super) fn usual() -> Pairs {
    vec![
        pair("open_minutes", 30),
        pair("in_progress_minutes", 120),
        pair("done_by", "server"),
        pair("network_boot", "until_done"),
    ]
}

/// The form's values for a boot image.
pub(super) fn pairs(spec: &BootImageSpec) -> Pairs {
    let mut pairs = vec![
        pair("description", &spec.description),
        pair("open_minutes", spec.open_minutes),
        pair("in_progress_minutes", spec.in_progress_minutes),
        pair("done_by", spec.done_by.as_str()),
        pair("network_boot", spec.network_boot.as_str()),
    ];
    pairs.extend(declarations::pairs(&spec.settings));
    pairs
}

/// The boot image that the form describes; `None` if a field is wrong.
pub(super) fn read(fields: &mut Fields) -> Option<BootImageSpec> {
    let description = fields.read("description");
    let open = fields.required::<Whole>("open_minutes", "The limit while open");
    let in_progress = fields.required::<Whole>("in_progress_minutes", "The limit while in progress");
    let done_by = fields.required("done_by", "The choice of who marks deployments done");
    let network_boot = fields.required("network_boot", "The choice of network boots");
    let settings = declarations::read(fields);
    Some(BootImageSpec {
        description: description.unwrap_or_default(),
        open_minutes: open?.0,
        in_progress_minutes: in_progress?.0,
        done_by: done_by?,
        network_boot: network_boot?,
        settings,
        recipe: None,
    })
}

/// Renders the form of a boot image.
pub(super) fn view(target: &Target, fields: &Fields) -> Markup {
    let ends = [EndedBy::Server, EndedBy::Puppet].map(|by| (by.as_str().to_owned(), capitalised(ended_by(by))));
    let boots = [NetworkBoot::UntilDone, NetworkBoot::Once].map(|boot| (boot.as_str().to_owned(), network_boot(boot).to_owned()));
    let inner = html! {
        (field(fields, "description", "Description", "Such as the operating system and its version.").text())
        div.pair {
            (needed(fields, "open_minutes", "Limit while open", "Minutes of preparing (Open) after which a deployment is overdue.").text_with("number", &html! {}))
            (needed(fields, "in_progress_minutes", "Limit while in progress", "Minutes of installing (In progress) after which a deployment is overdue.").text_with("number", &html! {}))
        }
        div.pair {
            (needed(fields, "done_by", "Who marks deployments done", "").select(None, &ends))
            (needed(fields, "network_boot", "Network boots", "Choose \"Once\" for installers that restart the server before they finish.").select(None, &boots))
        }
        (declarations::table(fields))
    };
    form(
        &BOOT_IMAGE,
        target,
        fields,
        &["description", "open_minutes", "in_progress_minutes", "done_by", "network_boot", FIELD],
        &inner,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_field_of_an_image_survives_its_form() {
        let full = json!({"description": "Debian <13>", "open_minutes": 5, "in_progress_minutes": 77, "done_by": "puppet",
            "network_boot": "once", "settings": {"disk": {"type": "text", "description": "Disk", "default": "auto"}}});
        for spec in [full, json!({})] {
            let spec: BootImageSpec = serde_json::from_value(spec).expect("an image");
            let mut fields = Fields::new(pairs(&spec));
            assert_eq!(read(&mut fields), Some(spec));
        }
        let mut fields = Fields::new(vec![pair("open_minutes", "soon"), pair("done_by", "me"), pair("network_boot", "twice")]);
        assert_eq!(read(&mut fields), None);
        let message: Vec<&str> = fields.broken().iter().map(|error| error.field.as_str()).collect();
        assert_eq!(message, ["open_minutes", "in_progress_minutes", "done_by", "network_boot"]);
    }
}
