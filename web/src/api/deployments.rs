//! Routes for deployments: start, follow, cancel, retry, mark as done.

pub(super) mod item;
mod line;

use crate::http::application::Application;
use crate::http::auth::caller::{Operator, Viewer};
use crate::http::error::Error;
use crate::http::request::answer::{Change, Shown};
use crate::http::request::backend::Backend;
use crate::http::request::body::Json;
use crate::http::request::page::{Page, limit};
use crate::http::request::parameters::Parameters;
use crate::http::request::path::Path;
use crate::http::request::snapshot::Snapshot;
use actix_web::HttpResponse;
use actix_web::web::{Data, ServiceConfig, resource};
use bootledger_aggregates::deployment::event::DoneBy;
use bootledger_aggregates::deployment::notes::Notes;
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId, ImportId};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_port::{Command, DeploymentAction, NewDeployment};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::deployments::{self, Cursor, Deployment, Filter, Sort, Status};
use bootledger_projections::rows::holders::{self, HolderNames};
use bootledger_projections::rows::installations::{self, Installation};
use bootledger_projections::rows::parked;
use bootledger_projections::rows::plugin_runs::{self, Run, RunStatus};
use bootledger_projections::rows::timeline::{self, Order};
use item::{DeploymentItem, PluginItem};
use line::Line;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/api/v1/deployments").get(index).post(create))
        .service(resource("/api/v1/deployments/{id}").get(show))
        .service(resource("/api/v1/deployments/{id}/cancel").post(cancel))
        .service(resource("/api/v1/deployments/{id}/done").post(done))
        .service(resource("/api/v1/deployments/{id}/notes").put(note))
        .service(resource("/api/v1/deployments/{id}/restart-reported").post(restart_reported))
        .service(resource("/api/v1/deployments/{id}/plugins/{plugin}/retry").post(retry))
        .service(resource("/api/v1/deployments/{id}/events").get(events));
}

/// Filters of the list. A filter that is left out matches everything.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct DeploymentQuery {
    /// Only deployments with this status: `open`, `in_progress`, `done` or `cancelled`.
    #[param(value_type = Option<String>)]
    status: Option<Status>,
    /// Only deployments that are open or in progress (true), or that have ended (false).
    live: Option<bool>,
    /// Only deployments in this site.
    #[param(value_type = Option<String>)]
    site: Option<Name>,
    /// Only deployments of this venture.
    #[param(value_type = Option<String>)]
    venture: Option<Name>,
    /// Only deployments of this role.
    #[param(value_type = Option<String>)]
    role: Option<Name>,
    /// Only deployments with this boot image.
    #[param(value_type = Option<String>)]
    boot_image: Option<Name>,
    /// Only deployments of this device.
    #[param(value_type = Option<String>)]
    device: Option<DeviceId>,
    /// Only deployments of this import.
    #[param(value_type = Option<String>)]
    import: Option<ImportId>,
    /// Only deployments that are overdue (true), or that are not (false).
    overdue: Option<bool>,
    /// Only deployments with a plugin that has this status now: `blocked`, `due`, `waiting`, `failed`, `succeeded` or
    /// `stopped`. `failed` also matches deployments whose installer failed. Cannot be combined with `at`.
    #[param(value_type = Option<String>)]
    plugin: Option<RunStatus>,
    /// Only deployments with a plugin that is now waiting for this, such as `dhcp-server:kea-1`. Cannot be combined with `at`.
    awaiting: Option<String>,
    /// Only deployments with this text in their host name, address, MAC address, note, ticket or reason of cancellation.
    q: Option<String>,
    /// The order: `started`, `hostname`, `since` (the time of the last change of status), `status`, `ip`, `role` (venture and
    /// role), `image` or `site`. A leading `-` reverses it. The default is `-started`: the newest first.
    #[param(value_type = Option<String>)]
    sort: Option<Sort>,
    /// Only items after this cursor: the `next` of the previous page, in the same order.
    #[param(value_type = Option<String>)]
    after: Option<Cursor>,
    /// Maximum number of items, 1 to 1000; 100 by default.
    limit: Option<u32>,
}

impl DeploymentQuery {
    /// The same filters in the form that the views take.
    pub(crate) fn filter(self, at: At) -> Result<Filter, Error> {
        if at != At::Now && (self.plugin.is_some() || self.awaiting.is_some()) {
            let message = "plugin states are available only for the present; remove plugin and awaiting, or at";
            return Err(Error::rejected("plugin", Rule::PluginOfPast, message));
        }
        Ok(Filter {
            status: self.status,
            live: self.live,
            site: self.site,
            venture: self.venture,
            role: self.role,
            boot_image: self.boot_image,
            device: self.device,
            import: self.import,
            overdue: self.overdue,
            plugin: self.plugin,
            awaiting: self.awaiting,
            q: self.q,
            sort: self.sort.unwrap_or_default(),
            after: self.after,
        })
    }
}

/// The reason for a change.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// The reason, for people to read. The event contains it.
    pub reason: Text,
}

/// A deployment and its plugins.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeploymentAnswer {
    #[serde(flatten)]
    deployment: DeploymentItem,
    /// The current state of each plugin of the plan. Null with `at`, because only events record the past.
    plugins: Option<Vec<PluginItem>>,
    /// The progress that the server's installer reports, and what the server fetched last.
    installer: Installation,
    /// Whether an event of the deployment could not be applied, so that the values shown are out of date.
    blocked: bool,
}

pub(super) async fn find(snapshot: &mut Snapshot<'_>, id: DeploymentId) -> Result<Deployment, Error> {
    let at = snapshot.at;
    let found = deployments::find(snapshot.connection(), id, at).await?;
    found.ok_or_else(|| Error::NotFound(format!("there is no deployment {id}")))
}

async fn answer(snapshot: &mut Snapshot<'_>, id: DeploymentId) -> Result<DeploymentAnswer, Error> {
    let deployment = find(snapshot, id).await?;
    let plugins = if snapshot.at == At::Now {
        let runs = plugin_runs::of(snapshot.connection(), id).await?;
        let at = snapshot.at;
        let holders = holders::of_failures(runs.iter().filter_map(Run::failure));
        let holders = HolderNames::load(snapshot.connection(), holders, at).await?;
        Some(runs.into_iter().map(|run| PluginItem::of(run, deployment.hostname.as_str(), &holders)).collect())
    } else {
        None
    };
    let blocked = parked::is_blocked(snapshot.connection(), "deployment", &id.to_string()).await?;
    let at = snapshot.at;
    let installer = installations::find(snapshot.connection(), id, at).await?;
    Ok(DeploymentAnswer { deployment: deployment.into(), plugins, installer, blocked })
}

pub(super) async fn changed(change: Change, backend: &mut Backend) -> Result<HttpResponse, Error> {
    match change.shown(backend).await {
        Shown::Now(mut snapshot) => {
            let id = change.receipt.id.parse().map_err(|error| Error::Internal(anyhow::Error::new(error)))?;
            let body = answer(&mut snapshot, id).await?;
            Ok(change.answer(snapshot, &body))
        }
        Shown::Later(accepted) => Ok(accepted),
    }
}

/// Lists deployments, newest first by default.
#[utoipa::path(get, path = "/api/v1/deployments", tag = "deployments", params(DeploymentQuery),
    responses((status = 200, body = Page<DeploymentItem>)))]
pub(crate) async fn index(
    _: Viewer,
    Parameters(query): Parameters<DeploymentQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let limit = limit(query.limit)?;
    let filter = query.filter(snapshot.at)?;
    let at = snapshot.at;
    let found = deployments::list(snapshot.connection(), &filter, at, i64::from(limit) + 1).await?;
    let page = Page::of(found, limit, |deployment| Cursor::behind(deployment, filter.sort).to_string());
    Ok(snapshot.answer(&page.map(DeploymentItem::from)))
}

/// Starts a deployment. Missing values are filled in: the next free address and host name, and the boot image of the
/// role or venture.
#[utoipa::path(post, path = "/api/v1/deployments", tag = "deployments", request_body = NewDeployment,
    responses((status = 201, body = DeploymentAnswer)))]
pub(crate) async fn create(
    caller: Operator,
    mut backend: Backend,
    Json(new): Json<NewDeployment>,
) -> Result<HttpResponse, Error> {
    let command = Command::Deployment(DeploymentAction::StartDeployment(Box::new(new)));
    changed(Change::make(&mut backend, &caller, command).await?.created("/api/v1/deployments/"), &mut backend).await
}

/// Returns one deployment with its plugins.
#[utoipa::path(get, path = "/api/v1/deployments/{id}", tag = "deployments",
    params(("id" = DeploymentId, Path, description = "The deployment")), responses((status = 200, body = DeploymentAnswer)))]
pub(crate) async fn show(_: Viewer, Path(id): Path<DeploymentId>, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let body = answer(&mut snapshot, id).await?;
    Ok(snapshot.answer(&body))
}

/// Cancels a deployment. It releases the address and names that it claimed, and removes its DNS and DHCP entries.
#[utoipa::path(post, path = "/api/v1/deployments/{id}/cancel", tag = "deployments", request_body = Reason,
    params(("id" = DeploymentId, Path, description = "The deployment")), responses((status = 200, body = DeploymentAnswer)))]
pub(crate) async fn cancel(
    caller: Operator,
    mut backend: Backend,
    Path(deployment): Path<DeploymentId>,
    Json(Reason { reason }): Json<Reason>,
) -> Result<HttpResponse, Error> {
    let command = Command::Deployment(DeploymentAction::CancelDeployment { deployment, reason });
    changed(Change::make(&mut backend, &caller, command).await?, &mut backend).await
}

/// Marks a deployment as done: the server is installed. The server itself does this with `/pxe/DONE/`.
#[utoipa::path(post, path = "/api/v1/deployments/{id}/done", tag = "deployments",
    params(("id" = DeploymentId, Path, description = "The deployment")), responses((status = 200, body = DeploymentAnswer)))]
pub(crate) async fn done(
    caller: Operator,
    mut backend: Backend,
    Path(deployment): Path<DeploymentId>,
) -> Result<HttpResponse, Error> {
    let by = DoneBy::Operator { name: Text::fitted(&caller.principal.actor()), reason: Text::EMPTY };
    changed(
        Change::make(&mut backend, &caller, Command::Deployment(DeploymentAction::MarkDone { deployment, by })).await?,
        &mut backend,
    )
    .await
}

/// Reports that you restarted the server, for which the deployment waits because Bootledger cannot restart it or cannot confirm
/// its restart.
#[utoipa::path(post, path = "/api/v1/deployments/{id}/restart-reported", tag = "deployments",
    params(("id" = DeploymentId, Path, description = "The deployment")), responses((status = 200, body = DeploymentAnswer)))]
pub(crate) async fn restart_reported(
    caller: Operator,
    application: Data<Application>,
    mut backend: Backend,
    Path(deployment): Path<DeploymentId>,
) -> Result<HttpResponse, Error> {
    let command = Command::Deployment(DeploymentAction::ReportRestart { deployment, now: (application.now)() });
    changed(Change::make(&mut backend, &caller, command).await?, &mut backend).await
}

/// The note and the ticket of a deployment.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewNotes {
    /// The note, for people to read: at most 300 characters; empty to remove it.
    #[serde(default)]
    note: Text,
    /// The reference of a ticket in another system, such as `OPS-1234`: at most 300 characters; empty to remove it.
    #[serde(default)]
    ticket: Text,
}

/// Sets the note and the ticket of a deployment, also after it has ended.
#[utoipa::path(put, path = "/api/v1/deployments/{id}/notes", tag = "deployments", request_body = NewNotes,
    params(("id" = DeploymentId, Path, description = "The deployment")), responses((status = 200, body = DeploymentAnswer)))]
pub(crate) async fn note(
    caller: Operator,
    mut backend: Backend,
    Path(deployment): Path<DeploymentId>,
    Json(NewNotes { note, ticket }): Json<NewNotes>,
) -> Result<HttpResponse, Error> {
    let command = Command::Deployment(DeploymentAction::NoteDeployment { deployment, notes: Notes { note, ticket } });
    changed(Change::make(&mut backend, &caller, command).await?, &mut backend).await
}

/// Retries a plugin of a deployment now, even if it is waiting for something.
#[utoipa::path(post, path = "/api/v1/deployments/{id}/plugins/{plugin}/retry", tag = "deployments",
    params(("id" = DeploymentId, Path, description = "The deployment"), ("plugin" = Name, Path, description = "Such as `dhcp`")),
    responses((status = 200, body = DeploymentAnswer)))]
pub(crate) async fn retry(
    caller: Operator,
    mut backend: Backend,
    Path((deployment, plugin)): Path<(DeploymentId, Name)>,
) -> Result<HttpResponse, Error> {
    changed(
        Change::make(&mut backend, &caller, Command::Deployment(DeploymentAction::RetryPlugin { deployment, plugin })).await?,
        &mut backend,
    )
    .await
}

/// The part of a history to return.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct HistoryQuery {
    /// Only events after this position: the `next` of the previous page.
    after: Option<i64>,
    /// Maximum number of events, 1 to 1000; 100 by default.
    limit: Option<u32>,
}

/// Returns the history of a deployment, and of its device as far as the deployment changed it: one sentence for each
/// event, oldest first.
#[utoipa::path(get, path = "/api/v1/deployments/{id}/events", tag = "deployments",
    params(("id" = DeploymentId, Path, description = "The deployment"), HistoryQuery), responses((status = 200, body = Page<Line>)))]
pub(crate) async fn events(
    _: Viewer,
    Path(id): Path<DeploymentId>,
    Parameters(query): Parameters<HistoryQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let limit = limit(query.limit)?;
    find(&mut snapshot, id).await?;
    let filter = timeline::Filter {
        deployment: Some(id),
        after: query.after,
        before: Some(snapshot.position + 1),
        ..timeline::Filter::default()
    };
    let found = timeline::list(snapshot.connection(), &filter, Order::OldestFirst, i64::from(limit) + 1).await?;
    let page = Page::of(found, limit, |line| line.position.to_string()).map(Line::from);
    Ok(snapshot.answer(&page))
}
