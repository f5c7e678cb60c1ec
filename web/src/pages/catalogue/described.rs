//! Creating, changing and retiring catalogue entries with forms: the same handlers for every kind that a description defines.

use super::form::{self, Pairs, Target};
use super::retire::{self, Question};
use super::{Noun, entry};
use crate::http::auth::caller::Administrator;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::http::request::snapshot::Snapshot;
use crate::pages::components::action::Allowed;
use crate::pages::form::{Fields, done};
use crate::pages::layout::{Page, PageContext, Section};
use actix_web::HttpResponse;
use bootledger_aggregates::rules::BrokenRule;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::name::Name;
use bootledger_port::{CatalogueAction, Command, CommandError, Kind};
use bootledger_projections::rows::catalogue::Entry;
use maud::{Markup, html};
use serde::de::DeserializeOwned;

/// A kind of catalogue entry that is defined by a description.
pub(crate) trait Described: 'static {
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
    fn usual(page_context: &PageContext) -> Pairs;

    /// The form's values for an existing entry.
    fn pairs(view: &Self::View) -> Pairs;

    /// The content of the form's page.
    async fn form(snapshot: &mut Snapshot<'_>, target: &Target, fields: &Fields) -> Result<Markup, Error>;

    /// The description that the form contains; `None` if there is an error, which is stored in the fields.
    fn read(fields: &mut Fields) -> Option<Self::Spec>;

    /// The command that defines an entry.
    fn define(key: Name, spec: Self::Spec) -> Command;

    /// The consequences of retiring an entry.
    async fn end(snapshot: &mut Snapshot<'_>, entry: &Entry<Self::View>) -> Result<End, Error>;
}

/// The consequences of retiring an entry.
pub(crate) struct End {
    /// The effects, as sentences.
    pub(crate) does: &'static str,
    /// What still uses the entry, with links to pages.
    pub(crate) uses: Vec<Markup>,
    /// Why the rules refuse to retire the entry.
    pub(crate) refused: Option<String>,
}

/// Shows the form for a new entry.
pub(crate) async fn new<K: Described>(
    _: Administrator,
    page_context: PageContext,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read_now().await?;
    let content = K::form(&mut snapshot, &Target::New, &Fields::new(K::usual(&page_context))).await?;
    page_context.answer(snapshot, Page::new(&format!("Create {}", K::NOUN.one), K::SECTION, content)).await
}

/// Creates an entry.
pub(crate) async fn create<K: Described>(
    caller: Administrator,
    page_context: PageContext,
    mut backend: Backend,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let key = form::new_name(&mut backend.read_now().await?, &K::NOUN, &mut fields).await?;
    let command = key.clone().zip(K::read(&mut fields)).map(|(key, spec)| K::define(key, spec));
    if let (Some(receipt), Some(key)) = (form::execute(&mut backend, &caller, &mut fields, command).await?, key) {
        return Ok(done(&mut backend, &receipt, &K::NOUN.page(key)).await);
    }
    let mut snapshot = backend.read_now().await?;
    let content = K::form(&mut snapshot, &Target::New, &fields).await?;
    Ok(page_context.refused(snapshot.position, Page::new(&format!("Create {}", K::NOUN.one), K::SECTION, content)))
}

/// Shows the form of an existing entry.
pub(crate) async fn edit<K: Described>(
    _: Administrator,
    page_context: PageContext,
    Path(key): Path<Name>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read_now().await?;
    let entry = entry::find::<K::View>(&mut snapshot, &K::NOUN, key.as_str()).await?;
    let content = K::form(&mut snapshot, &Target::of(&entry), &Fields::new(K::pairs(&entry.spec))).await?;
    page_context.answer(snapshot, Page::new(&format!("Edit {key}"), K::SECTION, content)).await
}

/// Changes an entry.
pub(crate) async fn change<K: Described>(
    caller: Administrator,
    page_context: PageContext,
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
    let mut snapshot = backend.read_now().await?;
    let content = K::form(&mut snapshot, &Target::of(&entry), &fields).await?;
    Ok(page_context.refused(snapshot.position, Page::new(&format!("Edit {key}"), K::SECTION, content)))
}

/// Shows the confirmation page. `weighed` are the rules that retiring the entry would violate: the first concerns the whole,
/// and the others each thing that uses it.
async fn question<K: Described>(
    snapshot: &mut Snapshot<'_>,
    key: &Name,
    may: Allowed,
    weighed: &[BrokenRule],
    fields: &Fields,
) -> Result<Markup, Error> {
    let entry = entry::find::<K::View>(snapshot, &K::NOUN, key.as_str()).await?;
    let End { does, mut uses, refused } = K::end(snapshot, &entry).await?;
    uses.extend(weighed.iter().skip(1).map(|rule| html! { (rule.message) }));
    let refused = refused.or_else(|| weighed.first().map(|rule| rule.message.clone()));
    let allowed = may.and_then(|()| refused.map_or(Ok(()), Err));
    let (what, page) = (format!("{} {key}", K::NOUN.one), K::NOUN.page(key));
    let errors = fields.broken();
    Ok(retire::view(&Question { noun: &K::NOUN, what: &what, page: &page, does, uses, allowed: &allowed, errors }))
}

/// Handles the request for the confirmation page.
pub(crate) async fn load<K: Described>(
    caller: Administrator,
    page_context: PageContext,
    Path(key): Path<Name>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let weighed = match backend.preview_catalogue(CatalogueAction::Retire(K::KIND, key.clone()), caller.context()).await {
        Err(CommandError::Refused(broken)) => broken,
        // What cannot be checked now is checked when the entry is retired.
        _ => vec![],
    };
    let mut snapshot = backend.read_now().await?;
    let may = page_context.may_change(&snapshot, Role::Administrator);
    let content = question::<K>(&mut snapshot, &key, may, &weighed, &Fields::default()).await?;
    page_context.answer(snapshot, Page::new(&format!("Retire {key}"), K::SECTION, content)).await
}

/// Retires an entry.
pub(crate) async fn retire<K: Described>(
    caller: Administrator,
    page_context: PageContext,
    mut backend: Backend,
    Path(key): Path<Name>,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let command = Some(Command::Catalogue(CatalogueAction::Retire(K::KIND, key.clone())));
    if let Some(receipt) = form::execute(&mut backend, &caller, &mut fields, command).await? {
        return Ok(done(&mut backend, &receipt, &K::NOUN.page(key)).await);
    }
    let mut snapshot = backend.read_now().await?;
    let content = question::<K>(&mut snapshot, &key, Ok(()), &[], &fields).await?;
    Ok(page_context.refused(snapshot.position, Page::new(&format!("Retire {key}"), K::SECTION, content)))
}
