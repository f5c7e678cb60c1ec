//! Pages of racks: the list, racks side by side, one rack with its elevation and networks, and adding servers to it from a CSV file.

mod add;
mod beside;
mod elevation;
mod form;
mod list;
mod show;
mod upload;

use actix_web::web::{ServiceConfig, resource};

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/racks").get(list::index))
        .service(resource("/racks/new").get(form::new_form).post(form::define_new))
        .service(resource("/racks/_side-by-side").get(beside::show))
        .service(resource("/racks/_side-by-side/live/{since}").get(beside::live))
        .service(resource("/racks/{key}").get(show::show))
        .service(resource("/racks/{key}/live/{since}").get(show::live))
        .service(resource("/racks/{key}/edit").get(form::edit_form).post(form::define))
        .service(resource("/racks/{key}/retire").get(form::confirm_retire).post(form::retire))
        .service(resource("/racks/{key}/add").get(add::load).post(add::import));
}
