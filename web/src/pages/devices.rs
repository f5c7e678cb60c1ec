//! Pages of devices: the list, one device with its tabs, registering and changing it, its actions, and deploying it.

mod actions;
mod addresses;
mod bulk;
mod components;
mod deploy;
mod details;
mod export;
mod form;
mod history;
mod info;
mod list;
mod lock;
mod menu;
mod power;
mod settings;
mod show;

use actix_web::web::{ServiceConfig, resource};

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/devices").get(list::index))
        .service(resource("/devices/new").get(form::new_form).post(form::register))
        .service(resource("/devices/export.csv").get(export::all))
        .service(resource("/devices/bulk").post(bulk::preview))
        .service(resource("/devices/bulk/do").post(bulk::start))
        .service(resource("/devices/live/{since}/{from}").get(list::live))
        .service(resource("/devices/{id}").get(show::info))
        .service(resource("/devices/{id}/live/power").get(power::state))
        .service(resource("/devices/{id}/live/{since}").get(show::live_info))
        .service(resource("/devices/{id}/edit").get(form::edit_form).post(form::change))
        .service(resource("/devices/{id}/settings").get(settings::show).post(settings::change))
        .service(resource("/devices/{id}/verify").post(actions::verify))
        .service(resource("/devices/{id}/unverify").get(actions::confirm_unverify).post(actions::unverify))
        .service(resource("/devices/{id}/lock").get(lock::confirm_lock).post(lock::lock))
        .service(resource("/devices/{id}/unlock").get(lock::confirm_unlock).post(lock::unlock))
        .service(resource("/devices/{id}/decommission").get(actions::confirm_decommission).post(actions::decommission))
        .service(resource("/devices/{id}/power").get(power::load).post(power::order))
        .service(resource("/devices/{id}/deploy").get(deploy::load).post(deploy::start))
        .service(resource("/devices/{id}/deploy/check").post(deploy::check))
        .service(resource("/devices/{id}/{tab:components|addresses|history}").get(show::tab))
        .service(resource("/devices/{id}/{tab:components|addresses|history}/live/{since}").get(show::live_tab));
}
