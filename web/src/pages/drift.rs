//! The forms of the card of drift: checking a site's servers again, and requesting repairs.

use super::form::{Fields, done, local, see_other};
use crate::http::application::Application;
use crate::http::auth::caller::{Operator, Viewer};
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::pages::components::block;
use crate::pages::components::field::summary;
use crate::pages::layout::{Page, PageContext, Section};
use actix_web::HttpResponse;
use actix_web::web::{Data, ServiceConfig, resource};
use bootledger_aggregates::drift::DriftKey;
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::name::Name;
use bootledger_port::Command;
use maud::html;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/sites/{key}/drift/check").get(to_site).post(check))
        .service(resource("/sites/{key}/drift/repair").get(to_site).post(repair));
}

/// The page to return to.
fn back(fields: &Fields, site: &Name) -> String {
    let to = local(fields.text("to"));
    if to == "/" { format!("/sites/{site}") } else { to.to_owned() }
}

/// The path of a form has no page of its own, but a user may return to it: redirects to the site.
async fn to_site(_: Viewer, Path(site): Path<Name>) -> HttpResponse {
    see_other(&format!("/sites/{site}#drift"))
}

async fn check(_: Operator, mut backend: Backend, Path(site): Path<Name>, fields: Fields) -> Result<HttpResponse, Error> {
    backend.check_drift(&site).await?;
    Ok(see_other(&format!("{}#drift", back(&fields, &site))))
}

async fn repair(
    caller: Operator,
    page_context: PageContext,
    application: Data<Application>,
    mut backend: Backend,
    Path(site): Path<Name>,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let back = back(&fields, &site);
    let mut keys: Vec<DriftKey> = vec![];
    for text in fields.all("what").map(str::to_owned).collect::<Vec<_>>() {
        match text.parse() {
            Ok(key) => keys.push(key),
            Err(error) => fields.refuse("what", Rule::Malformed, error.to_string()),
        }
    }
    if keys.is_empty() && fields.broken().is_empty() {
        fields.refuse("what", Rule::NothingNamed, "no difference is selected; use the button next to a difference");
    }
    if fields.broken().is_empty() {
        let command = Command::RepairDrift { site: site.clone(), keys: Some(keys) };
        match backend.execute(command, fields.context(&caller)).await {
            Ok(receipt) => return Ok(done(&mut backend, &receipt, &format!("{back}#drift")).await),
            Err(error) => fields.refused(error)?,
        }
    }
    let content = html! {
        (block::heading(&[("Sites", "/sites"), (site.as_str(), &format!("/sites/{site}"))], &html! { "Repair" }, &html! {}))
        (summary(fields.broken(), &[]))
        p { a.button href=(back) { "Back" } }
    };
    let position = *application.position.borrow();
    Ok(page_context.refused(position, Page::new("Repair", Section::Sites, content)))
}
