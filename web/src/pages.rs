//! The pages for people, and what they have in common.

pub mod deployments;
pub mod layout;
mod style;

use actix_web::web::{ServiceConfig, resource};

/// The stylesheet, for every listener that has pages.
pub(crate) fn configure(config: &mut ServiceConfig) {
    config.service(resource("/").get(deployments::index)).service(resource("/style/{hash}.css").get(style::show));
}
