//! The export of a filtered list of devices as CSV (RFC 4180), without a limit.

use super::list::filter;
use crate::api::devices::DeviceQuery;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::pages::csv;
use crate::pages::layout::PageContext;
use crate::pages::list::OWN;
use actix_web::HttpResponse;
use bootledger_projections::rows::devices::{self, Device, Filter, cursor, kind_text};

/// How many rows are read at a time.
const BATCH: i64 = 1_000;

const HEAD: &str = "id,name,serial,asset,kind,site,rack,position,macs,management_address,venture,role,verified,\
                    decommissioned,hostnames,addresses,operating_system,registered_at,changed_at,height,face,tags,notes,locked\r\n";

/// Handles `GET /devices/export.csv`, which takes the filters of the list. Several values in a cell are separated by spaces.
pub(super) async fn all(page_context: PageContext, mut backend: Backend) -> Result<HttpResponse, Error> {
    let snapshot = backend.read().await?;
    let at = snapshot.at;
    let mut filter = Filter { after: None, ..filter(page_context.query_without::<DeviceQuery>(&OWN)?) };
    let mut ended = false;
    csv::download("devices.csv", HEAD, snapshot, async |snapshot| {
        if ended {
            return Ok(None);
        }
        let found = devices::list(snapshot.connection(), &filter, at, BATCH).await?;
        ended = i64::try_from(found.len()).is_ok_and(|count| count < BATCH);
        filter.after = found.last().map(|last| cursor(filter.sort, last));
        Ok(Some(found.iter().map(line).collect()))
    })
    .await
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
        row.height.to_string(),
        row.face.as_str().to_owned(),
        joined(&row.tags),
        row.notes.to_string(),
        row.lock.is_some().to_string(),
    ];
    let cells: Vec<String> = cells.iter().map(|text| csv::cell(text)).collect();
    format!("{}\r\n", cells.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::samples::device;
    use bootledger_aggregates::values::text::Text;

    #[test]
    fn a_line_has_a_cell_for_each_heading_and_no_formula() {
        let device = Device { name: Text::fitted("=cmd|x"), ..device() };
        let line = line(&device);
        assert_eq!(line.matches(',').count(), HEAD.matches(',').count());
        assert!(line.contains(",'=cmd|x,SN1,"), "{line}");
    }
}
