//! What keeps a user's work: forms after the end of a session, secrets that are shown once, errors with the menu.

use crate::support::TestSite;
use actix_web::http::Method;
use actix_web::test::TestRequest;
use bootledger_aggregates::token::TokenScope;
use bootledger_aggregates::user::Role;
use bootledger_port::Receipt;
use bootledger_web::http::auth::cookie;
use bootledger_web::http::auth::token::Secret;
use serde_json::json;
use uuid::Uuid;

/// A form of a page, as a browser sends it.
fn form(path: &str, fields: &[(&str, &str)]) -> TestRequest {
    let length = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish().len();
    TestRequest::post().uri(path).set_form(fields).insert_header(("content-length", length.to_string()))
}

#[actix_web::test]
async fn a_head_request_gets_the_status_of_a_page_without_its_body() {
    let site = TestSite::create().await;
    let cookie = site.signed_in(Role::Viewer).await;
    let head = |path: &str| TestRequest::with_uri(path).method(Method::HEAD);
    for path in ["/", "/devices", "/about", "/api/v1/devices"] {
        let answer = site.browse(&cookie, head(path)).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""), "{path}");
    }
    assert_eq!(site.request(head("/favicon.ico")).await.status, 200);
    assert_eq!(site.browse(&cookie, head("/nowhere")).await.status, 404);
}

#[actix_web::test]
async fn an_error_keeps_the_menu_for_those_who_are_signed_in() {
    let site = TestSite::create().await;
    let cookie = site.signed_in(Role::Viewer).await;
    let nowhere = site.browse(&cookie, TestRequest::get().uri("/devices/nowhere/at/all")).await;
    assert_eq!(nowhere.status, 404);
    assert!(nowhere.text.contains("class=\"side\"") && nowhere.text.contains("href=\"/devices\" aria-current=\"page\""));
    let refused = site.browse(&cookie, TestRequest::get().uri("/settings/users")).await;
    assert_eq!((refused.status.as_u16(), refused.text.contains("class=\"side\"")), (403, true));
}

#[actix_web::test]
async fn a_form_survives_the_end_of_its_session_for_its_user_and_browser_only() {
    let site = TestSite::create().await;
    site.user("ada", Role::Administrator).await;
    site.user("bob", Role::Administrator).await;
    let (id, old) = site.session("ada").await;
    let expired = "UPDATE session_secrets SET expires = clock_timestamp() WHERE session = $1";
    sqlx::query(expired).bind(id.0).execute(&site.pool).await.expect("a change");
    let sent = site.browse(&old, form("/networks", &[("key", "k-1"), ("name", "<prod>"), ("cidr", "10.0.0.0/24")])).await;
    assert_eq!((sent.status.as_u16(), sent.header("location")), (303, "/sign-in?to=%2Fresume"), "{sent:?}");
    let ticket = sent.header("set-cookie").split(';').next().expect("a cookie").to_owned();
    assert!(ticket.starts_with("resume="), "{ticket}");
    let resume = async |user: &str, ticket: &str| {
        let cookie = format!("{}; {ticket}", site.session(user).await.1);
        site.browse(&cookie, TestRequest::get().uri("/resume")).await
    };
    let page = resume("ada", &ticket).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("action=\"/networks\"") && page.text.contains("value=\"&lt;prod&gt;\""), "{}", page.text);
    assert!(page.text.contains("name=\"key\" value=\"k-1\""), "sending it twice takes effect once");
    for other in [resume("bob", &ticket).await, resume("ada", "theme=dark").await] {
        assert_eq!((other.status.as_u16(), other.header("location")), (303, "/"));
    }
    let secret = site.browse(&old, form("/settings/users/ada/x", &[("password", "a long secret")])).await;
    assert_eq!((secret.status.as_u16(), secret.header("set-cookie")), (303, ""), "a password is not kept");
}

#[actix_web::test]
async fn a_form_is_kept_only_for_a_browser_with_the_secret_of_the_session() {
    let site = TestSite::create().await;
    site.user("ada", Role::Administrator).await;
    let (id, own) = site.session("ada").await;
    let made_up = format!("{}={}", cookie::name(false), cookie::text(id, &Secret::random()));
    let ticket = async |cookie: &str, fields: &[(&str, &str)]| {
        let sent = site.browse(cookie, form("/networks", fields)).await;
        assert_eq!(sent.status, 303, "{sent:?}");
        !sent.header("set-cookie").is_empty()
    };
    let fields = [("key", "k-1"), ("name", "prod")];
    assert!(!ticket(&made_up, &fields).await, "the session is live");
    site.append("session", &id.to_string(), json!({"type": "SessionEnded", "reason": "revoked"})).await;
    assert!(!ticket(&made_up, &fields).await, "the session has ended");
    assert!(ticket(&own, &fields).await);
    assert!(!ticket(&own, &vec![("a", ""); 2_001]).await, "too many fields");
}

#[actix_web::test]
async fn a_form_that_is_sent_again_shows_no_second_secret() {
    let site = TestSite::create().await;
    let cookie = site.signed_in(Role::Administrator).await;
    // The first request with this form created the token, with another secret than the one that the second would get.
    let (id, _) = site.token(TokenScope::Operator, None).await;
    site.answer(Ok(Receipt { position: 1, id: id.to_string(), repeated: true }));
    let fields = [("key", "k-1"), ("name", "ops"), ("scope", "operator"), ("days", "never"), ("dhcp_server", "")];
    let again = site.browse(&cookie, form("/settings/tokens", &fields)).await;
    assert_eq!((again.status.as_u16(), again.text.contains("bl_")), (200, false), "{}", again.text);
    assert_eq!(site.domain.requested.lock().expect("no panic")[0].1.key(), Some("form:k-1"));
    site.user_with("ada", "correct horse battery", false).await;
    site.answer(Ok(Receipt { position: 1, id: "ada".to_owned(), repeated: true }));
    let again = site.browse(&cookie, form("/settings/users/ada/password", &[("key", "k-2")])).await;
    assert_eq!((again.status.as_u16(), again.text.contains("id=\"secret\"")), (200, false), "{}", again.text);
    // The views do not show the first request's token and user yet.
    site.answer(Ok(Receipt { position: 1, id: Uuid::now_v7().to_string(), repeated: true }));
    let fields = [("key", "k-3"), ("name", "ops"), ("scope", "operator"), ("days", "never"), ("dhcp_server", "")];
    let early = site.browse(&cookie, form("/settings/tokens", &fields)).await;
    assert_eq!((early.status.as_u16(), early.text.contains("bl_")), (200, false), "{}", early.text);
    site.answer(Ok(Receipt { position: 1, id: "eve".to_owned(), repeated: true }));
    let fields = [("key", "k-4"), ("name", "eve"), ("role", "viewer"), ("sign_in", "password")];
    let early = site.browse(&cookie, form("/settings/users", &fields)).await;
    assert_eq!((early.status.as_u16(), early.text.contains("id=\"secret\"")), (200, false), "{}", early.text);
}

#[actix_web::test]
async fn a_change_that_cannot_be_undone_has_a_page_before_it() {
    let site = TestSite::create().await;
    let cookie = site.signed_in(Role::Administrator).await;
    let (id, _) = site.token(TokenScope::Operator, None).await;
    site.user("ada", Role::Viewer).await;
    for path in [
        format!("/settings/tokens/{id}/revoke"),
        "/settings/users/ada/disable".to_owned(),
        "/settings/users/ada/password".to_owned(),
    ] {
        let page = site.browse(&cookie, TestRequest::get().uri(&path)).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(page.text.contains(&format!("action=\"{path}\"")) && page.text.contains("class=\"danger\""), "{}", page.text);
    }
    assert!(site.domain.requested.lock().expect("no panic").is_empty(), "nothing was changed");
}

#[actix_web::test]
async fn a_saved_change_is_confirmed_on_the_next_page_once() {
    let site = TestSite::create().await;
    let cookie = site.signed_in(Role::Administrator).await;
    let (id, _) = site.token(TokenScope::Operator, None).await;
    let path = format!("/settings/tokens/{id}/revoke");
    site.answer(Ok(Receipt { position: 1, id: id.to_string(), repeated: false }));
    let saved = site.browse(&cookie, form(&path, &[("key", "k-1")])).await;
    assert_eq!((saved.status.as_u16(), saved.header("location")), (303, "/settings/tokens"));
    assert!(saved.header("set-cookie").starts_with("saved=1; "), "{saved:?}");
    // The test's events are of another actor, so the page does not claim that this user saved them.
    let page = site.browse(&format!("{cookie}; saved=1"), TestRequest::get().uri("/settings/tokens")).await;
    assert_eq!((page.status.as_u16(), page.text.contains("id=\"toast\"")), (200, false));
}
