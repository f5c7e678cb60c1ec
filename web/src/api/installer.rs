//! Routes for operators during an installation: read the installer's log, and set what the server gets at its
//! next network boot.

use super::deployments::{DeploymentAnswer, changed, find};
use crate::http::auth::caller::Operator;
use crate::http::error::Error;
use crate::http::request::answer::Change;
use crate::http::request::backend::Backend;
use crate::http::request::body::Json;
use crate::http::request::path::Path;
use crate::http::request::snapshot::name_position;
use crate::images::stored;
use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, X_CONTENT_TYPE_OPTIONS};
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::deployment::installer::NextBoot;
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::values::text::Text;
use bootledger_port::{Command, DeploymentAction};
use bootledger_projections::rows::installations;
use serde::Deserialize;
use utoipa::ToSchema;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/api/v1/deployments/{id}/next-boot").post(next_boot))
        .service(resource("/api/v1/deployments/{id}/installer-log").get(log));
}

/// What a server gets at its next network boot.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewNextBoot {
    /// `network`: the boot image's script, which installs the server. `disk`: its local disk.
    boot: NextBoot,
}

/// Sets what the server gets at its next network boot, while its deployment is in progress.
#[utoipa::path(post, path = "/api/v1/deployments/{id}/next-boot", tag = "deployments", request_body = NewNextBoot,
    params(("id" = DeploymentId, Path, description = "The deployment")), responses((status = 200, body = DeploymentAnswer)))]
pub(crate) async fn next_boot(
    caller: Operator,
    mut backend: Backend,
    Path(deployment): Path<DeploymentId>,
    Json(NewNextBoot { boot }): Json<NewNextBoot>,
) -> Result<HttpResponse, Error> {
    let by = Text::fitted(&caller.principal.actor());
    changed(
        Change::make(&mut backend, &caller, Command::Deployment(DeploymentAction::SetNextBoot { deployment, boot, by })).await?,
        &mut backend,
    )
    .await
}

/// Returns the end of the last log that the installer sent, unchanged except that the deployment's token is removed. The role
/// operator is required, because the log may contain secrets of the installation.
#[utoipa::path(get, path = "/api/v1/deployments/{id}/installer-log", tag = "deployments",
    params(("id" = DeploymentId, Path, description = "The deployment")),
    responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn log(_: Operator, Path(id): Path<DeploymentId>, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let deployment = find(&mut snapshot, id).await?;
    let at = snapshot.at;
    let log = installations::find(snapshot.connection(), id, at).await?.log;
    let log = log.ok_or_else(|| Error::NotFound(format!("the installer of deployment {id} has sent no log")))?;
    let position = snapshot.position;
    drop(snapshot);
    let size = u64::try_from(log.size).unwrap_or(0);
    let bytes = stored::read(&mut backend, log.sha256, size).await?;
    let name = format!("attachment; filename=\"{}-installer.log\"", deployment.hostname);
    let mut answer = HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .insert_header((CONTENT_DISPOSITION, name))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(bytes);
    name_position(&mut answer, position);
    Ok(answer)
}
