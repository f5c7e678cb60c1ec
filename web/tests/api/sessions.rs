//! What a session gives access to, and when that ends.

use crate::support::{TestSite, sending};
use actix_web::body::MessageBody;
use actix_web::dev::Service;
use actix_web::http::Method;
use actix_web::test::TestRequest;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ids::SessionId;
use bootledger_port::{AccountAction, Command, Receipt};
use bootledger_web::http::auth::cookie;
use bootledger_web::http::auth::token::Secret;
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

async fn status(site: &TestSite, cookie: &str) -> u16 {
    site.request(TestRequest::get().uri("/api/v1/devices").insert_header(("cookie", cookie))).await.status.as_u16()
}

#[actix_web::test]
async fn a_cookie_opens_pages_and_the_api_and_events_name_the_user() {
    let site = TestSite::create().await;
    let cookie = site.signed_in(Role::Operator).await;
    assert_eq!(site.browse(&cookie, TestRequest::get().uri("/")).await.status, 200);
    assert_eq!(status(&site, &cookie).await, 200);
    site.answer(Ok(Receipt { position: 1, id: Uuid::now_v7().to_string(), repeated: false }));
    let request = sending(TestRequest::post().uri("/api/v1/deployments"), &json!({"device": Uuid::nil()}));
    site.browse(&cookie, request).await;
    assert_eq!(site.domain.requested.lock().expect("no panic")[0].1.actor, "user the-operator");
}

#[actix_web::test]
async fn a_forged_cookie_opens_nothing() {
    let site = TestSite::create().await;
    site.user("ada", Role::Viewer).await;
    let (id, good) = site.session("ada").await;
    let (_, other) = site.session("ada").await;
    assert_eq!(status(&site, &good).await, 200);
    let pair = |id, secret: &Secret| format!("bootledger={}", cookie::text(id, secret));
    let secret = Secret::random();
    let others_secret = other.rsplit_once('_').expect("a secret").1;
    let mixed = format!("{}_{others_secret}", good.rsplit_once('_').expect("a secret").0);
    for forged in [
        pair(id, &secret),
        pair(SessionId(Uuid::now_v7()), &secret),
        pair(SessionId(Uuid::nil()), &secret),
        mixed,
        good[..good.len() - 1].to_owned(),
        format!("{good}; {other}"),
        good.replace("bootledger=", "__Host-bootledger="),
        "bootledger=".to_owned(),
        "bootledger=bls__".to_owned(),
    ] {
        let (status, problem) =
            site.request(TestRequest::get().uri("/api/v1/devices").insert_header(("cookie", forged.as_str()))).await.problem();
        assert_eq!(status, 401, "{forged}: {problem}");
    }
}

#[actix_web::test]
async fn a_session_that_was_live_a_moment_ago_ends_with_its_end_or_its_users() {
    let site = TestSite::create().await;
    site.user("ada", Role::Viewer).await;
    let (id, first) = site.session("ada").await;
    let (_, second) = site.session("ada").await;
    let service = site.start().await;
    let requested = async |cookie: &str| {
        let request = TestRequest::get().uri("/api/v1/devices").insert_header(("cookie", cookie));
        service.call(request.to_request()).await.expect("an answer").status().as_u16()
    };
    assert_eq!((requested(&first).await, requested(&second).await, requested(&first).await), (200, 200, 200));
    site.append("session", &id.to_string(), json!({"type": "SessionEnded", "reason": "revoked"})).await;
    assert_eq!((requested(&first).await, requested(&second).await), (401, 200));
    site.append("user", "ada", json!({"type": "UserDisabled"})).await;
    assert_eq!(requested(&second).await, 401);
}

#[actix_web::test]
async fn an_unused_or_old_session_expires() {
    let site = TestSite::create().await;
    site.user("ada", Role::Viewer).await;
    for change in ["last_seen = clock_timestamp() - interval '12 hours 1 second'", "expires = clock_timestamp()"] {
        let (id, cookie) = site.session("ada").await;
        let change = format!("UPDATE session_secrets SET {change} WHERE session = $1");
        sqlx::query(&change).bind(id.0).execute(&site.pool).await.expect("a change");
        assert_eq!(status(&site, &cookie).await, 401, "{change}");
    }
}

#[actix_web::test]
async fn an_old_secret_is_replaced_with_a_page_and_not_with_a_part_of_one() {
    let site = TestSite::create().await;
    site.user("ada", Role::Viewer).await;
    let (id, cookie) = site.session("ada").await;
    let old =
        "UPDATE session_secrets SET rotated_at = clock_timestamp() - interval '1 hour', confirmed = true WHERE session = $1";
    sqlx::query(old).bind(id.0).execute(&site.pool).await.expect("a change");
    let part = TestRequest::get().uri("/settings").insert_header(("hx-request", "true"));
    let part = site.browse(&cookie, part).await;
    assert_eq!((part.status.as_u16(), part.header("set-cookie")), (200, ""), "htmx may throw an answer away");
    let page = site.browse(&cookie, TestRequest::get().uri("/settings")).await;
    let set = page.header("set-cookie");
    assert!(set.starts_with(&format!("bootledger=bls_{}_", id.0.simple())) && set.contains("HttpOnly; SameSite=Lax"), "{set}");
    assert!(!cookie.contains(set.split(['=', ';']).nth(1).expect("a value")), "{set}");
    let fresh = site.session("ada").await.1;
    assert_eq!(site.browse(&fresh, TestRequest::get().uri("/settings")).await.header("set-cookie"), "");
}

#[actix_web::test]
async fn a_change_with_a_cookie_is_accepted_only_from_our_own_pages() {
    let site = TestSite::create().await;
    let cookie = site.signed_in(Role::Administrator).await;
    let bearer = site.bearer(bootledger_aggregates::token::TokenScope::Administrator).await;
    let id = Uuid::nil();
    let changes = [
        (Method::POST, "/settings/users".to_owned()),
        (Method::POST, "/sign-out".to_owned()),
        (Method::POST, "/settings/password".to_owned()),
        (Method::POST, format!("/settings/sessions/{id}/end")),
        (Method::POST, format!("/settings/tokens/{id}/revoke")),
        (Method::POST, "/api/v1/deployments".to_owned()),
        (Method::DELETE, format!("/api/v1/sessions/{id}")),
        (Method::PUT, "/api/v1/sites/dc1".to_owned()),
        (Method::POST, "/nowhere".to_owned()),
    ];
    let own = "http://localhost:8080";
    for (method, path) in &changes {
        let request = || TestRequest::with_uri(path).method(method.clone()).insert_header(("host", "localhost:8080"));
        let with_cookie = || request().insert_header(("cookie", cookie.as_str()));
        for (name, value, taken) in [
            ("sec-fetch-site", "same-origin", true),
            ("sec-fetch-site", "none", true),
            ("sec-fetch-site", "same-site", false),
            ("sec-fetch-site", "cross-site", false),
            ("origin", own, true),
            ("origin", "null", false),
            ("origin", "http://evil.example", false),
            ("referer", "http://localhost:8080/settings", true),
            ("referer", "http://evil.example/", false),
            ("x-requested-with", "XMLHttpRequest", false),
        ] {
            let answer = site.request(with_cookie().insert_header((name, value))).await;
            let refused = answer.text.contains("problem-cross-site");
            assert_eq!((refused, answer.status == 403), (!taken, !taken), "{method} {path} {name}: {value}: {answer:?}");
        }
        let program = site.request_as(&bearer, request().insert_header(("sec-fetch-site", "cross-site"))).await;
        assert!(!program.text.contains("cross-site"), "a token is sent by no browser by itself: {program:?}");
    }
    let crossed =
        TestRequest::get().uri("/settings").insert_header(("cookie", cookie)).insert_header(("sec-fetch-site", "cross-site"));
    assert_eq!(site.request(crossed).await.status, 200, "a link from elsewhere leads here");
}

#[actix_web::test]
async fn a_user_with_a_one_time_password_must_change_it_first() {
    let site = TestSite::create().await;
    site.user_with("ada", "correct horse battery", true).await;
    let cookie = site.session("ada").await.1;
    for path in ["/", "/settings", "/devices?q=a"] {
        let page = site.browse(&cookie, TestRequest::get().uri(path)).await;
        assert_eq!((page.status.as_u16(), page.header("location")), (303, "/settings/password"), "{path}");
    }
    let api = TestRequest::get().uri("/api/v1/devices").insert_header(("cookie", cookie.as_str()));
    let (status, problem) = site.request(api).await.problem();
    assert_eq!((status, problem["type"].as_str()), (403, Some("/api/docs#problem-password-due")));
    let form = site.browse(&cookie, TestRequest::get().uri("/settings/password")).await;
    assert_eq!(form.status, 200);
    assert!(form.text.contains("id=\"field-password\""), "{}", form.text);

    let change = |current: &str, new: &str, again: &str| {
        let fields = [("current", current), ("password", new), ("again", again), ("to", "/devices")];
        TestRequest::post().uri("/settings/password").set_form(fields)
    };
    for (current, new, again, rule) in [
        ("wrong horse battery", "a new long password", "a new long password", "password_wrong"),
        ("correct horse battery", "tiny-one", "tiny-one", "password_short"),
        ("correct horse battery", "correct horse battery", "correct horse battery", "password_same"),
        ("correct horse battery", "a new long password", "another long password", "password_differs"),
    ] {
        let refused = site.browse(&cookie, change(current, new, again)).await;
        assert_eq!(refused.status, 422, "{rule}");
        assert!(refused.text.contains(rule) && !refused.text.contains(new), "{rule}: {}", refused.text);
    }
    site.answer(Ok(Receipt { position: 1, id: "ada".to_owned(), repeated: false }));
    let done = site.browse(&cookie, change("correct horse battery", "a new long password", "a new long password")).await;
    assert_eq!((done.status.as_u16(), done.header("location")), (303, "/devices"));
    let requested = site.domain.requested.lock().expect("no panic");
    let Some((Command::Account(AccountAction::SetPassword { user, password, keep }), context)) = requested.last() else {
        panic!("{requested:?}")
    };
    assert_eq!((user.as_str(), password.one_time, keep.is_some(), context.actor.as_str()), ("ada", false, true, "user ada"));
    assert!(!format!("{requested:?}").contains("argon2") && !format!("{requested:?}").contains("new long"), "{requested:?}");
}

#[actix_web::test]
async fn users_end_their_own_sessions_and_administrators_all_sessions() {
    let site = TestSite::create().await;
    site.user("ada", Role::Viewer).await;
    site.user("grace", Role::Operator).await;
    let (mine, cookie) = site.session("ada").await;
    let (theirs, others) = site.session("grace").await;
    let end = |id: SessionId| TestRequest::delete().uri(&format!("/api/v1/sessions/{id}"));
    for not_own in [theirs, SessionId(Uuid::nil())] {
        let refused = site.browse(&cookie, end(not_own)).await;
        assert_eq!(refused.status, 403, "{refused:?}");
        let page = TestRequest::post().uri(&format!("/settings/sessions/{not_own}/end")).set_form([("to", "/settings")]);
        assert_eq!(site.browse(&cookie, page).await.status, 403);
    }
    assert!(site.domain.requested.lock().expect("no panic").is_empty());
    site.answer(Ok(Receipt { position: 1, id: mine.to_string(), repeated: false }));
    assert_eq!(site.browse(&cookie, end(mine)).await.status, 200);

    let listed = |cookie: String, query: &'static str| {
        let site = &site;
        async move {
            let answer = site.browse(&cookie, TestRequest::get().uri(&format!("/api/v1/sessions{query}"))).await;
            (answer.status.as_u16(), answer.json()["items"].as_array().map_or(0, Vec::len))
        }
    };
    assert_eq!(listed(cookie.clone(), "").await, (200, 1));
    assert_eq!(listed(cookie.clone(), "?user=grace").await, (403, 0));
    assert_eq!(listed(others, "?user=grace").await, (200, 1));
    let administrator = site.signed_in(Role::Administrator).await;
    assert_eq!(listed(administrator.clone(), "").await, (200, 3));
    assert_eq!(listed(administrator.clone(), "?user=ada").await, (200, 1));
    let page = site.browse(&administrator, TestRequest::get().uri("/settings/sessions")).await;
    assert!(page.text.contains("10.0.0.7") && page.text.contains("Firefox") && !page.text.contains("bls_"), "{}", page.text);
    site.answer(Ok(Receipt { position: 1, id: theirs.to_string(), repeated: false }));
    assert_eq!(site.browse(&administrator, end(theirs)).await.status, 200);
}

#[actix_web::test]
async fn signing_out_ends_the_session_and_has_the_browser_forget_it() {
    let site = TestSite::create().await;
    site.user("ada", Role::Viewer).await;
    let (id, cookie) = site.session("ada").await;
    site.answer(Ok(Receipt { position: 1, id: id.to_string(), repeated: false }));
    let out = site.browse(&cookie, TestRequest::post().uri("/sign-out")).await;
    assert_eq!((out.status.as_u16(), out.header("location")), (303, "/sign-in"));
    assert!(out.header("set-cookie").starts_with("bootledger=; ") && out.header("set-cookie").contains("Max-Age=0"), "{out:?}");
    let requested = site.domain.requested.lock().expect("no panic");
    assert!(
        matches!(requested.as_slice(), [(Command::Account(AccountAction::EndSession { session, .. }), _)] if *session == id),
        "{requested:?}"
    );
}

#[actix_web::test]
async fn a_stream_ends_when_its_session_does() {
    let site = TestSite::create().await;
    site.user("ada", Role::Viewer).await;
    let (id, cookie) = site.session("ada").await;
    let service = site.start().await;
    let request = TestRequest::get().uri("/api/v1/events?after=999").insert_header(("cookie", cookie));
    let request = request.insert_header(("accept", "text/event-stream")).to_request();
    let mut body = Box::pin(service.call(request).await.expect("an answer").into_body());
    let mut next = async || {
        let part = std::future::poll_fn(|context| body.as_mut().poll_next(context));
        tokio::time::timeout(Duration::from_secs(40), part).await.expect("something comes")
    };
    assert!(next().await.is_some(), "a greeting");
    site.append("session", &id.to_string(), json!({"type": "SessionEnded", "reason": "revoked"})).await;
    while let Some(part) = next().await {
        let part = part.expect("bytes");
        assert!(part.starts_with(b":"), "{part:?}");
    }
}
