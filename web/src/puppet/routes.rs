//! The routes `GET /puppet/nodes/{certname}` for Puppet's external node classifier, and `POST /puppet/reports` for its
//! report processor `http`.

use super::{node, report};
use crate::application::Application;
use crate::auth::guard::PUPPET_REPORTS;
use crate::auth::level::Level;
use crate::auth::principal::Reporter;
use crate::commands::{Command, Context};
use crate::dhcp::revision::Revision;
use crate::edge::correlation;
use crate::error::Error;
use crate::error::problem::Problem;
use crate::request::backend::Backend;
use crate::request::body::Yaml;
use crate::request::path::Path;
use crate::request::reading::name_position;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use actix_web::{HttpRequest, HttpResponse, web};
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::venture::puppet::Classification;
use bootledger_projections::at::At;
use bootledger_projections::deployments::{self, Status};
use serde::Serialize;
use utoipa::ToSchema;

/// Mounts the routes.
pub(crate) fn configure(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/puppet/nodes/{certname}").route(web::get().to(show)).route(web::head().to(show)))
        .service(web::resource(PUPPET_REPORTS).route(web::post().to(create)));
}

/// Returns the classification of a node as YAML, as Puppet expects it from an external node classifier. No token is needed.
#[utoipa::path(get, path = "/puppet/nodes/{certname}", tag = "puppet",
    params(("certname" = Hostname, Path, description = "The node's certname, which is its host name"),
           ("at" = Option<String>, Query, description = "As of this position of the log, or as of this RFC 3339 time")),
    responses((status = 200, description = "Classes, parameters and environment", body = Classification, content_type = "application/x-yaml"),
              (status = 304, description = "As `If-None-Match` says"),
              (status = 400, description = "It is no host name", body = Problem, content_type = "application/problem+json"),
              (status = 404, description = "No device in use has this host name and a role that exists", body = Problem, content_type = "application/problem+json"),
              (status = 422, description = "`at` is not a moment that the views show", body = Problem, content_type = "application/problem+json"),
              (status = 503, description = "Not possible at the moment", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn show(
    request: HttpRequest,
    Path(certname): Path<Hostname>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let told = node::classify(&mut reading, &certname).await?;
    // JSON is YAML without ambiguity: to Ruby, a plain yes, 0777 or 12:30 would not be a text.
    let text = serde_json::to_string_pretty(&told).map_err(|error| Error::Internal(error.into()))?;
    let revision = Revision::of(format!("---\n{text}\n"));
    let held = revision.is_held_by(&request);
    let mut response = if held { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((ETAG, revision.tag.clone())).insert_header((CACHE_CONTROL, "no-cache"));
    let mut response = if held {
        response.finish()
    } else {
        response.insert_header((CONTENT_TYPE, "application/x-yaml; charset=utf-8")).body(revision.bytes)
    };
    name_position(&mut response, reading.position);
    Ok(response)
}

/// The result of a report.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ReportAnswer {
    /// The certname of the node.
    certname: Hostname,
    /// The deployment in progress that the run was recorded in; null if there is none, which is the usual case.
    deployment: Option<DeploymentId>,
    /// The position of the event that the report caused, or of the end of the log if it caused none.
    position: i64,
}

/// Accepts a report of Puppet's agent, as the report processor `http` sends it. Requires a token for reports or an operator's,
/// as `Bearer`, or as the password of `Basic`.
#[utoipa::path(post, path = "/puppet/reports", tag = "puppet",
    request_body(content = String, content_type = "application/x-yaml", description = "A report of Puppet 4.4 or later, at most 8 MiB"),
    security(("token" = [])),
    responses((status = 200, description = "It was read; what it says may be news or not", body = ReportAnswer),
              (status = 400, description = "It is no report", body = Problem, content_type = "application/problem+json"),
              (status = 401, description = "A valid token is needed", body = Problem, content_type = "application/problem+json"),
              (status = 403, description = "The token is not for reports", body = Problem, content_type = "application/problem+json"),
              (status = 408, description = "It came too slowly", body = Problem, content_type = "application/problem+json"),
              (status = 413, description = "It is too large", body = Problem, content_type = "application/problem+json"),
              (status = 415, description = "It is not said to be YAML", body = Problem, content_type = "application/problem+json"),
              (status = 503, description = "Not possible at the moment", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn create(
    Reporter(reporter): Reporter,
    application: web::Data<Application>,
    mut backend: Backend,
    request: HttpRequest,
    Yaml(body): Yaml,
) -> Result<HttpResponse, Error> {
    // Parsing some megabytes of YAML takes time.
    let read = tokio::task::spawn_blocking(move || report::read(&body)).await.map_err(|error| Error::Internal(error.into()))?;
    let run = read.map_err(|message| Error::bad_request("", "report_malformed", format!("the body is no report: {message}")))?;
    let certname = run.certname.clone();
    let mut reading = backend.read_now().await?;
    let live = match node::device_of(&mut reading, &certname).await? {
        Some(device) => deployments::live_of_device(reading.connection(), device, At::Now).await?,
        None => None,
    };
    // A server that gets a new name may still run under its old one.
    let live = live.filter(|live| live.status == Status::InProgress && live.hostname == certname).map(|live| live.id);
    let mut position = reading.position;
    drop(reading);
    if let Some(deployment) = live {
        let context = Context {
            actor: reporter.actor(),
            correlation_id: correlation::of(&request),
            causation_id: None,
            idempotency_key: None,
            level: Level::Viewer,
        };
        let command = Command::ReportPuppetRun { deployment, run, now: (application.now)() };
        position = backend.execute(command, context).await?.position;
    }
    Ok(HttpResponse::Ok().json(ReportAnswer { certname, deployment: live, position }))
}
