//! The pages for people.
//!
//! # Where things are
//! `NOUN.rs` has the routes of a noun's pages, `NOUN/…` its handlers and views. No noun uses another: links to other nouns are
//! paths, and what several nouns need is in a module of its own. From the top:
//! - this file: which pages there are; only the server uses it;
//! - the nouns;
//! - `catalogue`: the pages that all kinds of the catalogue have;
//! - `bulk`, `differences`, `instead`, `list`, `live`, `previewed`: parts of the pages of several nouns;
//! - `layout`: who visits which page, and what surrounds the content; it also carries a past position from page to page; `form`, `csv`, `application`;
//! - `components`: functions from arguments to markup; `assets`: the stylesheet and the scripts.
//!
//! # How a page is made
//! A handler takes a `layout::PageContext` (the visitor, at least a viewer) and a `Backend`, reads a snapshot with
//! `backend.read()`, and answers with `page_context.answer(snapshot, Page { … })`. A page that waits for something else ends its
//! snapshot before that, with `page_context.see(snapshot)`. View functions are pure: they turn rows and `now` into markup, and
//! have tests by selectors below them.
//!
//! # How a change is made
//! A POST handler takes `Operator` or `Administrator`, a `form::Fields` and, to show the form again, a `PageContext`. It reads
//! all fields, runs `backend.execute(command, fields.context(&caller))`, and answers with `form::done` (303, once the views show
//! the change). If the change is refused, the answer is the same form with status 422 (`page_context.refused`), made from a
//! snapshot that begins then: first the summary `components::field::summary`, each error beside its field, and every value kept.
//! Forms contain `components::action::once`, so that a form that is sent twice takes effect once.
//!
//! # How a page shows the past
//! `backend.read()` reads the moment that `?at=` names. A page that cannot show the past, such as a form of a change, reads with
//! `backend.read_now()`: the layout then says that the page shows the present only. No view has to keep `at` in its links, because
//! the layout adds it to every link and GET form; an element with `data-now` is left alone. The page of one object names its
//! aggregate with `page_context.about(…)`, so that the clock in the header leads to the object's changes.
//!
//! # How a page is kept live
//! Parts that change have an ID. `PATH/live/{since}` answers with `live::answer`, whose `render` calls the same view functions;
//! the page names this path in `Page::live`, with the position of its snapshot.

mod application;
pub(crate) mod assets;
mod bulk;
pub mod components;
mod csv;
mod differences;
pub(crate) mod failure;
mod form;
mod instead;
pub mod layout;
mod list;
pub(crate) mod live;
mod moment;
mod previewed;
#[cfg(test)]
mod tests;

mod about;
mod boot_images;
mod bulk_actions;
mod catalogue;
mod compare;
mod dashboard;
mod deployments;
mod devices;
mod dhcp_servers;
mod drift;
mod help;
mod networks;
mod racks;
mod resume;
mod saved_views;
mod search;
mod settings;
mod sign_in;
mod sites;
mod theme;
mod timeline;
mod values;
mod ventures;
mod zones;

use crate::http::error::Error;
use actix_web::HttpResponse;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{HeaderValue, LOCATION};
use actix_web::middleware::{Compress, Next, from_fn};
use actix_web::web::{self, ServiceConfig, resource, scope};

/// Mounts all pages. They come after every other route.
pub(crate) fn configure(config: &mut ServiceConfig) {
    let pages = scope("")
        .wrap(from_fn(keep_the_past))
        .wrap(Compress::default())
        .service(resource("/assets/{hash}/{name}").get(assets::show))
        .service(resource("/favicon.ico").get(assets::favicon))
        .service(resource("/about").get(about::show))
        .service(resource("/resume").get(resume::show))
        .service(resource("/theme").post(theme::change))
        .configure(help::configure)
        .configure(dashboard::configure)
        .configure(deployments::configure)
        .configure(devices::configure)
        .configure(bulk_actions::configure)
        .configure(racks::configure)
        .configure(timeline::configure)
        .configure(search::configure)
        .configure(values::configure)
        .configure(moment::configure)
        .configure(compare::configure)
        .configure(networks::configure)
        .configure(saved_views::configure)
        .configure(sites::configure)
        .configure(zones::configure)
        .configure(dhcp_servers::configure)
        .configure(drift::configure)
        .configure(ventures::configure)
        .configure(boot_images::configure)
        .configure(sign_in::configure)
        .configure(settings::configure)
        .default_service(web::to(nothing));
    config.service(pages);
}

/// A redirect from a page of the past leads to the past.
async fn keep_the_past(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let at = if *request.method() == Method::GET { layout::moment_of(request.query_string()) } else { None };
    let mut response = next.call(request).await?;
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).zip(at);
    if let Some(value) = location.and_then(|(path, at)| HeaderValue::from_str(&layout::with_at(path, &at)).ok()) {
        response.headers_mut().insert(LOCATION, value);
    }
    Ok(response)
}

async fn nothing() -> Result<HttpResponse, Error> {
    Err(Error::NotFound(
        "no page and no operation of the API has this address. The menu leads to all pages, and /api/docs lists all operations"
            .to_owned(),
    ))
}
