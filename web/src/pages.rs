//! The pages for people.
//!
//! # How a page is made
//! `NOUN.rs` has the handlers of a noun's pages, `NOUN/…` its parts. A handler takes a `frame::Visit` (the visitor, at least a
//! viewer) and a `Backend`, reads with `backend.read()`, and answers with `visit.answer(reading, Page { … })`. A page that
//! waits for something else ends its reading before that, with `visit.see(reading)`. View functions are pure: they turn rows
//! and `now` into markup, and have tests by selectors below them. `kit` has the components.
//!
//! # How a change is made
//! A POST handler takes `Operator` or `Administrator`, a `form::Fields` and, to show the form again, a `Visit`. It reads all
//! fields, runs `backend.execute(command, fields.context(&caller))`, and answers with `form::done` (303, once the views show
//! the change). If the change is refused, the answer is the same form with status 422 (`visit.refused`), made from a reading
//! that begins then: first the summary `kit::field::summary`, each error beside its field, and every value kept. Forms contain
//! `kit::action::once`, so that a form that is sent twice takes effect once.
//!
//! # How a page is kept live
//! Parts that change have an ID. `PATH/live/{since}` answers with `live::answer`, whose `render` calls the same view functions;
//! the page names this path in `Page::live`, with the position of its reading.

pub(crate) mod assets;
pub(crate) mod csv;
pub(crate) mod failure;
pub(crate) mod form;
pub(crate) mod frame;
pub(crate) mod kit;
pub(crate) mod live;
mod theme;

mod boot_images;
mod catalogue;
pub(crate) mod dashboard;
pub(crate) mod deployments;
pub(crate) mod devices;
mod dhcp_servers;
mod drift;
mod networks;
pub(crate) mod racks;
mod search;
pub(crate) mod settings;
pub(crate) mod sign_in;
mod sites;
pub(crate) mod timeline;
mod ventures;
mod zones;

use crate::application::Application;
use crate::error::Error;
use actix_web::middleware::Compress;
use actix_web::web::{self, Data, ServiceConfig, resource, scope};
use actix_web::{HttpRequest, HttpResponse};
use anyhow::anyhow;

/// Mounts all pages. They come after every other route.
pub(crate) fn configure(config: &mut ServiceConfig) {
    let pages = scope("")
        .wrap(Compress::default())
        .service(resource("/assets/{hash}/{name}").get(assets::show))
        .service(resource("/theme").post(theme::change))
        .configure(dashboard::configure)
        .configure(deployments::configure)
        .configure(devices::configure)
        .configure(racks::configure)
        .configure(timeline::configure)
        .configure(search::configure)
        .configure(networks::configure)
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

async fn nothing() -> Result<HttpResponse, Error> {
    Err(Error::NotFound("there is no such page; the menu leads to all there are".to_owned()))
}

/// The application that a request is for.
pub(crate) fn application(request: &HttpRequest) -> Result<Data<Application>, Error> {
    let application = request.app_data::<Data<Application>>().cloned();
    application.ok_or_else(|| Error::Internal(anyhow!("the application is not part of this server")))
}
