//! Registering a device, and changing its description. Fields that the user did not change are not sent to the domain, so that
//! two users who change different fields do not undo each other's changes.

mod read;
mod view;

use super::details::{DeviceDetails, form_head};
use crate::http::auth::caller::Operator;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::pages::components::block;
use crate::pages::form::{Fields, done};
use crate::pages::layout::{Page, PageContext, Section};
use actix_web::HttpResponse;
use bootledger_aggregates::device::event::DeviceKind;
use bootledger_aggregates::device::footprint::usual_height;
use bootledger_aggregates::device::register::DeviceSpec;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::setting::Settings;
use bootledger_port::{Command, CommandError, DeviceAction};
use maud::html;
use read::{assignment, current, management, notes, number, read_change};
use view::{Choices, Form, content};

/// Stores the domain's errors beside the fields of this form.
fn refused(fields: &mut Fields, error: CommandError) -> Result<(), Error> {
    let CommandError::Refused(broken) = error else { return Err(error.into()) };
    let renamed = broken.into_iter().map(|mut broken| {
        if ["venture", "role"].contains(&broken.field.as_str()) {
            "assignment".clone_into(&mut broken.field);
        } else if broken.field == "management" {
            "management.address".clone_into(&mut broken.field);
        }
        broken
    });
    fields.refused(CommandError::Refused(renamed.collect()))
}

/// Handles `GET /devices/new`; `?site=` and `?rack=` are filled in.
pub(super) async fn new_form(_: Operator, page_context: PageContext, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read_now().await?;
    let choices = Choices::load(&mut snapshot).await?;
    let was = ["site", "rack", "position"].map(|name| (name, page_context.parameter(name).to_owned())).to_vec();
    let fields = Fields::default();
    let content = match page_context.may_change(&snapshot, Role::Operator) {
        Ok(()) => content(&Form { fields: &fields, was, choices: &choices, sent: false }, None),
        Err(reason) => html! {
            (block::heading(&[("Devices", "/devices")], &html! { "Register a device" }, &html! {}))
            p { (reason) }
        },
    };
    page_context.answer(snapshot, Page::new("Register a device", Section::Devices, content)).await
}

/// Handles `POST /devices/new`.
pub(super) async fn register(
    caller: Operator,
    page_context: PageContext,
    mut backend: Backend,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let kind = match fields.text("kind") {
        "blade" => DeviceKind::Blade,
        "virtual" => DeviceKind::Virtual,
        _ => DeviceKind::Physical,
    };
    let site = fields.required::<Name>("site", "The site");
    let (venture, role) = assignment(&mut fields);
    let (name, serial, asset) = (fields.read("name").unwrap_or_default(), fields.read("serial"), fields.read("asset"));
    let (rack, position) = (fields.read("rack"), number(&mut fields, "position", "a rack unit such as 12"));
    let height = number(&mut fields, "height", "a number of rack units such as 2").unwrap_or_else(usual_height);
    let (face, tags, notes) = (fields.read("face").unwrap_or_default(), fields.read_words("tags"), notes(&mut fields));
    let macs = fields.read_list::<MacAddress>("macs");
    let (management, parent) = (management(&mut fields), fields.read("parent"));
    if let (Some(site), true) = (site, fields.broken().is_empty()) {
        let settings = Settings::new();
        let spec = DeviceSpec {
            kind,
            name,
            serial,
            asset,
            site,
            rack,
            position,
            height,
            face,
            macs,
            management,
            parent,
            settings,
            notes,
            tags,
            endpoints: vec![],
        };
        let command = Command::Device(DeviceAction::RegisterDevice { spec: Box::new(spec), venture, role });
        match backend.execute(command, fields.context(&caller)).await {
            Ok(receipt) => return Ok(done(&mut backend, &receipt, &format!("/devices/{}", receipt.id)).await),
            Err(error) => refused(&mut fields, error)?,
        }
    }
    let mut snapshot = backend.read().await?;
    let choices = Choices::load(&mut snapshot).await?;
    let content = content(&Form { fields: &fields, was: vec![], choices: &choices, sent: true }, None);
    Ok(page_context.refused(snapshot.position, Page::new("Register a device", Section::Devices, content)))
}

/// Handles `GET /devices/{id}/edit`.
pub(super) async fn edit_form(
    _: Operator,
    page_context: PageContext,
    Path(id): Path<DeviceId>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read_now().await?;
    let found = DeviceDetails::visit(&page_context, &mut snapshot, id).await?;
    let choices = Choices::load(&mut snapshot).await?;
    let fields = Fields::default();
    let form = Form { fields: &fields, was: current(&found.device), choices: &choices, sent: false };
    let content = match found.allows(None) {
        Ok(()) => content(&form, Some(&found.device)),
        Err(reason) => html! { (form_head(&found.device, "Edit device", &[], &[])) p { (reason) } },
    };
    page_context.answer(snapshot, Page::new("Edit device", Section::Devices, content)).await
}

/// Handles `POST /devices/{id}/edit`: changes only the fields that differ from the form's initial values.
pub(super) async fn change(
    caller: Operator,
    page_context: PageContext,
    Path(id): Path<DeviceId>,
    mut backend: Backend,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let change = read_change(&mut fields);
    if fields.broken().is_empty() {
        let command = Command::Device(DeviceAction::ChangeDevice(id, Box::new(change)));
        match backend.execute(command, fields.context(&caller)).await {
            Ok(receipt) => return Ok(done(&mut backend, &receipt, &format!("/devices/{id}")).await),
            Err(error) => refused(&mut fields, error)?,
        }
    }
    let mut snapshot = backend.read().await?;
    let found = DeviceDetails::load(&mut snapshot, id, Ok(())).await?;
    let choices = Choices::load(&mut snapshot).await?;
    // A change is a difference from what the first form showed, however often the form was refused.
    let was: Vec<_> = current(&found.device)
        .into_iter()
        .map(|(name, now)| (name, if fields.has(&format!("was.{name}")) { fields.lines(&format!("was.{name}")) } else { now }))
        .collect();
    let sent = fields.has("was.name");
    let content = content(&Form { fields: &fields, was, choices: &choices, sent }, Some(&found.device));
    Ok(page_context.refused(snapshot.position, Page::new("Edit device", Section::Devices, content)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::samples::device;
    use crate::pages::tests::selectors::texts;
    use bootledger_aggregates::device::footprint::Face;
    use bootledger_aggregates::device::patch::Removable;
    use bootledger_aggregates::device::register::DeviceChange;
    use bootledger_aggregates::rules::Rule;
    use bootledger_aggregates::values::notes::Notes;
    use bootledger_aggregates::values::text::Text;
    use bootledger_projections::rows::devices::Device;

    fn sent(change: &[(&str, &str)]) -> Fields {
        sent_of(&device(), change)
    }

    fn sent_of(device: &Device, change: &[(&str, &str)]) -> Fields {
        let mut pairs = vec![];
        for (name, value) in current(device) {
            let new = change.iter().find(|(known, _)| *known == name).map_or(value.clone(), |(_, new)| (*new).to_owned());
            pairs.push((name.to_owned(), new));
            pairs.push((format!("was.{name}"), value));
        }
        Fields::new(pairs)
    }

    #[test]
    fn only_what_was_touched_is_changed() {
        assert_eq!(read_change(&mut sent(&[])), DeviceChange::default());
        let change = read_change(&mut sent(&[("serial", ""), ("macs", "52:54:00:00:00:01\r\n52:54:00:00:00:02")]));
        assert_eq!(change.serial, Some(Text::default()));
        assert_eq!(change.macs.map(|macs| macs.len()), Some(2));
        assert_eq!((change.name, change.site, change.venture), (None, None, None));
    }

    #[test]
    fn height_side_tags_and_notes_are_read_and_emptied() {
        let set = [("height", "2"), ("face", "rear"), ("tags", "Row:4, spare"), ("notes", "one\r\ntwo")];
        let change = read_change(&mut sent(&set));
        assert_eq!((change.height, change.face), (Some(2), Some(Face::Rear)));
        assert_eq!(change.tags.map(|tags| tags.len()), Some(2));
        assert_eq!(change.notes.as_ref().map(Notes::as_str), Some("one\ntwo"));
        let marked = Device { height: 4, face: Face::Front, notes: "old".parse().expect("notes"), ..device() };
        let change = read_change(&mut sent_of(&marked, &[("height", ""), ("face", ""), ("notes", "")]));
        assert_eq!((change.height, change.face), (Some(1), Some(Face::Both)));
        assert!(change.notes.is_some_and(|notes| notes.is_empty()));
        let mut wrong = sent(&[("tags", "a;b"), ("height", "two")]);
        read_change(&mut wrong);
        assert_eq!(wrong.broken().len(), 2);
    }

    #[test]
    fn an_emptied_field_is_removed_and_the_site_is_not() {
        let management = serde_json::json!({"address": "10.9.0.1", "protocol": "redfish"});
        let device = Device { management: Some(serde_json::from_value(management).expect("a controller")), ..device() };
        let emptied = [("rack", ""), ("position", "top"), ("management.address", ""), ("assignment", ""), ("site", "")];
        let mut fields = sent_of(&device, &emptied);
        let change = read_change(&mut fields);
        assert_eq!(change.removed, [Removable::Rack, Removable::Management, Removable::Venture].into());
        assert_eq!((change.rack, change.management), (None, None));
        let broken: Vec<&str> = fields.broken().iter().map(|e| e.field.as_str()).collect();
        assert_eq!(broken, ["site", "position"]);
    }

    #[test]
    fn a_refused_form_keeps_every_value_and_says_what_is_wrong_beside_it() {
        let mut fields = Fields::new(vec![("serial".to_owned(), "<SN>".to_owned())]);
        refused(
            &mut fields,
            CommandError::Refused(vec![bootledger_aggregates::rules::BrokenRule::new("role", Rule::RoleUnknown, "no such role")]),
        )
        .expect("rules");
        fields.refuse("serial", Rule::SerialClaimed, "held by another");
        let choices = Choices { sites: vec![], racks: vec![], assignments: vec![] };
        let html = content(&Form { fields: &fields, was: vec![], choices: &choices, sent: true }, None);
        assert_eq!(texts(&html, "#error-assignment"), ["No such role"]);
        assert_eq!(texts(&html, "#error-serial"), ["Held by another"]);
        assert!(html.clone().into_string().contains("value=\"&lt;SN&gt;\""));
        assert_eq!(texts(&html, ".empty").len(), 1);
    }
}
