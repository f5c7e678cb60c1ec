//! Pages of deployments: the list, and the page of one deployment with all its details.

mod actions;
mod again;
mod boot_notes;
mod boot_path;
mod bulk;
mod cards;
mod changes;
mod details;
mod export;
mod history;
mod installer;
mod list;
mod needed;
mod notes;
mod served;
mod show;
mod steps;
mod waits;

use actix_web::web::{ServiceConfig, resource};

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/deployments").get(list::index))
        .service(resource("/deployments/export.csv").get(export::all))
        .service(resource("/deployments/import.csv").get(export::for_import))
        .service(resource("/deployments/bulk").post(bulk::preview))
        .service(resource("/deployments/bulk/do").post(bulk::start))
        .service(resource("/deployments/live/{since}/{from}").get(list::live))
        .service(resource("/deployments/{id}").get(show::show))
        .service(resource("/deployments/{id}/live/{since}").get(show::live))
        .service(resource("/deployments/{id}/cancel").get(actions::confirm_cancel).post(actions::cancel))
        .service(resource("/deployments/{id}/done").get(actions::confirm_done).post(actions::done))
        .service(resource("/deployments/{id}/clone").get(again::choose))
        .service(resource("/deployments/{id}/notes").get(notes::load).post(notes::save))
        .service(resource("/deployments/{id}/restart-reported").post(actions::restart_reported))
        .service(resource("/deployments/{id}/next-boot").post(installer::set_next_boot))
        .service(resource("/deployments/{id}/served/{file}").get(served::show))
        .service(resource("/deployments/{id}/plugins/{plugin}/retry").post(actions::retry));
}
