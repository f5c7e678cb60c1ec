//! Forms that arrived after their session had ended. They are kept in memory until their user has signed in again, so that no one
//! has to type a form twice because of a coffee break.
//!
//! A form is kept only if the browser proves with the session's secret that it had the session, and only for the user of that
//! session. Only the browser that sent it can get it: a cookie has its random ticket. Passwords are never kept. Another instance, or this one after a restart, does not have the form: then the user sees
//! the dashboard, as before.

use super::{cookie, sessions, transport};
use crate::http::access::{PASSWORD, SIGN_IN};
use crate::http::application::Application;
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::http::Method;
use actix_web::http::header::{ACCEPT, CONTENT_LENGTH, HeaderValue};
use actix_web::{HttpMessage, HttpRequest, web};
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_aggregates::values::user_name::UserName;
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
/// The maximum number of fields of a kept form, which the page shows.
const MOST_FIELDS: usize = 2_000;
/// The maximum length of a kept form's path, in bytes.
const LONGEST_PATH: usize = 2_000;
/// How long the body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);
/// The maximum number of kept forms: of all users, and of one.
const MOST: usize = 200;
const MOST_OF_USER: usize = 5;
/// The maximum size of all kept forms together, in bytes.
const LARGEST_OF_ALL: usize = 4 << 20;
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
    path: String,
    /// The body as it arrived: parsed pairs would take many times its memory.
    body: Box<[u8]>,
}

impl Kept {
    fn size(&self) -> usize {
        self.path.len() + self.body.len()
    }

    fn form(&self) -> KeptForm {
        KeptForm { path: self.path.clone(), pairs: form_urlencoded::parse(&self.body).into_owned().collect() }
    }
}

/// The kept forms of this process.
#[derive(Default)]
pub(crate) struct KeptForms(Mutex<VecDeque<Kept>>);

impl KeptForms {
    fn add(&self, user: UserName, path: &str, body: Vec<u8>, now: Timestamp) -> Uuid {
        let ticket = Uuid::new_v4();
        let until = now.plus_seconds(SECONDS);
        let new = Kept { ticket, user, until, path: path.to_owned(), body: body.into_boxed_slice() };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|kept| kept.until > now);
        if kept.iter().filter(|kept| kept.user == new.user).count() >= MOST_OF_USER {
            let oldest = kept.iter().position(|kept| kept.user == new.user);
            drop(oldest.and_then(|oldest| kept.remove(oldest)));
        }
        let mut size = new.size() + kept.iter().map(Kept::size).sum::<usize>();
        while kept.len() >= MOST || size > LARGEST_OF_ALL {
            let Some(oldest) = kept.pop_front() else { break };
            size -= oldest.size();
        }
        kept.push_back(new);
        ticket
    }

    /// The form that a request's browser sent before its user signed in again.
    pub(crate) fn find(&self, request: &HttpRequest, user: &UserName, now: Timestamp) -> Option<KeptForm> {
        let ticket: Uuid = cookie::value(request, COOKIE)?.parse().ok()?;
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().find(|kept| kept.ticket == ticket && kept.user == *user && kept.until > now);
        found.map(Kept::form)
    }
}

/// Keeps the form of a request whose session has ended. Returns the cookie with its ticket; `None` if there is nothing to keep.
pub(super) async fn keep(request: &mut ServiceRequest) -> Option<HeaderValue> {
    let forms = request.app_data::<web::Data<KeptForms>>()?.clone();
    let application = request.app_data::<web::Data<Application>>()?.clone();
    if !is_form(request.request()) {
        return None;
    }
    // The body is read only for a browser that had the session: anyone can make up a cookie, and IDs of sessions are no secrets.
    let presented = cookie::presented(request.request(), transport::is_secure(request.request(), &application))?;
    let user = sessions::owner(request.request(), &application, presented).await.ok()??;
    let payload = request.take_payload();
    let body = tokio::time::timeout(PATIENCE, read(payload)).await.ok()??;
    if !may_be_kept(&body) {
        return None;
    }
    let ticket = forms.add(user, request.path(), body, (application.now)());
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

/// Whether a form has fields, not too many, and none with a password.
fn may_be_kept(body: &[u8]) -> bool {
    let mut fields = 0;
    for (name, _) in form_urlencoded::parse(body) {
        fields += 1;
        if fields > MOST_FIELDS || SECRETS.contains(&&*name) {
            return false;
        }
    }
    fields > 0
}

fn is_form(request: &HttpRequest) -> bool {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let short = header(CONTENT_LENGTH).parse::<usize>().is_ok_and(|length| length <= LARGEST);
    let page = header(ACCEPT).contains("text/html") && !request.headers().contains_key("hx-request");
    let path = request.path();
    let own =
        path.starts_with(SIGN_IN) || path == PASSWORD || path == "/sign-out" || path == "/theme" || path.starts_with("/api/");
    let encoded = request.content_type().eq_ignore_ascii_case("application/x-www-form-urlencoded");
    request.method() == Method::POST && short && page && encoded && !own && path.len() <= LONGEST_PATH
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn user(name: &str) -> UserName {
        name.parse().expect("a user name")
    }

    const BODY: &[u8] = b"name=prod+1&cidr=";

    fn form(path: &str) -> KeptForm {
        let pairs = [("name", "prod 1"), ("cidr", "")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        KeptForm { path: path.to_owned(), pairs: pairs.to_vec() }
    }

    fn with(ticket: Uuid) -> HttpRequest {
        TestRequest::default().insert_header(("cookie", format!("{COOKIE}={ticket}"))).to_http_request()
    }

    #[test]
    fn a_form_is_found_by_its_browser_and_its_user_until_it_expires() {
        let (forms, now) = (KeptForms::default(), Timestamp::default());
        let ticket = forms.add(user("ada"), "/networks", BODY.to_vec(), now);
        assert_eq!(forms.find(&with(ticket), &user("ada"), now), Some(form("/networks")));
        assert_eq!(forms.find(&with(ticket), &user("bob"), now), None, "another user");
        assert_eq!(forms.find(&with(Uuid::new_v4()), &user("ada"), now), None, "another browser");
        assert_eq!(forms.find(&with(ticket), &user("ada"), now.plus_seconds(SECONDS)), None, "later");
    }

    #[test]
    fn the_memory_for_forms_is_bounded() {
        let (forms, now) = (KeptForms::default(), Timestamp::default());
        let add = |name: &str, path: &str| forms.add(user(name), path, BODY.to_vec(), now);
        let tickets: Vec<Uuid> = (0..=MOST_OF_USER).map(|n| add("ada", &format!("/{n}"))).collect();
        assert_eq!(forms.find(&with(tickets[0]), &user("ada"), now), None);
        assert!(forms.find(&with(tickets[1]), &user("ada"), now).is_some());
        for n in 0..MOST {
            add(&format!("user{n}"), "/x");
        }
        assert_eq!(forms.0.lock().expect("no panic").len(), MOST);
        for n in 0..MOST {
            forms.add(user(&format!("user{n}")), "/x", vec![b'a'; LARGEST], now);
        }
        let size: usize = forms.0.lock().expect("no panic").iter().map(Kept::size).sum();
        assert!((LARGEST..=LARGEST_OF_ALL).contains(&size), "{size}");
    }

    #[test]
    fn a_form_with_too_many_fields_or_a_password_is_not_kept() {
        assert!(may_be_kept(BODY) && may_be_kept("a&".repeat(MOST_FIELDS).as_bytes()));
        assert!(!may_be_kept("a&".repeat(MOST_FIELDS + 1).as_bytes()));
        assert!(!may_be_kept(b"name=prod&pass%77ord=x") && !may_be_kept(b"") && !may_be_kept(b"&&"));
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
        let long = format!("/{}", "x".repeat(LONGEST_PATH));
        for path in ["/sign-in", PASSWORD, "/api/v1/networks", &long] {
            assert!(!is_form(&request(path).to_http_request()), "{path}");
        }
    }
}
