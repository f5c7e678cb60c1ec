//! Bulk actions on devices. The preview says for each device what would be refused and why.

mod plan;
mod view;

use crate::http::auth::caller::Operator;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::pages::bulk;
use crate::pages::form::{Fields, local};
use crate::pages::layout::{Page, PageContext, Section};
use actix_web::HttpResponse;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_port::{Command, CommandError, Context, DeploymentAction, DeviceAction, Receipt};
use plan::{Wanted, What, chosen, leave_out_parts, plan, wholes};
use std::collections::BTreeMap;
use view::{Choices, Done, results_page, shown};

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
    let devices = chosen(&mut snapshot, what, &fields, &list, all).await?;
    let wanted = Wanted::read(&mut fields);
    let wholes = if what == What::Deploy { wholes(&mut snapshot, &devices).await? } else { BTreeMap::new() };
    let position = snapshot.position;
    let choices = Choices::load(&mut snapshot).await?;
    let seen = page_context.see(snapshot).await?;
    let mut planned = plan(&mut backend, what, devices, &wanted).await?;
    leave_out_parts(&mut planned, &wholes);
    let content = shown(what, &list, position, &planned, &fields, &choices);
    Ok(seen.answer(&Page::new("Review", Section::Devices, content)))
}

/// Handles `POST /devices/bulk/do`.
pub(super) async fn carry_out(
    caller: Operator,
    page_context: PageContext,
    mut backend: Backend,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let what = What::read(fields.text("what"))?;
    let list = local(fields.text("list")).to_owned();
    let wanted = Wanted::read(&mut fields);
    let ids = fields.all("do").map(|id| ("id".to_owned(), id.to_owned())).collect();
    let rows = chosen(&mut snapshot, what, &Fields::new(ids), &list, false).await?;
    drop(snapshot);
    let context = fields.context(&caller);
    let jobs = rows.iter().map(|device| vec![command(what, device.id, &wanted, &context)]).collect();
    let done = |result: Result<Option<Receipt>, CommandError>| match result {
        Ok(receipt) => receipt.map(|Receipt { position, id }| Done { position, id }).ok_or_else(String::new),
        Err(error) => Err(error.to_string()),
    };
    let results: Vec<Result<Done, String>> = backend.execute_all(jobs).await.into_iter().map(done).collect();
    let newest = results.iter().filter_map(|result| result.as_ref().ok().map(|done| done.position)).max().unwrap_or(0);
    backend.reach(newest).await;
    let page = Page::new("Done", Section::Devices, results_page(what, &list, &rows, &results));
    let snapshot = backend.read_now().await?;
    page_context.answer(snapshot, page).await
}

/// The command for one device. Its key consists of the form's key and the device, so that a form that is sent twice
/// takes effect once.
fn command(what: What, device: DeviceId, wanted: &Wanted, context: &Context) -> (Command, Context) {
    let command = match what {
        What::Verify => Command::Device(DeviceAction::VerifyDevice(device)),
        What::Deploy => Command::Deployment(DeploymentAction::StartDeployment(Box::new(wanted.deployment(device)))),
    };
    (command, context.part(&format!("{device}:{}", what.name())))
}
