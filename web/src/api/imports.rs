//! Bulk deployments from a CSV file: all of its rows or none.

use crate::auth::caller::{Operator, Viewer};
use crate::commands::{Imported, PlannedRow};
use crate::error::Error;
use crate::request::backend::Backend;
use crate::request::body::Csv;
use crate::request::page::{Page, limit};
use crate::request::parameters::Parameters;
use crate::request::path::Path;
use crate::request::reading::name_position;
use actix_web::HttpResponse;
use actix_web::http::header::LOCATION;
use actix_web::web::{ServiceConfig, resource};
use bootledger_aggregates::values::ids::ImportId;
use bootledger_projections::deployments::{self, Cursor, Deployment, Filter, StatusCount};
use bootledger_projections::imports;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(resource("/api/v1/imports").post(create)).service(resource("/api/v1/imports/{id}").get(show));
}

/// How to import.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct ImportMode {
    /// Only say what would be started.
    dry_run: bool,
}

/// What an import comes to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ImportAnswer {
    /// The import; null for a dry run.
    import: Option<ImportId>,
    /// The position that shows all of it; null for a dry run.
    position: Option<i64>,
    /// Every row with what was filled in.
    rows: Vec<PlannedRow>,
}

/// Starts a deployment for every row, or for none: every error of every row is told at once.
///
/// Columns, by `;` or `,`: mac, `management_ip`, network, venture, role, `boot_image`, hostname, ip, rack, serial; the last four
/// may be empty or left out. A header line is optional.
#[utoipa::path(post, path = "/api/v1/imports", tag = "imports", params(ImportMode),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, description = "What a dry run would start", body = ImportAnswer),
              (status = 201, description = "What was started", body = ImportAnswer)))]
pub(crate) async fn create(
    caller: Operator,
    mut backend: Backend,
    Parameters(mode): Parameters<ImportMode>,
    Csv(csv, _memory): Csv,
) -> Result<HttpResponse, Error> {
    match backend.import(&csv, mode.dry_run, caller.context()).await? {
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

/// Which part of an import's deployments.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct ImportQuery {
    /// Only deployments behind this one: the `next` of the page before.
    #[param(value_type = Option<String>)]
    after: Option<Cursor>,
    /// At most this many deployments, 1 to 1000; 100 by default.
    limit: Option<u32>,
}

/// An import: how its deployments stand.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ImportState {
    /// Which.
    id: ImportId,
    /// How many deployments have each status.
    counts: Vec<StatusCount>,
    /// Its deployments, the newest first.
    items: Vec<Deployment>,
    /// The `after` of the next page; null where this is the last.
    next: Option<String>,
}

/// An import with its deployments.
#[utoipa::path(get, path = "/api/v1/imports/{id}", tag = "imports", responses((status = 200, body = ImportState)),
    params(("id" = ImportId, Path, description = "The import"), ImportQuery))]
pub(crate) async fn show(
    _: Viewer,
    Path(id): Path<ImportId>,
    Parameters(query): Parameters<ImportQuery>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let (limit, at) = (limit(query.limit)?, reading.at);
    let counts = imports::counts(reading.connection(), id, at).await?;
    if counts.is_empty() {
        return Err(Error::NotFound(format!("there is no import {id}")));
    }
    let filter = Filter { import: Some(id), after: query.after, ..Filter::default() };
    let found = deployments::list(reading.connection(), &filter, at, i64::from(limit) + 1).await?;
    let Page { items, next } = Page::of(found, limit, |deployment| Cursor::behind(deployment, filter.sort).to_string());
    Ok(reading.answer(&ImportState { id, counts, items, next }))
}
