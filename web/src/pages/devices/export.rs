//! The devices of a filtered list as CSV (RFC 4180), all of them, page by page as they are read.

use super::list::filter;
use crate::api::devices::DeviceQuery;
use crate::application::Application;
use crate::error::Error;
use crate::pages::csv::cell;
use crate::pages::frame::Visit;
use crate::request::reading::Reading;
use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_DISPOSITION;
use actix_web::web::Data;
use bootledger_projections::at::At;
use bootledger_projections::devices::{self, Device, Filter, cursor, kind_text};
use bytes::Bytes;

/// How many rows are read at a time.
const BATCH: i64 = 1_000;

const HEAD: &str = "id,name,serial,asset,kind,site,rack,rack_position,macs,management_address,venture,role,verified,\
                    decommissioned,hostnames,addresses,operating_system,registered_at,changed_at\r\n";

struct Rows {
    application: Data<Application>,
    filter: Filter,
    at: At,
    ended: bool,
}

/// `GET /devices/export.csv`: the filters of the list. Several values of a cell have spaces between them.
pub(super) async fn csv(visit: Visit, application: Data<Application>, reading: Reading) -> Result<HttpResponse, Error> {
    let at = reading.at;
    let filter = Filter { after: None, ..filter(visit.query_without::<DeviceQuery>(&["columns"])?) };
    drop(reading);
    let rows = Rows { application, filter, at, ended: false };
    let begin = futures::stream::once(async { Ok::<_, Error>(Bytes::from_static(HEAD.as_bytes())) });
    let rest = futures::stream::try_unfold(rows, |rows| async { rows.next().await });
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8; header=present")
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"devices.csv\""))
        .streaming(Box::pin(futures::StreamExt::chain(begin, rest))))
}

impl Rows {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, Error> {
        if self.ended {
            return Ok(None);
        }
        let mut connection = self.application.views.acquire().await?;
        let found = devices::list(&mut *connection, &self.filter, self.at, BATCH).await?;
        drop(connection);
        self.ended = i64::try_from(found.len()).is_ok_and(|count| count < BATCH);
        self.filter.after = found.last().map(|last| cursor(self.filter.sort, last));
        let text: String = found.iter().map(line).collect();
        Ok(Some((Bytes::from(text), self)))
    }
}

fn optional<T: ToString>(value: Option<&T>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

fn joined<T: ToString>(values: &[T]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn line(row: &Device) -> String {
    let cells = [
        row.id.to_string(),
        row.name.to_string(),
        optional(row.serial.as_ref()),
        optional(row.asset.as_ref()),
        kind_text(row.kind).to_owned(),
        row.site.to_string(),
        optional(row.rack.as_ref()),
        optional(row.rack_position.as_ref()),
        joined(&row.macs),
        row.management.as_ref().map(|management| management.address.to_string()).unwrap_or_default(),
        optional(row.venture.as_ref()),
        optional(row.role.as_ref()),
        row.verified.to_string(),
        row.decommissioned.to_string(),
        joined(&row.hostnames),
        joined(&row.addresses),
        optional(row.operating_system.as_ref()),
        row.registered_at.to_string(),
        row.changed_at.to_string(),
    ];
    let cells: Vec<String> = cells.iter().map(|text| cell(text)).collect();
    format!("{}\r\n", cells.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::devices::samples::device;
    use bootledger_aggregates::values::text::Text;

    #[test]
    fn a_line_has_a_cell_for_each_heading_and_no_formula() {
        let device = Device { name: Text::fitted("=cmd|x"), ..device() };
        let line = line(&device);
        assert_eq!(line.matches(',').count(), HEAD.matches(',').count());
        assert!(line.contains(",'=cmd|x,SN1,"), "{line}");
    }
}
