//! Finds the application that a request is for.

use crate::http::application::Application;
use crate::http::error::Error;
use actix_web::HttpRequest;
use actix_web::web::Data;
use anyhow::anyhow;

/// The application that a request is for.
pub(crate) fn of(request: &HttpRequest) -> Result<Data<Application>, Error> {
    let application = request.app_data::<Data<Application>>().cloned();
    application.ok_or_else(|| Error::Internal(anyhow!("the application is not configured in this server")))
}
