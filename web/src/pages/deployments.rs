//! Deployments.
use actix_web::web::ServiceConfig;
pub(super) fn configure(_: &mut ServiceConfig) {}
