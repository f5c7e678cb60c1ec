//! The live page of an entry: the same handlers for every kind whose entries have one.

use super::described::Described;
use super::entry::{self, Parts};
use crate::http::application::Application;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::http::request::snapshot::Snapshot;
use crate::pages::components::action::Allowed;
use crate::pages::layout::{Page, PageContext};
use crate::pages::live::Topic;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::timestamp::Timestamp;
use futures::future::FutureExt;
use maud::Markup;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// What the visitor may do on an entry's page.
#[derive(Clone)]
pub(crate) struct May {
    /// Whether the visitor may define and retire entries.
    pub(crate) change: Allowed,
    /// Whether the visitor may repair differences.
    pub(crate) repair: Allowed,
}

impl May {
    /// On a page as of a snapshot.
    pub(crate) fn of(page_context: &PageContext, snapshot: &Snapshot<'_>) -> Self {
        Self {
            change: page_context.may_change(snapshot, Role::Administrator),
            repair: page_context.may_change(snapshot, Role::Operator),
        }
    }

    /// On a live stream, which shows the present.
    fn live(page_context: &PageContext) -> Self {
        Self { change: page_context.may(Role::Administrator), repair: page_context.may(Role::Operator) }
    }
}

/// The query of a page that has no parameters of its own. It ignores all parameters.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct NoQuery {}

/// A kind whose entries have a live page.
pub(crate) trait LivePage: Described {
    /// The query of the page.
    type Query: DeserializeOwned + Clone + 'static;

    /// What the page of an entry concerns.
    fn topics(key: &Name) -> Vec<Topic>;

    /// The parts of the page.
    async fn parts(
        snapshot: &mut Snapshot<'_>,
        application: &Application,
        key: &Name,
        query: &Self::Query,
        may: &May,
        now: Timestamp,
    ) -> Result<Parts, Error>;
}

/// Shows the page of an entry: its parts one after the other.
pub(crate) async fn show<K: LivePage>(
    page_context: PageContext,
    application: Data<Application>,
    Path(key): Path<Name>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let (query, may, moment) = (page_context.query()?, May::of(&page_context, &snapshot), snapshot.moment());
    let parts = K::parts(&mut snapshot, &application, &key, &query, &may, moment).await?;
    let page = page::<K>(&page_context, &key, snapshot.position, entry::shown(&parts));
    page_context.about(K::NOUN.kind, &key).answer(snapshot, page).await
}

/// The page of an entry as of a position.
pub(crate) fn page<'a, K: LivePage>(page_context: &PageContext, key: &'a Name, position: i64, content: Markup) -> Page<'a> {
    let path = K::NOUN.page(key);
    Page {
        live: Some(entry::live_path(&path, position, page_context)),
        json: Some(format!("/api/v1{path}")),
        ..Page::new(key.as_str(), K::SECTION, content)
    }
}

/// The parts of the page, live.
pub(crate) async fn live<K: LivePage>(
    page_context: PageContext,
    request: HttpRequest,
    application: Data<Application>,
    Path((key, since)): Path<(Name, i64)>,
) -> Result<HttpResponse, Error> {
    let (query, may) = (page_context.query::<K::Query>()?, May::live(&page_context));
    let (topics, shared) = (K::topics(&key), application.clone());
    entry::stream(&request, &application, since, topics, move |mut snapshot, now| {
        let (application, key, query, may) = (shared.clone(), key.clone(), query.clone(), may.clone());
        async move { K::parts(&mut snapshot, &application, &key, &query, &may, now).await }.boxed_local()
    })
}
