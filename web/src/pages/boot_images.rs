//! Pages of boot images: their files, an editor and a preview of templates, where the images are used, and every revision.

mod declarations;
mod edit;
mod files;
mod form;
mod kind;
mod labels;
mod library;
mod preview;
mod read;
mod revisions;
mod show;
mod upload;
mod upload_form;
mod view;

use super::catalogue::{described, page};
use actix_web::web::{ServiceConfig, resource};
use kind::BootImages;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/boot-images").get(show::index))
        .service(resource("/boot-images/_new").get(described::new::<BootImages>).post(described::create::<BootImages>))
        .configure(library::configure)
        .service(resource("/boot-images/{key}").get(show::show))
        .service(resource("/boot-images/{key}/live/{since}").get(page::live::<BootImages>))
        .service(resource("/boot-images/{key}/edit").get(described::edit::<BootImages>).post(described::change::<BootImages>))
        .service(resource("/boot-images/{key}/retire").get(described::load::<BootImages>).post(described::retire::<BootImages>))
        .service(resource("/boot-images/{key}/compare").get(revisions::compare))
        .service(resource("/boot-images/{key}/revert").get(revisions::confirm).post(revisions::revert))
        .service(resource("/boot-images/{key}/preview").get(preview::show));
    files::configure(config);
}
