//! Bulk actions on devices. The preview says for each device what would be refused and why; the form below it starts the action,
//! which then has a page of its own.

mod plan;
mod view;

use crate::http::auth::caller::Operator;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::pages::bulk;
use crate::pages::form::{Fields, done, local};
use crate::pages::layout::{Page, PageContext, Section};
use actix_web::HttpResponse;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_port::{BulkOrder, Command, CommandError};
use plan::{Wanted, What, chosen, leave_out_parts, plan, wholes};
use std::collections::BTreeMap;
use view::{Choices, shown};

/// Handles `POST /devices/bulk`: shows the preview.
pub(super) async fn preview(
    _: Operator,
    page_context: PageContext,
    mut backend: Backend,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let (what, all) = bulk::requested(&fields);
    let what = What::read(what)?;
    let list = local(fields.text("list")).to_owned();
    let devices = chosen(&mut snapshot, &fields, &list, all).await?;
    let wanted = Wanted::read(&mut fields);
    let wholes = if what == What::Deploy { wholes(&mut snapshot, &devices).await? } else { BTreeMap::new() };
    let position = snapshot.position;
    let choices = Choices::load(&mut snapshot, what).await?;
    let seen = page_context.see(snapshot).await?;
    let mut planned = plan(&mut backend, what, devices, &wanted).await?;
    leave_out_parts(&mut planned, &wholes);
    let content = shown(what, &list, position, &planned, &fields, &choices);
    Ok(seen.answer(&Page::new("Review", Section::Devices, content)))
}

/// Handles `POST /devices/bulk/do`: starts the action, and leads to its page.
pub(super) async fn start(
    caller: Operator,
    page_context: PageContext,
    mut backend: Backend,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let what = What::read(fields.text("what"))?;
    let list = local(fields.text("list")).to_owned();
    let wanted = Wanted::read(&mut fields);
    let ids: Vec<DeviceId> = bulk::ids(&fields, "do", "device")?;
    if fields.broken().is_empty() {
        let ids = ids.iter().map(|id| id.0).collect();
        let order = BulkOrder::StartBulk { action: Box::new(wanted.action(what)), ids, list: list.clone() };
        match backend.execute(Command::Bulk(order), fields.context(&caller)).await {
            Ok(receipt) => return Ok(done(&mut backend, &receipt, &format!("/bulk-actions/{}", receipt.id)).await),
            Err(error @ CommandError::Refused(_)) => fields.refused(error)?,
            Err(other) => return Err(other.into()),
        }
    }
    let mut snapshot = backend.read_now().await?;
    let devices = chosen(&mut snapshot, &fields, &list, false).await?;
    let choices = Choices::load(&mut snapshot, what).await?;
    let position = snapshot.position;
    drop(snapshot);
    let planned = plan(&mut backend, what, devices, &wanted).await?;
    let content = shown(what, &list, position, &planned, &fields, &choices);
    Ok(page_context.refused(position, Page::new("Review", Section::Devices, content)))
}
