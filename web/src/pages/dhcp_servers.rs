//! Pages of DHCP servers: what each has confirmed, whether it is behind or failing, and which deployments are waiting for it.

mod form;
mod view;

use super::catalogue::described::{self, Described, End};
use super::catalogue::entry::{self, Parts};
use super::catalogue::form::{self as forms, Pairs, Target};
use super::catalogue::list::{self, ListQuery};
use super::catalogue::{DHCP_SERVER, Noun, history};
use super::drift as differences;
use super::form::Fields;
use super::frame::{Page, Section, Visit};
use super::kit::action::Allowed;
use super::live::Topic;
use crate::application::Application;
use crate::auth::level::Level;
use crate::commands::{Command, Kind};
use crate::dhcp::configuration::Format;
use crate::dhcp::held::Configurations;
use crate::error::Error;
use crate::request::backend::Backend;
use crate::request::path::Path;
use crate::request::reading::Reading;
use actix_web::web::{Data, ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::dhcp_server::DhcpServerSpec;
use bootledger_aggregates::drift::{DriftKey, Subject};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::at::At;
use bootledger_projections::catalogue::{self, DhcpServerView, Entry};
use bootledger_projections::dhcp_sites::{self, LastChange};
use bootledger_projections::drift;
use bootledger_projections::plugin_runs::{self, Awaited, HeldUp};
use futures::future::FutureExt;
use maud::{Markup, html};

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/dhcp-servers").get(index))
        .service(resource("/dhcp-servers/_new").get(described::new::<DhcpServers>).post(described::create::<DhcpServers>))
        .service(resource("/dhcp-servers/_list/live/{since}").get(live_list))
        .service(resource("/dhcp-servers/{key}").get(show))
        .service(resource("/dhcp-servers/{key}/live/{since}").get(live))
        .service(resource("/dhcp-servers/{key}/edit").get(described::edit::<DhcpServers>).post(described::change::<DhcpServers>))
        .service(
            resource("/dhcp-servers/{key}/retire").get(described::ask::<DhcpServers>).post(described::retire::<DhcpServers>),
        );
}

/// How many deployments that are waiting for a server are shown.
const SHOWN_WAITING: i64 = 50;

/// The key of what plugins are waiting for when they wait for this server.
fn awaited(key: &Name) -> String {
    format!("dhcp-server:{key}")
}

/// The last changes of all sites, and how many deployments are waiting for what; both are unknown for past positions.
async fn news(reading: &mut Reading<'_>) -> Result<(Vec<LastChange>, Vec<Awaited>), Error> {
    if reading.at != At::Now {
        return Ok((vec![], vec![]));
    }
    let changes = dhcp_sites::last_changes(reading.connection()).await?;
    let waiting = plugin_runs::awaited(reading.connection(), i64::MAX).await?;
    Ok((changes, waiting))
}

async fn index(visit: Visit, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let query: ListQuery = visit.query()?;
    let found = list::find::<DhcpServerView>(&mut reading, "dhcp_server", &query).await?;
    let (at, (changes, waiting)) = (reading.at, news(&mut reading).await?);
    let no_site = found.items.is_empty() && catalogue::sites(reading.connection(), at).await?.is_empty();
    let table = (!found.items.is_empty()).then(|| view::table(&found.items, &changes, &waiting, visit.now));
    let empty = list::Empty {
        words: if no_site {
            "There is no DHCP server yet, and no site that one could serve. Define a site first."
        } else {
            "There is no DHCP server yet. Deployments wait until each DHCP server of their site has confirmed their entry: define the first, and start its agent."
        },
        first: no_site.then_some(("New site", "/sites/_new")),
        also: None,
    };
    let may = visit.may_change(&reading, Level::Administrator);
    let shown = (found.items.len(), found.next.as_deref());
    let content = list::view(&visit, &DHCP_SERVER, &may, table.as_ref(), shown, &empty);
    let page = Page {
        live: Some(entry::live_path("/dhcp-servers/_list", reading.position, &visit)),
        json: Some("/api/v1/dhcp-servers".to_owned()),
        ..Page::new("DHCP servers", Section::DhcpServers, content)
    };
    visit.answer(reading, page).await
}

async fn live_list(
    visit: Visit,
    request: HttpRequest,
    application: Data<Application>,
    Path(since): Path<i64>,
) -> Result<HttpResponse, Error> {
    let query: ListQuery = visit.query()?;
    let topics = ["dhcp_server", "network", "site", "device", "deployment"].map(Topic::Kind).to_vec();
    entry::stream(&request, &application, since, topics, move |mut reading, now| {
        let query = query.clone();
        async move {
            let found = list::find::<DhcpServerView>(&mut reading, "dhcp_server", &query).await?;
            let (changes, waiting) = news(&mut reading).await?;
            Ok(vec![("servers", view::table(&found.items, &changes, &waiting, now))])
        }
        .boxed_local()
    })
}

/// What the visitor may do: define and retire servers, and repair differences.
#[derive(Clone)]
struct May {
    change: Allowed,
    repair: Allowed,
}

async fn held_up(reading: &mut Reading<'_>, key: &Name) -> Result<(Vec<HeldUp>, i64), Error> {
    if reading.at != At::Now {
        return Ok((vec![], 0));
    }
    let awaited = awaited(key);
    let shown = plugin_runs::held_up_by(reading.connection(), &awaited, SHOWN_WAITING).await?;
    let counts = plugin_runs::awaited(reading.connection(), i64::MAX).await?;
    let count = counts.into_iter().find(|known| known.key == awaited).map_or(0, |known| known.deployments);
    Ok((shown, count))
}

async fn parts(reading: &mut Reading<'_>, key: &Name, may: &May, now: Timestamp) -> Result<Parts, Error> {
    let at = reading.at;
    let entry = entry::find::<DhcpServerView>(reading, &DHCP_SERVER, key.as_str()).await?;
    let site = &entry.spec.spec.site;
    let change = match at {
        At::Now => dhcp_sites::last_changes(reading.connection()).await?.into_iter().find(|change| change.site == *site),
        At::Position(_) => None,
    };
    let (waiting, count) = held_up(reading, key).await?;
    let subject = Subject::Dhcp { server: key.clone() };
    let found = drift::find(reading.connection(), &DriftKey { site: site.clone(), subject }, at).await?;
    let check = differences::last_check(reading, site, now).await?;
    let found =
        differences::Differences { check, count: i64::from(found.is_some()), items: found.into_iter().collect(), next: None };
    let history = history::read(reading, "dhcp_server", key.as_str()).await?;
    let page = DHCP_SERVER.page(key);
    Ok(vec![
        (
            "heading",
            html! { div id="heading" { (entry::heading(&DHCP_SERVER, key.as_str(), entry.retired, &may.change, &html! {})) } },
        ),
        ("state", view::state(&entry, change.as_ref(), at == At::Now, now)),
        ("waiting", view::waiting(key, &waiting, count, at == At::Now, now)),
        ("drift", differences::card(site, &found, now, &may.repair, &page)),
        ("history", history::card(&history)),
    ])
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
    visit: Visit,
    configurations: Data<Configurations>,
    Path(key): Path<Name>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let may =
        May { change: visit.may_change(&reading, Level::Administrator), repair: visit.may_change(&reading, Level::Operator) };
    let at = reading.at;
    let entry = entry::find::<DhcpServerView>(&mut reading, &DHCP_SERVER, key.as_str()).await?;
    let parts = parts(&mut reading, &key, &may, visit.now).await?;
    let live = entry::live_path(&DHCP_SERVER.page(&key), reading.position, &visit);
    let seen = visit.see(reading).await?;
    let configuration = configuration(&mut backend, &configurations, &entry, at).await?;
    let content = html! {
        @for (id, part) in &parts {
            // The configuration may be long, so it is not in a part that is rendered again with each event.
            @if *id == "history" { (configuration) }
            (part)
        }
    };
    let page = Page {
        live: Some(live),
        json: Some(format!("/api/v1/dhcp-servers/{key}")),
        ..Page::new(key.as_str(), Section::DhcpServers, content)
    };
    Ok(seen.answer(&page))
}

async fn live(
    visit: Visit,
    request: HttpRequest,
    application: Data<Application>,
    Path((key, since)): Path<(Name, i64)>,
) -> Result<HttpResponse, Error> {
    let may = May { change: visit.may(Level::Administrator), repair: visit.may(Level::Operator) };
    let kinds = ["network", "site", "device", "deployment", "drift"].map(Topic::Kind);
    let topics = [Topic::One("dhcp_server", key.to_string())].into_iter().chain(kinds).collect();
    entry::stream(&request, &application, since, topics, move |mut reading, now| {
        let (key, may) = (key.clone(), may.clone());
        async move { parts(&mut reading, &key, &may, now).await }.boxed_local()
    })
}

/// DHCP servers as a kind that forms define.
struct DhcpServers;

impl Described for DhcpServers {
    type View = DhcpServerView;
    type Spec = DhcpServerSpec;
    const NOUN: Noun = DHCP_SERVER;
    const SECTION: Section = Section::DhcpServers;
    const KIND: Kind = Kind::DhcpServer;
    // Each confirmation is an event.
    const REFUSES_OLD_FORMS: bool = false;

    fn usual(visit: &Visit) -> Pairs {
        vec![forms::pair("site", visit.parameter("site"))]
    }

    fn pairs(view: &DhcpServerView) -> Pairs {
        form::pairs(&view.spec)
    }

    async fn form(reading: &mut Reading<'_>, target: &Target, fields: &Fields) -> Result<Markup, Error> {
        Ok(form::view(target, fields, &forms::sites(reading).await?))
    }

    fn read(fields: &mut Fields) -> Option<DhcpServerSpec> {
        form::read(fields)
    }

    fn define(key: Name, spec: DhcpServerSpec) -> Command {
        Command::DefineDhcpServer(key, spec)
    }

    async fn end(reading: &mut Reading<'_>, entry: &Entry<DhcpServerView>) -> Result<End, Error> {
        let (key, site) = (&entry.key, &entry.spec.spec.site);
        let (_, count) = held_up(reading, key).await?;
        let others = catalogue::dhcp_servers_of(reading.connection(), site, At::Now).await?;
        let mut uses = vec![];
        if count > 0 {
            let path = format!("{}#waiting", DHCP_SERVER.page(key));
            uses.push(html! { a href=(path) { (count) " deployments wait for it" } ", and go on without it" });
        }
        if others.iter().all(|other| other.key == *key) {
            uses.push(html! { "It is the last DHCP server of " a href=(format!("/sites/{site}")) { "site " (site) } ": deployments there wait until there is another." });
        }
        Ok(End {
            does: "Nobody waits for its confirmations any more, and what it reports is refused. The server itself keeps running what it has.",
            uses,
            refused: None,
        })
    }
}
