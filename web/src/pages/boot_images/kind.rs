//! Boot images as a kind of the catalogue: the parts of an image's page, and its form.

use super::read::{SHOWN_LIVE, live_with};
use super::{declarations, form, view};
use crate::english::counted;
use crate::http::application::Application;
use crate::http::error::Error;
use crate::http::request::snapshot::Snapshot;
use crate::pages::catalogue::described::{Described, End};
use crate::pages::catalogue::entry::{self, Parts};
use crate::pages::catalogue::form::{Pairs, Target};
use crate::pages::catalogue::page::{LivePage, May, NoQuery};
use crate::pages::catalogue::{BOOT_IMAGE, Noun, history};
use crate::pages::components::action::{self, Look};
use crate::pages::form::Fields;
use crate::pages::layout::{PageContext, Section};
use crate::pages::live::Topic;
use bootledger_aggregates::boot_image::{BootImage, BootImageSpec};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_port::{CatalogueAction, Command, Kind};
use bootledger_projections::rows::catalogue::{self, Entry};
use bootledger_projections::rows::deployments;
use maud::{Markup, html};

/// Boot images as a kind that forms define.
pub(super) struct BootImages;

impl LivePage for BootImages {
    type Query = NoQuery;

    fn topics(key: &Name) -> Vec<Topic> {
        vec![Topic::One("boot_image", key.to_string()), Topic::Kind("venture"), Topic::Kind("deployment")]
    }

    async fn parts(
        snapshot: &mut Snapshot<'_>,
        _: &Application,
        key: &Name,
        _: &NoQuery,
        may: &May,
        _: Timestamp,
    ) -> Result<Parts, Error> {
        let at = snapshot.at;
        let entry = entry::find::<BootImage>(snapshot, &BOOT_IMAGE, key.as_str()).await?;
        let ventures = catalogue::ventures(snapshot.connection(), at).await?;
        let live = live_with(snapshot, key).await?;
        let counts = deployments::live_revisions(snapshot.connection(), key, at).await?;
        let history = history::read(snapshot, BOOT_IMAGE.kind, key.as_str()).await?;
        let count = i64::try_from(history.lines().len()).unwrap_or(0) + 1;
        let revisions = catalogue::boot_image_revisions(snapshot.connection(), key, at, count).await?;
        let preview =
            action::link("preview", &format!("{}/preview", BOOT_IMAGE.page(key)), Look::Usual, "search", "Preview", &Ok(()));
        let may_change = if entry.retired {
            Err("The boot image is retired. Restore it to change its files.".to_owned())
        } else {
            may.change.clone()
        };
        Ok(vec![
            entry::heading(&BOOT_IMAGE, &entry, &may.change, &preview),
            ("facts", view::facts(&entry)),
            ("settings", declarations::card(&entry.spec)),
            ("files", view::files(&entry, &may_change)),
            ("used", view::used(key, &ventures, &live, &counts, entry.spec.revision)),
            ("history", view::changes(key, &history, &revisions, entry.spec.revision, &may_change)),
        ])
    }
}

impl Described for BootImages {
    type View = BootImage;
    type Spec = BootImageSpec;
    const NOUN: Noun = BOOT_IMAGE;
    const SECTION: Section = Section::BootImages;
    const KIND: Kind = Kind::BootImage;

    fn usual(_: &PageContext) -> Pairs {
        form::usual()
    }

    fn pairs(view: &BootImage) -> Pairs {
        view.spec.as_ref().map_or_else(form::usual, form::pairs)
    }

    async fn form(_: &mut Snapshot<'_>, target: &Target, fields: &Fields) -> Result<Markup, Error> {
        Ok(form::view(target, fields))
    }

    fn read(fields: &mut Fields) -> Option<BootImageSpec> {
        form::read(fields)
    }

    fn define(key: Name, spec: BootImageSpec) -> Command {
        Command::Catalogue(CatalogueAction::DefineBootImage(key, spec))
    }

    async fn end(snapshot: &mut Snapshot<'_>, entry: &Entry<BootImage>) -> Result<End, Error> {
        let (at, key) = (snapshot.at, &entry.key);
        let ventures = catalogue::ventures(snapshot.connection(), at).await?;
        let mut uses = view::defaults(key, &ventures);
        let live = live_with(snapshot, key).await?.len();
        if live > 0 {
            let number = if live > usize::from(SHOWN_LIVE) { format!("more than {SHOWN_LIVE}") } else { live.to_string() };
            uses.push(html! { a href=(format!("/deployments?boot_image={key}&live=true")) { (counted(number, "live deployment", "live deployments")) } ", which keep their revision" });
        }
        Ok(End {
            does: "Deployments can no longer start with this image, and its files can no longer be changed. Where it is the default, each deployment must name another image.",
            uses,
            refused: None,
        })
    }
}
