//! Forms that arrived after their session had ended. They are kept in memory until their user has signed in again, so that nobody
//! has to type a form twice because of a coffee break.
//!
//! A form is kept only for the user of the ended session, and only the browser that sent it can get it: a cookie has its random
//! ticket. Passwords are never kept. Another instance, or this one after a restart, does not have the form: then the user sees
//! the dashboard, as before.

use super::{cookie, transport};
use crate::http::access::{PASSWORD, SIGN_IN};
use crate::http::application::Application;
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::http::Method;
use actix_web::http::header::{ACCEPT, CONTENT_LENGTH, HeaderValue};
use actix_web::{HttpMessage, HttpRequest, web};
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_aggregates::values::user_name::UserName;
use bootledger_projections::rows::accounts::SessionView;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue;
use futures::StreamExt;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use uuid::Uuid;

/// The page that shows a kept form.
pub(crate) const RESUME: &str = "/resume";
/// The cookie with the ticket.
const COOKIE: &str = "resume";
/// How long a form is kept, in seconds.
const SECONDS: i64 = 1_800;
/// The maximum size of a kept form, in bytes.
const LARGEST: usize = 64 << 10;
/// How long the body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);
/// The maximum number of kept forms: of all users, and of one.
const MOST: usize = 200;
const MOST_OF_USER: usize = 5;
/// The fields that contain passwords. A form with one of them is not kept.
const SECRETS: [&str; 3] = ["password", "current", "again"];

/// A kept form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeptForm {
    /// The path that the form was sent to.
    pub(crate) path: String,
    /// Names and values, in the order of the form.
    pub(crate) pairs: Vec<(String, String)>,
}

struct Kept {
    ticket: Uuid,
    user: UserName,
    until: Timestamp,
    form: KeptForm,
}

/// The kept forms of this process.
#[derive(Default)]
pub(crate) struct KeptForms(Mutex<VecDeque<Kept>>);

impl KeptForms {
    fn add(&self, user: UserName, form: KeptForm, now: Timestamp) -> Uuid {
        let ticket = Uuid::new_v4();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|kept| kept.until > now);
        if kept.iter().filter(|kept| kept.user == user).count() >= MOST_OF_USER {
            let oldest = kept.iter().position(|kept| kept.user == user);
            drop(oldest.and_then(|oldest| kept.remove(oldest)));
        }
        if kept.len() >= MOST {
            drop(kept.pop_front());
        }
        kept.push_back(Kept { ticket, user, until: now.plus_seconds(SECONDS), form });
        ticket
    }

    /// The form that a request's browser sent before its user signed in again.
    pub(crate) fn find(&self, request: &HttpRequest, user: &UserName, now: Timestamp) -> Option<KeptForm> {
        let ticket: Uuid = cookie::value(request, COOKIE)?.parse().ok()?;
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().find(|kept| kept.ticket == ticket && kept.user == *user && kept.until > now);
        found.map(|kept| kept.form.clone())
    }
}

/// Keeps the form of a request whose session has ended. Returns the cookie with its ticket; `None` if there is nothing to keep.
pub(super) async fn keep(request: &mut ServiceRequest) -> Option<HeaderValue> {
    let forms = request.app_data::<web::Data<KeptForms>>()?.clone();
    let application = request.app_data::<web::Data<Application>>()?.clone();
    if !is_form(request.request()) {
        return None;
    }
    // The body is read only for a session that existed: anyone can make up a cookie.
    let user = owner(request.request(), &application).await?;
    let payload = request.take_payload();
    let body = tokio::time::timeout(PATIENCE, read(payload)).await.ok()??;
    let pairs: Vec<(String, String)> = form_urlencoded::parse(&body).into_owned().collect();
    if pairs.is_empty() || pairs.iter().any(|(name, _)| SECRETS.contains(&name.as_str())) {
        return None;
    }
    let ticket = forms.add(user, KeptForm { path: request.path().to_owned(), pairs }, (application.now)());
    cookie::header(COOKIE, &ticket.to_string(), SECONDS, transport::is_secure(request.request(), &application))
}

/// Reads a body of at most the maximum size.
async fn read(mut payload: Payload) -> Option<Vec<u8>> {
    let mut body = vec![];
    while let Some(part) = payload.next().await {
        let part = part.ok().filter(|part| body.len() + part.len() <= LARGEST)?;
        body.extend_from_slice(&part);
    }
    Some(body)
}

fn is_form(request: &HttpRequest) -> bool {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let short = header(CONTENT_LENGTH).parse::<usize>().is_ok_and(|length| length <= LARGEST);
    let page = header(ACCEPT).contains("text/html") && !request.headers().contains_key("hx-request");
    let path = request.path();
    let own =
        path.starts_with(SIGN_IN) || path == PASSWORD || path == "/sign-out" || path == "/theme" || path.starts_with("/api/");
    let encoded = request.content_type().eq_ignore_ascii_case("application/x-www-form-urlencoded");
    request.method() == Method::POST && short && page && encoded && !own
}

/// The user of the session that a request presents, which has ended.
async fn owner(request: &HttpRequest, application: &Application) -> Option<UserName> {
    let (session, _) = cookie::presented(request, transport::is_secure(request, application))?;
    let mut connection = application.views.acquire().await.ok()?;
    let item = catalogue::find(&mut connection, "session", &session.to_string(), At::Now).await.ok()??;
    let view: SessionView = serde_json::from_value(item.spec).ok()?;
    Some(view.session.user)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn user(name: &str) -> UserName {
        name.parse().expect("a user name")
    }

    fn form(path: &str) -> KeptForm {
        KeptForm { path: path.to_owned(), pairs: vec![("name".to_owned(), "prod".to_owned())] }
    }

    fn with(ticket: Uuid) -> HttpRequest {
        TestRequest::default().insert_header(("cookie", format!("{COOKIE}={ticket}"))).to_http_request()
    }

    #[test]
    fn a_form_is_found_by_its_browser_and_its_user_until_it_expires() {
        let (forms, now) = (KeptForms::default(), Timestamp::default());
        let ticket = forms.add(user("ada"), form("/networks"), now);
        assert_eq!(forms.find(&with(ticket), &user("ada"), now), Some(form("/networks")));
        assert_eq!(forms.find(&with(ticket), &user("bob"), now), None, "another user");
        assert_eq!(forms.find(&with(Uuid::new_v4()), &user("ada"), now), None, "another browser");
        assert_eq!(forms.find(&with(ticket), &user("ada"), now.plus_seconds(SECONDS)), None, "later");
    }

    #[test]
    fn the_memory_for_forms_is_bounded() {
        let (forms, now) = (KeptForms::default(), Timestamp::default());
        let tickets: Vec<Uuid> = (0..=MOST_OF_USER).map(|n| forms.add(user("ada"), form(&format!("/{n}")), now)).collect();
        assert_eq!(forms.find(&with(tickets[0]), &user("ada"), now), None);
        assert!(forms.find(&with(tickets[1]), &user("ada"), now).is_some());
        for n in 0..MOST {
            forms.add(user(&format!("user{n}")), form("/x"), now);
        }
        assert_eq!(forms.0.lock().expect("no panic").len(), MOST);
    }

    #[test]
    fn only_short_forms_of_pages_are_kept_and_none_with_a_password() {
        let request = |path: &str| {
            TestRequest::post()
                .uri(path)
                .insert_header(("accept", "text/html"))
                .insert_header(("content-type", "application/x-www-form-urlencoded"))
                .insert_header(("content-length", "20"))
        };
        assert!(is_form(&request("/networks").to_http_request()));
        assert!(!is_form(&request("/networks").insert_header(("content-length", "100000")).to_http_request()));
        assert!(!is_form(&request("/networks").insert_header(("hx-request", "true")).to_http_request()));
        for path in ["/sign-in", PASSWORD, "/api/v1/networks"] {
            assert!(!is_form(&request(path).to_http_request()), "{path}");
        }
    }
}
