//! Routes for imports: bulk deployments from a CSV file, for all of its rows or none.

use super::deployments::item::DeploymentItem;
use crate::http::auth::caller::{Operator, Viewer};
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::body::Csv;
use crate::http::request::page::{Page, limit};
use crate::http::request::parameters::Parameters;
use crate::http::request::path::Path;
use crate::http::request::snapshot::name_position;
use actix_web::HttpResponse;
use actix_web::http::header::LOCATION;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::values::ids::ImportId;
use bootledger_port::{Imported, PlannedRow};
use bootledger_projections::rows::deployments::{self, Cursor, Filter, StatusCount};
use bootledger_projections::rows::imports;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(resource("/api/v1/imports").post(create)).service(resource("/api/v1/imports/{id}").get(show));
}

/// How to carry out the import.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct ImportMode {
    /// Only check the file, and return the deployments that would be started.
    dry_run: bool,
}

/// The result of an import.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ImportAnswer {
    /// The ID of the import; null for a dry run.
    import: Option<ImportId>,
    /// The position at which the views show the whole import; null for a dry run.
    position: Option<i64>,
    /// Every row, with the values that were filled in.
    rows: Vec<PlannedRow>,
}

/// Starts a deployment for every row of a CSV file, or for none. The response lists every error of every row.
///
/// Columns, separated by `;` or `,`: mac, `management_ip`, network, venture, role, `boot_image`, hostname, ip, rack, serial;
/// the last four may be empty or left out. A header line is optional. With a header line, there may be the columns note and
/// ticket as well.
#[utoipa::path(post, path = "/api/v1/imports", tag = "imports", params(ImportMode),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, description = "The deployments that an import without dry_run would start", body = ImportAnswer),
              (status = 201, description = "The deployments that were started", body = ImportAnswer)))]
pub(crate) async fn create(
    caller: Operator,
    mut backend: Backend,
    Parameters(mode): Parameters<ImportMode>,
    Csv(csv, _memory): Csv,
) -> Result<HttpResponse, Error> {
    match backend.import(&csv, mode.dry_run, None, caller.context()).await? {
        Imported::Planned(rows) => Ok(HttpResponse::Ok().json(ImportAnswer { import: None, position: None, rows })),
        Imported::Refused(rows) => Err(Error::rejected_rows(rows)),
        Imported::Started { import, receipt, rows } => {
            let shown = backend.reach(receipt.position).await;
            let mut response = HttpResponse::Created()
                .insert_header((LOCATION, format!("/api/v1/imports/{import}")))
                .json(ImportAnswer { import: Some(import), position: Some(receipt.position), rows });
            if shown {
                name_position(&mut response, receipt.position);
            }
            Ok(response)
        }
    }
}

/// The part of an import's deployments to return.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct ImportQuery {
    /// Only deployments after this cursor: the `next` of the previous page.
    #[param(value_type = Option<String>)]
    after: Option<Cursor>,
    /// Maximum number of deployments, 1 to 1000; 100 by default.
    limit: Option<u32>,
}

/// The state of an import's deployments.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ImportState {
    /// The ID of the import.
    id: ImportId,
    /// The number of deployments in each status.
    counts: Vec<StatusCount>,
    /// One page of the import's deployments, newest first.
    items: Vec<DeploymentItem>,
    /// The `after` of the next page; null on the last page.
    next: Option<String>,
}

/// Returns an import with its deployments.
#[utoipa::path(get, path = "/api/v1/imports/{id}", tag = "imports", responses((status = 200, body = ImportState)),
    params(("id" = ImportId, Path, description = "The import"), ImportQuery))]
pub(crate) async fn show(
    _: Viewer,
    Path(id): Path<ImportId>,
    Parameters(query): Parameters<ImportQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let (limit, at) = (limit(query.limit)?, snapshot.at);
    let counts = imports::counts(snapshot.connection(), id, at).await?;
    if counts.is_empty() {
        return Err(Error::NotFound(format!("there is no import {id}")));
    }
    let filter = Filter { import: Some(id), after: query.after, ..Filter::default() };
    let found = deployments::list(snapshot.connection(), &filter, at, i64::from(limit) + 1).await?;
    let Page { items, next } =
        Page::of(found, limit, |deployment| Cursor::behind(deployment, filter.sort).to_string()).map(DeploymentItem::from);
    Ok(snapshot.answer(&ImportState { id, counts, items, next }))
}
