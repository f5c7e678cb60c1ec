//! The choice of a light or dark theme, which a cookie stores in the browser.

use super::form::{Fields, local, see_other};
use crate::http::error::Error;
use crate::pages::layout::Theme;
use actix_web::HttpResponse;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};

/// Handles `POST /theme`.
pub(super) async fn change(fields: Fields) -> Result<HttpResponse, Error> {
    let theme = fields.text("theme");
    let known = if Theme::of(theme) == Theme::System { "system" } else { theme };
    let cookie = Cookie::build(Theme::COOKIE, known.to_owned())
        .path("/")
        .same_site(SameSite::Lax)
        .http_only(true)
        .max_age(Duration::days(400))
        .finish();
    let mut response = see_other(local(fields.text("to")));
    response.add_cookie(&cookie).map_err(|error| Error::Internal(error.into()))?;
    Ok(response)
}
