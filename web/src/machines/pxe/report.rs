//! The routes `/pxe/t/{token}/progress` and `/pxe/t/{token}/log`, with which an installer reports its progress and its log.
//!
//! Both require the deployment's token: an address alone does not identify the sender well enough. An installer must never fail
//! because of a report, so the answers are short, quick, and can be ignored. What an installer sends is stored without the
//! token, which may be in the URLs of its error messages, and without the secrets of its files.

mod fields;
mod log;
mod mask;
#[cfg(test)]
mod tests;

pub(super) use log::log;

use super::refusal::{Refusal, refuse};
use super::service::BootService;
use super::table::Lookup;
use super::token;
use crate::http::client;
use crate::http::edge::correlation;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, RETRY_AFTER};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::deployment::installer::InstallerReport;
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::values::name::Name;
use bootledger_port::{Command, CommandError, Context, DeploymentAction};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use mask::Masked;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

/// Maximum size of a report's body, in bytes.
const REPORT_LIMIT: usize = 16 * 1024;

/// Time limit for a report's body.
const REPORT_TIME: Duration = Duration::from_secs(10);

/// The number of seconds after which a client may report again if it reports too often.
const SOON: &str = "2";

/// The number of seconds after which a client may report again if the deployment has reached the limit of reports of this kind.
const LATER: &str = "3600";

/// The sender of a report.
#[derive(Clone, Debug)]
struct Reporter {
    deployment: DeploymentId,
    client: Ipv4Addr,
    mask: Masked,
}

impl Reporter {
    /// Identifies the sender by the token in the path; an invalid token is refused.
    fn of(request: &HttpRequest, service: &BootService) -> Result<Self, Refusal> {
        let application = &service.application;
        let client = client::address(request, &application.trusted_proxies)
            .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, error.to_string()))?;
        let token = request.match_info().get("token").unwrap_or_default();
        let deployment = token::verify(&application.key, token)
            .ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "no deployment in progress has this token".to_owned()))?;
        Ok(Self {
            deployment,
            client,
            mask: secrets(service, deployment).fold(Masked::new(token), |mask, secret| mask.and(&secret)),
        })
    }

    fn context(&self, request: &HttpRequest) -> Context {
        Context {
            actor: format!("server {}", self.client),
            correlation_id: correlation::of(request),
            causation_id: None,
            idempotency_key: None,
            level: Role::Viewer,
        }
    }
}

/// The secrets in the files of a deployment in progress. A secret that cannot be read is in no file either.
fn secrets(service: &BootService, deployment: DeploymentId) -> impl Iterator<Item = String> {
    let target = match service.table.of_deployment(deployment) {
        Lookup::Target(target) => Some(target),
        _ => None,
    };
    let names: BTreeSet<Name> = target.iter().flat_map(|target| target.secrets()).cloned().collect();
    names.into_iter().filter_map(|name| Some(service.application.commands.boot_secret(&name).ok()?.expose().to_owned()))
}

/// Handles `HEAD`: the status shows whether the token is valid. Nothing else is done.
pub(super) async fn head(request: HttpRequest, service: Data<BootService>) -> HttpResponse {
    match Reporter::of(&request, &service) {
        Ok(_) => HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).finish(),
        Err(refusal) => refusal.answer(&request),
    }
}

/// Refuses every other method.
pub(super) async fn wrong_method(request: HttpRequest) -> HttpResponse {
    let sentence = "report progress with GET or POST to …/progress, and the log with POST or PUT to …/log";
    let mut answer = refuse(&request, StatusCode::METHOD_NOT_ALLOWED, sentence);
    let log = request.path().trim_end_matches('/').ends_with("/log");
    let allowed = if log { "HEAD, POST, PUT" } else { "GET, HEAD, POST" };
    answer.headers_mut().insert(ALLOW, actix_web::http::header::HeaderValue::from_static(allowed));
    answer
}

/// Handles `GET` and `POST /pxe/t/{token}/progress`.
pub(super) async fn progress(request: HttpRequest, service: Data<BootService>, body: Payload) -> HttpResponse {
    let reporter = match Reporter::of(&request, &service) {
        Ok(reporter) => reporter,
        Err(refusal) => return refusal.answer(&request),
    };
    if !service.table.paces.allow_report(reporter.deployment) {
        return too_many(&request, SOON, "this server sends reports too often; wait before the next report");
    }
    let body = match small(body).await {
        Ok(body) => body,
        Err((status, sentence)) => return refuse(&request, status, &sentence),
    };
    let fields = match fields::parse(request.query_string(), &body, |text| reporter.mask.text(text)) {
        Ok(fields) => fields,
        Err(sentence) => return refuse(&request, StatusCode::BAD_REQUEST, &sentence),
    };
    let fields::Fields { stage, percent, text, failed, next_boot } = fields;
    let report = InstallerReport { stage, percent, text, failed, next_boot, client: reporter.client };
    let command = Command::Deployment(DeploymentAction::ReportInstaller { deployment: reporter.deployment, report });
    match service.application.commands.unguarded().execute(command, reporter.context(&request)).await {
        Ok(_) => ok(),
        Err(error) => refused(&request, reporter.deployment, &error),
    }
}

async fn small(mut body: Payload) -> Result<Bytes, (StatusCode, String)> {
    let read = async {
        let mut bytes = BytesMut::new();
        while let Some(part) = body.next().await {
            let part = part.map_err(|error| (StatusCode::BAD_REQUEST, format!("the body ended early: {error}")))?;
            if bytes.len() + part.len() > REPORT_LIMIT {
                let sentence = format!("a report has at most {REPORT_LIMIT} bytes; send a log to …/log");
                return Err((StatusCode::PAYLOAD_TOO_LARGE, sentence));
            }
            bytes.extend_from_slice(&part);
        }
        Ok(bytes.freeze())
    };
    tokio::time::timeout(REPORT_TIME, read).await.unwrap_or_else(|_| {
        Err((StatusCode::REQUEST_TIMEOUT, format!("the body did not arrive within {} s", REPORT_TIME.as_secs())))
    })
}

fn ok() -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).content_type("text/plain; charset=utf-8").body("OK\n")
}

fn too_many(request: &HttpRequest, seconds: &'static str, sentence: &str) -> HttpResponse {
    let mut answer = refuse(request, StatusCode::TOO_MANY_REQUESTS, sentence);
    answer.headers_mut().insert(RETRY_AFTER, actix_web::http::header::HeaderValue::from_static(seconds));
    answer
}

fn refused(request: &HttpRequest, deployment: DeploymentId, error: &CommandError) -> HttpResponse {
    match error {
        CommandError::Refused(broken) if broken.iter().any(bootledger_aggregates::rules::BrokenRule::is_full) => {
            too_many(request, LATER, &error.to_string())
        }
        CommandError::Refused(broken) if broken.iter().any(|rule| rule.is(Rule::StageMissing)) => {
            refuse(request, StatusCode::BAD_REQUEST, &error.to_string())
        }
        // The deployment is not in progress yet, or no longer.
        CommandError::Refused(_) | CommandError::NotFound(_) => refuse(request, StatusCode::NOT_FOUND, &error.to_string()),
        CommandError::Conflict(_) | CommandError::Unavailable(_) | CommandError::Busy(_) => {
            tracing::warn!(deployment.id = %deployment, "cannot record the report of an installer yet: {error}");
            refuse(request, StatusCode::SERVICE_UNAVAILABLE, &format!("the report could not be recorded: {error}"))
        }
        CommandError::KeyReused | CommandError::Controller { .. } | CommandError::Internal(_) => {
            tracing::error!(deployment.id = %deployment, "cannot record the report of an installer: {error:?}");
            refuse(request, StatusCode::INTERNAL_SERVER_ERROR, "the report could not be recorded; the log says why")
        }
    }
}
