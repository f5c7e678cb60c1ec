//! The route `/pxe/DONE/`, with which a server reports that it is installed.
//!
//! A repeated report gets the same answer, because the first answer may have been lost. The domain decides whether the
//! deployment is done; this module only finds the deployment. From then on the server boots its disk, even if its deployment
//! remains in progress until Puppet reports a run.

use super::boot_client::BootClient;
use super::refusal::refuse;
use super::service::BootService;
use super::table::Lookup;
use crate::http::application::Application;
use crate::http::edge::correlation;
use actix_web::http::StatusCode;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::deployment::event::DoneBy;
use bootledger_aggregates::rules::{BrokenRule, Rule};
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::values::name::Name;
use bootledger_port::{Command, CommandError, Context, DeploymentAction};
use bootledger_projections::Error;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::deployments::{self, Status};
use bootledger_projections::rows::{boot_targets, catalogue};
use std::net::Ipv4Addr;

/// Handles `GET` and `POST`, with the token and without.
pub(super) async fn done(request: HttpRequest, service: Data<BootService>) -> HttpResponse {
    let asker = match BootClient::of(&request, &service.application) {
        Ok(asker) => asker,
        Err(refusal) => return refusal.answer(&request),
    };
    match asker.by_token {
        // A request with a token concerns the token's deployment, in any state.
        Some(deployment) => mark(&request, &service, deployment, DoneBy::Token { address: asker.client }, asker).await,
        None => by_address(&request, &service, asker).await,
    }
}

async fn by_address(request: &HttpRequest, service: &BootService, asker: BootClient) -> HttpResponse {
    let client = asker.client;
    match asker.find(&service.table) {
        Lookup::Target(target) if target.place.ip_only_done => {
            let by = DoneBy::Ip { address: client };
            mark(request, service, target.identity.deployment, by, asker).await
        }
        Lookup::Target(target) => token_needed(request, &target.place.network),
        Lookup::Nothing if service.table.just_done(client).is_some() => ok(),
        Lookup::Nothing => match earlier(&service.application, client).await {
            Ok(earlier) => earlier.answer(request, client),
            Err(error) => {
                tracing::error!("cannot read the deployments of {client}: {:#}", anyhow::Error::new(error));
                refuse(request, StatusCode::SERVICE_UNAVAILABLE, "the database cannot be reached; retry")
            }
        },
        found => asker.refuse(request, &found),
    }
}

/// What is known about an address that has no deployment in progress.
enum Earlier {
    Nothing,
    Open(DeploymentId),
    /// The views show a deployment in progress that the table does not contain yet.
    InProgress,
    Done,
    DoneWhereTokenNeeded(Name),
    Cancelled(DeploymentId),
}

async fn earlier(application: &Application, client: Ipv4Addr) -> Result<Earlier, Error> {
    let views = &application.agents;
    if let Some(live) = deployments::live_of_ip(views, client).await? {
        return match live.status {
            // The server is installed and only waits for Puppet: its earlier report of DONE still counts.
            _ if live.installed_at.is_some() => said_before(application, live.network).await,
            Status::Open => Ok(Earlier::Open(live.id)),
            _ => Ok(Earlier::InProgress),
        };
    }
    let Some(last) = boot_targets::last_of_ip(views, client).await? else {
        return Ok(Earlier::Nothing);
    };
    let status = deployments::find(views, last.deployment, At::Now).await?.map(|deployment| deployment.status);
    Ok(match status {
        Some(Status::Done) => return said_before(application, last.network).await,
        Some(Status::Cancelled) => Earlier::Cancelled(last.deployment),
        Some(Status::Open | Status::InProgress) => Earlier::InProgress,
        None => Earlier::Nothing,
    })
}

/// The server has already reported DONE. The network's rule for reports without a token still applies.
async fn said_before(application: &Application, network: Name) -> Result<Earlier, Error> {
    Ok(match catalogue::network(&application.agents, &network, At::Now).await? {
        Some(found) if !found.spec.ip_only_done => Earlier::DoneWhereTokenNeeded(network),
        _ => Earlier::Done,
    })
}

impl Earlier {
    fn answer(self, request: &HttpRequest, client: Ipv4Addr) -> HttpResponse {
        let (status, sentence) = match self {
            Self::Done => return ok(),
            Self::DoneWhereTokenNeeded(network) => return token_needed(request, &network),
            Self::Nothing => (
                StatusCode::NOT_FOUND,
                format!("no deployment is in progress for {client}, and no earlier deployment had this address"),
            ),
            Self::Open(deployment) => (
                StatusCode::CONFLICT,
                format!("deployment {deployment} of {client} is still being prepared; only one in progress can be done"),
            ),
            Self::InProgress => {
                (StatusCode::SERVICE_UNAVAILABLE, format!("the deployment of {client} has just started installing; retry"))
            }
            Self::Cancelled(deployment) => {
                (StatusCode::NOT_FOUND, format!("deployment {deployment} of {client} was cancelled; start a new one"))
            }
        };
        refuse(request, status, &sentence)
    }
}

async fn mark(
    request: &HttpRequest,
    service: &BootService,
    deployment: DeploymentId,
    by: DoneBy,
    asker: BootClient,
) -> HttpResponse {
    let context = Context {
        actor: format!("server {}", asker.client),
        correlation_id: correlation::of(request),
        causation_id: None,
        idempotency_key: None,
        level: Role::Viewer,
    };
    // The address is read before the command: afterwards the table may have removed the deployment already.
    let ip = match service.table.of_deployment(deployment) {
        Lookup::Target(target) => Some(target.identity.assignment.ip),
        _ => None,
    };
    match service
        .application
        .commands
        .unguarded()
        .execute(Command::Deployment(DeploymentAction::MarkDone { deployment, by }), context)
        .await
    {
        Ok(receipt) => {
            if let Some(ip) = ip {
                service.table.end(deployment, ip, receipt.position);
            }
            ok()
        }
        Err(error) => not_done(request, deployment, &error),
    }
}

fn not_done(request: &HttpRequest, deployment: DeploymentId, error: &CommandError) -> HttpResponse {
    match error {
        CommandError::Refused(broken) => {
            let ended = broken.iter().any(|rule: &BrokenRule| rule.is(Rule::DeploymentEnded) || rule.is(Rule::DeploymentUnknown));
            refuse(request, if ended { StatusCode::NOT_FOUND } else { StatusCode::CONFLICT }, &error.to_string())
        }
        CommandError::NotFound(sentence) => refuse(request, StatusCode::NOT_FOUND, sentence),
        CommandError::Conflict(_) | CommandError::Unavailable(_) | CommandError::Busy(_) => {
            tracing::warn!(deployment.id = %deployment, "cannot record the DONE of a server yet: {error}");
            refuse(request, StatusCode::SERVICE_UNAVAILABLE, &format!("DONE could not be recorded: {error}"))
        }
        CommandError::KeyReused | CommandError::Controller { .. } | CommandError::Internal(_) => {
            tracing::error!(deployment.id = %deployment, "cannot record the DONE of a server: {error:?}");
            refuse(request, StatusCode::INTERNAL_SERVER_ERROR, "DONE could not be recorded; the log says why")
        }
    }
}

fn token_needed(request: &HttpRequest, network: &Name) -> HttpResponse {
    let sentence =
        format!("network {network} requires the deployment's token: request the URL in the template's variable done_url");
    refuse(request, StatusCode::FORBIDDEN, &sentence)
}

fn ok() -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).content_type("text/plain; charset=utf-8").body("OK")
}
