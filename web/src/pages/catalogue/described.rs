//! Creating, changing and retiring catalogue entries with forms: the same handlers for every kind that a description defines.

use super::form::{self, Pairs, Target};
use super::retire::{self, Question};
use super::{Noun, entry};
use crate::auth::caller::Administrator;
use crate::auth::level::Level;
use crate::commands::{Command, CommandError, Kind};
use crate::error::Error;
use crate::pages::form::{Fields, done};
use crate::pages::frame::{Page, Section, Visit};
use crate::pages::kit::action::Allowed;
use crate::request::backend::Backend;
use crate::request::path::Path;
use crate::request::reading::Reading;
use actix_web::HttpResponse;
use bootledger_aggregates::rules::BrokenRule;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::catalogue::Entry;
use maud::{Markup, html};
use serde::de::DeserializeOwned;

/// A kind of catalogue entry that is defined by a description.
pub(in crate::pages) trait Described: 'static {
    /// The entry's columns in the catalogue view.
    type View: DeserializeOwned;
    /// The description that defines an entry.
    type Spec;

    /// How the pages name the kind.
    const NOUN: Noun;
    /// The section of the navigation that the pages belong to.
    const SECTION: Section;
    /// The kind in the command that retires an entry.
    const KIND: Kind;
    /// Whether a change is refused if the entry had events since its form was shown. Set it to false if most events
    /// change something else.
    const REFUSES_OLD_FORMS: bool = true;

    /// The initial values of a new entry's form; some may come from the URL.
    fn usual(visit: &Visit) -> Pairs;

    /// The form's values for an existing entry.
    fn pairs(view: &Self::View) -> Pairs;

    /// The content of the form's page.
    async fn form(reading: &mut Reading<'_>, target: &Target, fields: &Fields) -> Result<Markup, Error>;

    /// The description that the form contains; `None` if there is an error, which is stored in the fields.
    fn read(fields: &mut Fields) -> Option<Self::Spec>;

    /// The command that defines an entry.
    fn define(key: Name, spec: Self::Spec) -> Command;

    /// The consequences of retiring an entry.
    async fn end(reading: &mut Reading<'_>, entry: &Entry<Self::View>) -> Result<End, Error>;
}

/// The consequences of retiring an entry.
pub(in crate::pages) struct End {
    /// The effects, as sentences.
    pub(in crate::pages) does: &'static str,
    /// What still uses the entry, with links to pages.
    pub(in crate::pages) uses: Vec<Markup>,
    /// Why the rules refuse to retire the entry.
    pub(in crate::pages) refused: Option<String>,
}

/// Shows the form for a new entry.
pub(in crate::pages) async fn new<K: Described>(
    _: Administrator,
    visit: Visit,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let content = K::form(&mut reading, &Target::New, &Fields::new(K::usual(&visit))).await?;
    visit.answer(reading, Page::new(&format!("New {}", K::NOUN.one), K::SECTION, content)).await
}

/// Creates an entry.
pub(in crate::pages) async fn create<K: Described>(
    caller: Administrator,
    visit: Visit,
    mut backend: Backend,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let key = form::new_name(&mut backend.read_now().await?, &K::NOUN, &mut fields).await?;
    let command = key.clone().zip(K::read(&mut fields)).map(|(key, spec)| K::define(key, spec));
    if let (Some(receipt), Some(key)) = (form::execute(&mut backend, &caller, &mut fields, command).await?, key) {
        return Ok(done(&mut backend, &receipt, &K::NOUN.page(key)).await);
    }
    let mut reading = backend.read_now().await?;
    let content = K::form(&mut reading, &Target::New, &fields).await?;
    Ok(visit.refused(reading.position, Page::new(&format!("New {}", K::NOUN.one), K::SECTION, content)))
}

/// Shows the form of an existing entry.
pub(in crate::pages) async fn edit<K: Described>(
    _: Administrator,
    visit: Visit,
    Path(key): Path<Name>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let entry = entry::find::<K::View>(&mut reading, &K::NOUN, key.as_str()).await?;
    let content = K::form(&mut reading, &Target::of(&entry), &Fields::new(K::pairs(&entry.spec))).await?;
    visit.answer(reading, Page::new(&format!("Change {key}"), K::SECTION, content)).await
}

/// Changes an entry.
pub(in crate::pages) async fn change<K: Described>(
    caller: Administrator,
    visit: Visit,
    mut backend: Backend,
    Path(key): Path<Name>,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let entry = entry::find::<K::View>(&mut backend.read_now().await?, &K::NOUN, key.as_str()).await?;
    if K::REFUSES_OLD_FORMS {
        form::unchanged(&K::NOUN, &entry, &mut fields);
    }
    let command = K::read(&mut fields).map(|spec| K::define(key.clone(), spec));
    if let Some(receipt) = form::execute(&mut backend, &caller, &mut fields, command).await? {
        return Ok(done(&mut backend, &receipt, &K::NOUN.page(key)).await);
    }
    let mut reading = backend.read_now().await?;
    let content = K::form(&mut reading, &Target::of(&entry), &fields).await?;
    Ok(visit.refused(reading.position, Page::new(&format!("Change {key}"), K::SECTION, content)))
}

/// Shows the confirmation page. `weighed` are the rules that retiring the entry would violate: the first concerns the whole,
/// and the others each thing that uses it.
async fn question<K: Described>(
    reading: &mut Reading<'_>,
    key: &Name,
    may: Allowed,
    weighed: &[BrokenRule],
    fields: &Fields,
) -> Result<Markup, Error> {
    let entry = entry::find::<K::View>(reading, &K::NOUN, key.as_str()).await?;
    let End { does, mut uses, refused } = K::end(reading, &entry).await?;
    uses.extend(weighed.iter().skip(1).map(|rule| html! { (rule.message) }));
    let refused = refused.or_else(|| weighed.first().map(|rule| rule.message.clone()));
    let allowed = may.and_then(|()| refused.map_or(Ok(()), Err));
    let (what, page) = (format!("{} {key}", K::NOUN.one), K::NOUN.page(key));
    let errors = fields.broken();
    Ok(retire::view(&Question { noun: &K::NOUN, what: &what, page: &page, does, uses, allowed: &allowed, errors }))
}

/// Handles the request for the confirmation page.
pub(in crate::pages) async fn ask<K: Described>(
    caller: Administrator,
    visit: Visit,
    Path(key): Path<Name>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let weighed = match backend.preview(Command::Retire(K::KIND, key.clone()), caller.context()).await {
        Err(CommandError::Refused(broken)) => broken,
        // What cannot be checked now is checked when the entry is retired.
        _ => vec![],
    };
    let mut reading = backend.read().await?;
    let may = visit.may_change(&reading, Level::Administrator);
    let content = question::<K>(&mut reading, &key, may, &weighed, &Fields::default()).await?;
    visit.answer(reading, Page::new(&format!("Retire {key}"), K::SECTION, content)).await
}

/// Retires an entry.
pub(in crate::pages) async fn retire<K: Described>(
    caller: Administrator,
    visit: Visit,
    mut backend: Backend,
    Path(key): Path<Name>,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let command = Some(Command::Retire(K::KIND, key.clone()));
    if let Some(receipt) = form::execute(&mut backend, &caller, &mut fields, command).await? {
        return Ok(done(&mut backend, &receipt, &K::NOUN.page(key)).await);
    }
    let mut reading = backend.read_now().await?;
    let content = question::<K>(&mut reading, &key, Ok(()), &[], &fields).await?;
    Ok(visit.refused(reading.position, Page::new(&format!("Retire {key}"), K::SECTION, content)))
}
