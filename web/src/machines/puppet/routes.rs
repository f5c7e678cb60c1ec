//! The routes `GET /puppet/nodes/{certname}` for Puppet's external node classifier, and `POST /puppet/reports` for its
//! report processor `http`.

use super::{node, report};
use crate::http::access::PUPPET_REPORTS;
use crate::http::application::Application;
use crate::http::auth::Reporter;
use crate::http::edge::correlation;
use crate::http::error::Error;
use crate::http::error::problem::Problem;
use crate::http::request::backend::Backend;
use crate::http::request::body::Yaml;
use crate::http::request::path::Path;
use crate::http::request::snapshot::name_position;
use crate::machines::dhcp::revision::Revision;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use actix_web::{HttpRequest, HttpResponse, web};
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::venture::puppet::Classification;
use bootledger_port::{Command, Context, DeploymentAction};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::deployments::{self, Status};
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
              (status = 304, description = "Not modified: see `If-None-Match`"),
              (status = 400, description = "Not a host name", body = Problem, content_type = "application/problem+json"),
              (status = 404, description = "No device in use has this host name and a role that exists", body = Problem, content_type = "application/problem+json"),
              (status = 422, description = "`at` is not available", body = Problem, content_type = "application/problem+json"),
              (status = 503, description = "Temporarily unavailable", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn show(
    request: HttpRequest,
    Path(certname): Path<Hostname>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let reported = node::classify(&mut snapshot, &certname).await?;
    // JSON is YAML without ambiguity: to Ruby, a plain yes, 0777 or 12:30 would not be a text.
    let text = serde_json::to_string_pretty(&reported).map_err(|error| Error::Internal(error.into()))?;
    let revision = Revision::of(format!("---\n{text}\n"));
    let held = revision.is_held_by(&request);
    let mut response = if held { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((ETAG, revision.tag.clone())).insert_header((CACHE_CONTROL, "no-cache"));
    let mut response = if held {
        response.finish()
    } else {
        response.insert_header((CONTENT_TYPE, "application/x-yaml; charset=utf-8")).body(revision.bytes)
    };
    name_position(&mut response, snapshot.position);
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
    responses((status = 200, description = "The report was read", body = ReportAnswer),
              (status = 400, description = "Not a report", body = Problem, content_type = "application/problem+json"),
              (status = 401, description = "Authentication required", body = Problem, content_type = "application/problem+json"),
              (status = 403, description = "The token has another scope", body = Problem, content_type = "application/problem+json"),
              (status = 408, description = "Request timeout", body = Problem, content_type = "application/problem+json"),
              (status = 413, description = "The report is too large", body = Problem, content_type = "application/problem+json"),
              (status = 415, description = "The header Content-Type is not YAML", body = Problem, content_type = "application/problem+json"),
              (status = 503, description = "Temporarily unavailable", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn create(
    Reporter(reporter): Reporter,
    application: web::Data<Application>,
    mut backend: Backend,
    request: HttpRequest,
    Yaml(body): Yaml,
) -> Result<HttpResponse, Error> {
    // Parsing some megabytes of YAML takes time.
    let read = tokio::task::spawn_blocking(move || report::read(&body)).await.map_err(|error| Error::Internal(error.into()))?;
    let run =
        read.map_err(|message| Error::bad_request("", Rule::ReportMalformed, format!("the body is not a report: {message}")))?;
    let certname = run.certname.clone();
    let mut snapshot = backend.read_now().await?;
    let live = match node::device_of(&mut snapshot, &certname).await? {
        Some(device) => deployments::live_of_device(snapshot.connection(), device, At::Now).await?,
        None => None,
    };
    // A server that gets a new name may still run under its old one.
    let live = live.filter(|live| live.status == Status::InProgress && live.hostname == certname).map(|live| live.id);
    let mut position = snapshot.position;
    drop(snapshot);
    if let Some(deployment) = live {
        let context = Context {
            actor: reporter.actor(),
            correlation_id: correlation::of(&request),
            causation_id: None,
            idempotency_key: None,
            level: Role::Viewer,
        };
        let command = Command::Deployment(DeploymentAction::ReportPuppetRun { deployment, run, now: (application.now)() });
        position = backend.execute(command, context).await?.position;
    }
    Ok(HttpResponse::Ok().json(ReportAnswer { certname, deployment: live, position }))
}
