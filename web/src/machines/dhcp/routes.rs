//! The routes `GET /dhcp/{site}/isc.conf|kea.json|dnsmasq.conf` for anyone, and `PUT /dhcp/servers/{name}/confirmation` for
//! the server's agent.

use super::boot_file::BootSource;
use super::format::Format;
use super::held::{Configurations, Current, Rendered, render};
use crate::http::application::Application;
use crate::http::auth::principal::Principal;
use crate::http::edge::correlation;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::body::Json;
use crate::http::request::parameters::Parameters;
use crate::http::request::path::Path;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::text::Text;
use bootledger_port::{Command, Context, DhcpServerAction};
use serde::Deserialize;
use std::time::Duration;
use tokio::time::Instant;
use utoipa::ToSchema;

/// The header with the position up to which the answer is current.
const POSITION: &str = "Bootledger-Position";
/// The header with the position of the last event that may have changed the answer.
const CHANGED_POSITION: &str = "Bootledger-Changed-Position";

/// The maximum time that a request waits for a change, in seconds.
const LONGEST_WAIT: u64 = 60;

/// How long to collect events that arrive together: they result in one revision, and so in one reload.
const GATHER: Duration = Duration::from_millis(50);

/// Mounts the routes. They need `Data<Configurations>`, one for all workers.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/dhcp/servers/{name}/confirmation").route(web::put().to(confirm)))
        .service(web::resource("/dhcp/{site}/{file}").route(web::get().to(show)).route(web::head().to(show)));
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct News {
    /// How many seconds to wait for a configuration that the client does not have.
    wait: u64,
    /// The position that the client's server has last confirmed. An event after it that may have changed the configuration ends
    /// the wait even if the bytes are the same, because a deployment waits for the confirmation.
    confirmed: Option<i64>,
}

async fn show(
    application: web::Data<Application>,
    configurations: web::Data<Configurations>,
    mut backend: Backend,
    request: HttpRequest,
    Path((site, file)): Path<(Name, String)>,
    Parameters(news): Parameters<News>,
) -> Result<HttpResponse, Error> {
    let format = Format::of_file(&file).ok_or_else(|| {
        Error::NotFound(format!(
            "DHCP configurations are written as isc.conf (ISC dhcpd), kea.json (Kea) and dnsmasq.conf (dnsmasq), not as {file:?}"
        ))
    })?;
    if form_urlencoded::parse(request.query_string().as_bytes()).any(|(name, _)| name == "at") {
        return past(&mut backend, BootSource::of(&application), &request, &site, format).await;
    }
    let deadline = Instant::now() + Duration::from_secs(news.wait.min(LONGEST_WAIT));
    loop {
        let current = configurations.current(&mut backend, &site, format).await?;
        let news_of_it = news.confirmed.is_some_and(|confirmed| current.changed > confirmed);
        if !current.revision.is_held_by(&request) || news_of_it || !event_after(&application, current.seen, deadline).await {
            return Ok(answer(&request, format, &current));
        }
    }
}

/// Waits until the views show more than `position`; false if the deadline has passed or the service stops.
async fn event_after(application: &Application, position: i64, deadline: Instant) -> bool {
    // Even a sleep until now takes a millisecond, which an unchanged configuration must not take.
    if Instant::now() >= deadline {
        return false;
    }
    let (mut shown, mut stopping) = (application.position.clone(), application.stopping.clone());
    let moved = async {
        let moved = shown.wait_for(|shown| *shown > position).await.is_ok();
        tokio::time::sleep(GATHER).await;
        moved
    };
    tokio::select! {
        biased;
        _ = stopping.wait_for(|stopping| *stopping) => false,
        () = tokio::time::sleep_until(deadline) => false,
        moved = moved => moved,
    }
}

fn answer(request: &HttpRequest, format: Format, current: &Current) -> HttpResponse {
    let held = current.revision.is_held_by(request);
    let mut response = if held { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((ETAG, current.revision.tag.clone())).insert_header((CACHE_CONTROL, "no-cache"));
    response.insert_header((POSITION, current.position)).insert_header((CHANGED_POSITION, current.changed));
    if held {
        return response.finish();
    }
    response.insert_header((CONTENT_TYPE, format.media_type())).body(current.revision.bytes.clone())
}

/// Returns a past configuration. The event that last changed it is not known then, and nothing is waited for.
async fn past(
    backend: &mut Backend,
    source: BootSource,
    request: &HttpRequest,
    site: &Name,
    format: Format,
) -> Result<HttpResponse, Error> {
    let snapshot = backend.read().await?;
    let Rendered { revision, moment } = render(snapshot, source, site, format).await?;
    let position = moment.position;
    let held = revision.is_held_by(request);
    let mut response = if held { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((ETAG, revision.tag.clone())).insert_header((CACHE_CONTROL, "no-cache"));
    response.insert_header((POSITION, position));
    if held {
        return Ok(response.finish());
    }
    Ok(response.insert_header((CONTENT_TYPE, format.media_type())).body(revision.bytes))
}

/// A confirmation or an error that a server's agent reports.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Confirmation {
    /// The hash of the bytes that the server runs, or that it could not use; `None` if the server has no configuration.
    revision: Option<Sha256>,
    /// The position up to which the bytes are current, from the response that contained or confirmed them.
    position: Option<i64>,
    /// Whether the server runs the configuration.
    ok: bool,
    /// Why the server does not run it.
    #[serde(default)]
    message: String,
}

async fn confirm(
    application: web::Data<Application>,
    request: HttpRequest,
    Path(server): Path<Name>,
    body: web::Payload,
) -> Result<HttpResponse, Error> {
    // The caller is checked first: from anyone else, not a byte of the body is read.
    let principal = Principal::extract(&request).await?;
    principal.require_dhcp_server(&server)?;
    let Json(report) = Json::<Confirmation>::from_request(&request, &mut body.into_inner()).await?;
    let command = match report {
        Confirmation { ok: true, revision: Some(revision), position: Some(position), .. } => {
            Command::DhcpServer(DhcpServerAction::ConfirmConfiguration { server, revision, position })
        }
        Confirmation { ok: true, revision, .. } => {
            let missing = if revision.is_none() { "revision" } else { "position" };
            let message = format!(
                "a confirmation must contain the revision and the position of the configuration that the server runs; {missing} is missing"
            );
            return Err(Error::rejected(missing, Rule::ConfirmedNothing, message));
        }
        Confirmation { ok: false, revision, message, .. } => {
            let message = Text::fitted(&message);
            let message = if message.is_empty() { Text::fitted("the server gave no reason") } else { message };
            Command::DhcpServer(DhcpServerAction::ReportConfigurationFailure { server, revision, message })
        }
    };
    let context = Context {
        actor: principal.actor(),
        correlation_id: correlation::of(&request),
        causation_id: None,
        idempotency_key: None,
        level: Role::Viewer,
    };
    let receipt = application.commands.unguarded().execute(command, context).await?;
    Ok(HttpResponse::Ok().json(receipt))
}
