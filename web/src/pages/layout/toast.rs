//! The confirmation that a change was saved, on the page that follows the form. A cookie carries the position of the change to
//! that page, which reads from the log what was saved. It works without a script, and lasts for one page.

use crate::event_filter::accounts;
use crate::http::auth::cookie;
use crate::http::auth::principal::Principal;
use crate::http::error::Error;
use crate::pages::components::icon::icon;
use crate::wording::timeline::sentence;
use actix_web::http::header::{HeaderValue, SET_COOKIE};
use actix_web::{HttpRequest, HttpResponse};
use bootledger_projections::database::pool::Connection;
use bootledger_projections::rows::timeline;
use maud::{Markup, html};

/// The cookie with the position of the change.
const COOKIE: &str = "saved";
/// How many seconds the browser keeps it, if it opens no page.
const SECONDS: i64 = 60;

/// Adds the position of a change to the answer to its form.
pub(crate) fn carry(response: &mut HttpResponse, position: i64) {
    set(response, cookie::header(COOKIE, &position.to_string(), SECONDS, false));
}

/// Removes the cookie from the browser, because the page shows the confirmation.
pub(super) fn forget(response: &mut HttpResponse) {
    set(response, cookie::header(COOKIE, "", 0, false));
}

fn set(response: &mut HttpResponse, header: Option<HeaderValue>) {
    if let Some(header) = header {
        response.headers_mut().append(SET_COOKIE, header);
    }
}

/// The position in a request's cookie.
pub(super) fn of_request(request: &HttpRequest) -> Option<i64> {
    cookie::value(request, COOKIE)?.parse().ok()
}

/// The confirmation of the event at a position. There is none if the visitor did not cause the event: a command that had nothing
/// to do names the last event of the log, which may be anyone's. It leads to the event if the visitor may read it there: users
/// change their own password without being able to read about accounts.
pub(super) async fn confirmation(
    connection: &mut Connection,
    position: i64,
    visitor: &Principal,
) -> Result<Option<Markup>, Error> {
    let (lines, actor) = (timeline::at(connection, &[position]).await?, visitor.actor());
    let line = lines.first().filter(|line| line.actor == actor);
    Ok(line.map(|line| shown(position, &sentence(line), accounts::may_read(visitor, &line.aggregate_type))))
}

fn shown(position: i64, what: &str, linked: bool) -> Markup {
    html! {
        div.toast role="status" id="toast" {
            (icon("check-circle-fill"))
            p {
                strong { "Saved" } ": " (what) ". "
                @if linked { a href=(format!("/timeline/{position}")) { "Event " (position) } }
            }
            button.plain.small type="button" data-dismiss="toast" hidden { "Dismiss" }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn the_position_of_a_change_reaches_the_next_page_once() {
        let mut response = HttpResponse::SeeOther().finish();
        carry(&mut response, 42);
        let set = response.headers().get(SET_COOKIE).and_then(|value| value.to_str().ok()).expect("a cookie");
        assert!(set.contains("; Max-Age=60; HttpOnly; SameSite=Lax"), "{set}");
        let next = TestRequest::default().insert_header(("cookie", set.split(';').next().expect("a pair"))).to_http_request();
        assert_eq!(of_request(&next), Some(42));
        forget(&mut response);
        let all: Vec<_> = response.headers().get_all(SET_COOKIE).collect();
        assert!(all[1].to_str().expect("text").starts_with("saved=; Path=/; Max-Age=0"), "{all:?}");
        let wrong = TestRequest::default().insert_header(("cookie", "saved=<b>")).to_http_request();
        assert_eq!(of_request(&wrong), None);
    }

    #[test]
    fn a_confirmation_is_a_status_with_a_link_to_the_event() {
        let html = shown(7, "User ada retired network <prod>", true).into_string();
        assert!(html.contains("role=\"status\"") && html.contains("href=\"/timeline/7\""), "{html}");
        assert!(html.contains("&lt;prod&gt;"), "{html}");
        let unlinked = shown(7, "User ada changed the password of user ada", false).into_string();
        assert!(unlinked.contains("changed the password") && !unlinked.contains("<a "), "{unlinked}");
    }
}
