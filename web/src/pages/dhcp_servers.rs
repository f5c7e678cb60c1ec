//! Pages of DHCP servers: what each has confirmed, whether it is behind or failing, and which deployments are waiting for it.

mod form;
mod view;

use super::catalogue::described::{self, Described, End};
use super::catalogue::entry::{self, Parts};
use super::catalogue::form::{self as forms, Pairs, Target};
use super::catalogue::list;
use super::catalogue::page::{self, LivePage, May, NoQuery};
use super::catalogue::{DHCP_SERVER, Noun, history};
use super::differences;
use super::form::Fields;
use super::list::paging::Place;
use super::list::views::Views;
use super::live::Topic;
use crate::english::counted;
use crate::http::application::Application;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::http::request::snapshot::Snapshot;
use crate::machines::dhcp::format::Format;
use crate::machines::dhcp::held::Configurations;
use crate::pages::layout::{Page, PageContext, Section};
use actix_web::web::{Data, ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::dhcp_server::DhcpServerSpec;
use bootledger_aggregates::drift::{DriftKey, Subject};
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_port::{CatalogueAction, Command, Kind};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue::{self, DhcpServerView, Entry};
use bootledger_projections::rows::dhcp_sites::{self, LastChange};
use bootledger_projections::rows::drift;
use bootledger_projections::rows::plugin_runs::{self, Awaited, HeldUp};
use futures::future::FutureExt;
use maud::{Markup, html};

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/dhcp-servers").get(index))
        .service(resource("/dhcp-servers/_new").get(described::new::<DhcpServers>).post(described::create::<DhcpServers>))
        .service(resource("/dhcp-servers/_list/live/{since}").get(live_list))
        .service(resource("/dhcp-servers/{key}").get(show))
        .service(resource("/dhcp-servers/{key}/live/{since}").get(page::live::<DhcpServers>))
        .service(resource("/dhcp-servers/{key}/edit").get(described::edit::<DhcpServers>).post(described::change::<DhcpServers>))
        .service(
            resource("/dhcp-servers/{key}/retire").get(described::load::<DhcpServers>).post(described::retire::<DhcpServers>),
        );
}

/// How many deployments that are waiting for a server are shown.
const SHOWN_WAITING: i64 = 50;

/// The key of what plugins are waiting for when they wait for this server.
fn awaited(key: &Name) -> String {
    format!("dhcp-server:{key}")
}

/// The last changes of all sites, and how many deployments are waiting for what.
type News = (Vec<LastChange>, Vec<Awaited>);

/// Reads the news; `None` for past positions, of which the views do not have them.
async fn news(snapshot: &mut Snapshot<'_>) -> Result<Option<News>, Error> {
    if snapshot.at != At::Now {
        return Ok(None);
    }
    let changes = dhcp_sites::last_changes(snapshot.connection()).await?;
    let waiting = plugin_runs::awaited(snapshot.connection(), i64::MAX).await?;
    Ok(Some((changes, waiting)))
}

async fn index(mut page_context: PageContext, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    if list::is_csv(&page_context) {
        return list::as_csv(&page_context, snapshot, &DHCP_SERVER, view::COLUMNS).await;
    }
    let views = Views::load(&page_context, &mut snapshot, "dhcp-servers", list::known(view::COLUMNS)).await?;
    views.assume(&mut page_context);
    let found = list::find(&page_context, &mut snapshot, DHCP_SERVER.kind, view::COLUMNS).await?;
    let (at, news) = (snapshot.at, news(&mut snapshot).await?);
    let no_site = found.total == 0 && catalogue::sites(snapshot.connection(), at).await?.is_empty();
    let rows = view::rows(&found.slice.rows, news.as_ref(), snapshot.moment());
    let table = view::table(&page_context, &rows);
    let empty = list::Empty {
        words: if no_site {
            "There are no DHCP servers yet. A DHCP server serves a site; create a site first."
        } else {
            "There are no DHCP servers yet. Deployments wait until each DHCP server of their site has confirmed their entry. Create a DHCP server and start its agent."
        },
        first: no_site.then_some(("Create site", "/sites/_new")),
        also: None,
    };
    let may = page_context.may_change(&snapshot, Role::Administrator);
    let json = list::json(&page_context, "/api/v1/dhcp-servers");
    let content = list::view(&page_context, &DHCP_SERVER, &may, (&found, &table), (&views, &json), &empty);
    let page = Page {
        // The stream has the first page.
        live: (Place::of(&page_context) == Place::First)
            .then(|| entry::live_path("/dhcp-servers/_list", snapshot.position, &page_context)),
        json: Some(json),
        ..Page::new("DHCP servers", Section::DhcpServers, content)
    };
    page_context.answer(snapshot, page).await
}

async fn live_list(
    page_context: PageContext,
    request: HttpRequest,
    application: Data<Application>,
    Path(since): Path<i64>,
) -> Result<HttpResponse, Error> {
    let topics = ["dhcp_server", "network", "site", "device", "deployment"].map(Topic::Kind).to_vec();
    entry::stream(&request, &application, since, topics, move |mut snapshot, now| {
        let page_context = page_context.clone();
        async move {
            let found = list::find(&page_context, &mut snapshot, DHCP_SERVER.kind, view::COLUMNS).await?;
            let news = news(&mut snapshot).await?;
            Ok(vec![("servers", view::rows(&found.slice.rows, news.as_ref(), now))])
        }
        .boxed_local()
    })
}

async fn held_up(snapshot: &mut Snapshot<'_>, key: &Name) -> Result<(Vec<HeldUp>, i64), Error> {
    if snapshot.at != At::Now {
        return Ok((vec![], 0));
    }
    let awaited = awaited(key);
    let shown = plugin_runs::held_up_by(snapshot.connection(), &awaited, SHOWN_WAITING).await?;
    let counts = plugin_runs::awaited(snapshot.connection(), i64::MAX).await?;
    let count = counts.into_iter().find(|known| known.key == awaited).map_or(0, |known| known.deployments);
    Ok((shown, count))
}

/// The configuration that a server should have.
async fn configuration(
    backend: &mut Backend,
    configurations: &Configurations,
    entry: &Entry<DhcpServerView>,
    at: At,
) -> Result<Markup, Error> {
    let (site, format) = (&entry.spec.spec.site, Format::of_kind(entry.spec.spec.kind));
    if entry.retired {
        return Ok(view::configuration(site, format, None));
    }
    if let At::Position(position) = at {
        return Ok(view::past_configuration(site, format, position));
    }
    match configurations.current(backend, site, format).await {
        Ok(current) => Ok(view::configuration(site, format, Some(Ok(&current)))),
        Err(Error::Rejected { reasons, .. }) => Ok(view::configuration(site, format, Some(Err(&reasons)))),
        Err(Error::NotFound(_)) => Ok(view::configuration(site, format, None)),
        Err(error) => Err(error),
    }
}

async fn show(
    page_context: PageContext,
    application: Data<Application>,
    configurations: Data<Configurations>,
    Path(key): Path<Name>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let may = May::of(&page_context, &snapshot);
    let (at, moment) = (snapshot.at, snapshot.moment());
    let entry = entry::find::<DhcpServerView>(&mut snapshot, &DHCP_SERVER, key.as_str()).await?;
    let parts = DhcpServers::parts(&mut snapshot, &application, &key, &NoQuery {}, &may, moment).await?;
    let page = page::page::<DhcpServers>(&page_context, &key, snapshot.position, html! {});
    let seen = page_context.about("dhcp_server", &key).see(snapshot).await?;
    let configuration = configuration(&mut backend, &configurations, &entry, at).await?;
    let content = html! {
        @for (id, part) in &parts {
            // The configuration may be long, so it is not in a part that is rendered again with each event.
            @if *id == "history" { (configuration) }
            (part)
        }
    };
    Ok(seen.answer(&Page { content, ..page }))
}

/// DHCP servers as a kind that forms define.
struct DhcpServers;

impl LivePage for DhcpServers {
    type Query = NoQuery;

    fn topics(key: &Name) -> Vec<Topic> {
        let kinds = ["network", "site", "device", "deployment", "drift"].map(Topic::Kind);
        [Topic::One("dhcp_server", key.to_string())].into_iter().chain(kinds).collect()
    }

    async fn parts(
        snapshot: &mut Snapshot<'_>,
        _: &Application,
        key: &Name,
        _: &NoQuery,
        may: &May,
        now: Timestamp,
    ) -> Result<Parts, Error> {
        let at = snapshot.at;
        let entry = entry::find::<DhcpServerView>(snapshot, &DHCP_SERVER, key.as_str()).await?;
        let site = &entry.spec.spec.site;
        let change = match at {
            At::Now => dhcp_sites::last_changes(snapshot.connection()).await?.into_iter().find(|change| change.site == *site),
            At::Position(_) => None,
        };
        let (waiting, count) = held_up(snapshot, key).await?;
        let subject = Subject::Dhcp { server: key.clone() };
        let found = drift::find(snapshot.connection(), &DriftKey { site: site.clone(), subject }, at).await?;
        let check = differences::last_check(snapshot, site, now).await?;
        let found = differences::Differences {
            check,
            count: i64::from(found.is_some()),
            items: found.into_iter().collect(),
            next: None,
            uncompared: entry.retired.then_some("A retired server is not compared."),
        };
        let history = history::read(snapshot, "dhcp_server", key.as_str()).await?;
        let path = DHCP_SERVER.page(key);
        Ok(vec![
            entry::heading(&DHCP_SERVER, &entry, &may.change, &html! {}),
            ("state", view::state(&entry, change.as_ref(), at == At::Now, now)),
            ("waiting", view::waiting(key, &waiting, count, at == At::Now, now)),
            ("drift", differences::card(site, &found, now, &may.repair, &path)),
            ("history", history::card(&history)),
        ])
    }
}

impl Described for DhcpServers {
    type View = DhcpServerView;
    type Spec = DhcpServerSpec;
    const NOUN: Noun = DHCP_SERVER;
    const SECTION: Section = Section::DhcpServers;
    const KIND: Kind = Kind::DhcpServer;
    // Each confirmation is an event.
    const REFUSES_OLD_FORMS: bool = false;

    fn usual(page_context: &PageContext) -> Pairs {
        vec![forms::pair("site", page_context.parameter("site"))]
    }

    fn pairs(view: &DhcpServerView) -> Pairs {
        form::pairs(&view.spec)
    }

    async fn form(snapshot: &mut Snapshot<'_>, target: &Target, fields: &Fields) -> Result<Markup, Error> {
        Ok(form::view(target, fields, &forms::sites(snapshot).await?))
    }

    fn read(fields: &mut Fields) -> Option<DhcpServerSpec> {
        form::read(fields)
    }

    fn define(key: Name, spec: DhcpServerSpec) -> Command {
        Command::Catalogue(CatalogueAction::DefineDhcpServer(key, spec))
    }

    async fn end(snapshot: &mut Snapshot<'_>, entry: &Entry<DhcpServerView>) -> Result<End, Error> {
        let (key, site) = (&entry.key, &entry.spec.spec.site);
        let (_, count) = held_up(snapshot, key).await?;
        let others = catalogue::dhcp_servers_of(snapshot.connection(), site, At::Now).await?;
        let mut uses = vec![];
        if count > 0 {
            let path = format!("{}#waiting", DHCP_SERVER.page(key));
            uses.push(html! { a href=(path) { (counted(count, "deployment waits", "deployments wait")) " for it" } ". Deployments continue without it." });
        }
        if others.iter().all(|other| other.key == *key) {
            uses.push(html! { "It is the last DHCP server of " a href=(format!("/sites/{site}")) { "site " (site) } ": deployments there wait until you create another." });
        }
        Ok(End {
            does: "Deployments no longer wait for its confirmations, and its reports are refused. The server itself keeps its current configuration.",
            uses,
            refused: None,
        })
    }
}
