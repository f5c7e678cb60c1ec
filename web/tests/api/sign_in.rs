//! Signing in with a password: sessions, redirects, and lock-outs after failed attempts.

use crate::support::{Answer, TestSite};
use actix_web::test::TestRequest;
use bootledger_aggregates::session::Method;
use bootledger_port::{AccountAction, Command, CommandError, Receipt};
use serde_json::json;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const RIGHT: &str = "correct horse battery";

fn form(name: &str, password: &str, to: &str) -> TestRequest {
    TestRequest::post()
        .uri("/sign-in")
        .peer_addr(SocketAddr::from(([10, 0, 0, 7], 4711)))
        .insert_header(("sec-fetch-site", "same-origin"))
        .insert_header(("accept", "text/html"))
        .insert_header(("user-agent", "Firefox"))
        .set_form([("user", name), ("password", password), ("to", to)])
}

async fn sign_in(site: &TestSite, name: &str, password: &str, to: &str) -> Answer {
    site.request(form(name, password, to)).await
}

#[actix_web::test]
async fn the_correct_password_begins_a_new_session_and_redirects_to_the_requested_page() {
    let site = TestSite::create().await;
    site.user_with("ada", RIGHT, false).await;
    let mut cookies = vec![];
    for (to, led) in [
        ("/devices?q=a", "/devices?q=a"),
        ("", "/"),
        ("//evil", "/"),
        ("/\\evil", "/"),
        ("https://evil.example", "/"),
        ("/sign-out", "/"),
    ] {
        site.answer(Ok(Receipt { position: 1, id: String::new(), repeated: false }));
        let answer = sign_in(&site, "Ada", RIGHT, to).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, led), "{to}: {answer:?}");
        cookies.push(answer.header("set-cookie").to_owned());
    }
    assert!(cookies.iter().all(|cookie| cookie.starts_with("bootledger=bls_") && cookie.contains("; HttpOnly; SameSite=Lax")));
    cookies.sort();
    cookies.dedup();
    assert_eq!(cookies.len(), 6, "each has a session of its own");
    let requested = site.domain.requested.lock().expect("no panic");
    let Some((Command::Account(AccountAction::StartSession { spec, user_sequence, .. }), context)) = requested.first() else {
        panic!("{requested:?}")
    };
    assert_eq!((spec.user.as_str(), spec.method, *user_sequence), ("ada", Method::Password, 1));
    assert_eq!(
        (spec.client.map(|client| client.to_string()).as_deref(), spec.user_agent.as_str()),
        (Some("10.0.0.7"), "Firefox")
    );
    assert_eq!(context.actor, "user ada");
}

#[actix_web::test]
async fn a_sign_in_with_a_one_time_password_leads_to_the_password_form() {
    let site = TestSite::create().await;
    site.user_with("ada", RIGHT, true).await;
    site.answer(Ok(Receipt { position: 1, id: String::new(), repeated: false }));
    let answer = sign_in(&site, "ada", RIGHT, "/devices").await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/settings/password?to=%2Fdevices"));
}

#[actix_web::test]
async fn an_unknown_user_a_disabled_one_and_a_wrong_password_get_the_same_answer() {
    let site = TestSite::create().await;
    site.user_with("ada", RIGHT, false).await;
    site.user_with("grace", RIGHT, false).await;
    site.append("user", "grace", json!({"type": "UserDisabled"})).await;
    site.append("user", "sso", json!({"type": "UserCreated", "display_name": "", "role": "viewer", "sign_in": "openid_connect"}))
        .await;
    let mut message = vec![];
    for (name, password) in
        [("ada", "wrong"), ("nobody", RIGHT), ("grace", RIGHT), ("sso", RIGHT), ("not a name!", RIGHT), ("ada", "")]
    {
        let begun = Instant::now();
        let answer = sign_in(&site, name, password, "/").await;
        let elapsed = begun.elapsed();
        assert_eq!((answer.status.as_u16(), answer.header("set-cookie")), (401, ""), "{name}: {answer:?}");
        assert!(answer.text.contains("id=\"refused\""), "{}", answer.text);
        assert!(!answer.text.contains(RIGHT), "{}", answer.text);
        message.push((answer.text.replace(&html(name), "NAME"), elapsed));
    }
    assert!(message.iter().all(|(text, _)| *text == message[0].0), "the words differ: {message:?}");
    // A password hash takes some tens of milliseconds; an answer without one would take a few.
    let (fastest, slowest) = (message.iter().map(|(_, t)| t).min(), message.iter().map(|(_, t)| t).max());
    assert!(fastest.expect("times").as_millis() >= 5, "{fastest:?} {slowest:?}");
    let requested = site.domain.requested.lock().expect("no panic");
    let only_recorded = |command: &Command| matches!(command, Command::Account(AccountAction::RecordFailedSignIns { .. }));
    assert!(requested.iter().all(|(command, _)| only_recorded(command)), "{requested:?}");
}

fn html(name: &str) -> String {
    format!("value=\"{name}\"")
}

#[actix_web::test]
async fn guessing_is_slowed_down_by_name_and_the_right_password_waits_too() {
    let site = TestSite::create().await;
    site.user_with("ada", RIGHT, false).await;
    for _ in 0..5 {
        assert_eq!(sign_in(&site, "ada", "wrong", "/").await.status, 401);
    }
    // On a busy machine the first lock-out may expire before the next attempt; each one lasts longer.
    for _ in 0..4 {
        if sign_in(&site, "ada", "wrong", "/").await.status == 429 {
            break;
        }
    }
    let answer = sign_in(&site, "ADA ", RIGHT, "/").await;
    assert_eq!(answer.status, 429, "{answer:?}");
    assert!(answer.header("retry-after").parse::<u32>().is_ok_and(|seconds| (1..=17).contains(&seconds)), "{answer:?}");
    assert!(answer.text.contains("id=\"refused\""), "{}", answer.text);
    assert_eq!(sign_in(&site, "grace", "wrong", "/").await.status, 401, "other users are not delayed");
    let requested = site.domain.requested.lock().expect("no panic");
    assert!(
        requested.iter().all(|(command, _)| {
            matches!(command, Command::Account(AccountAction::LockOut { .. } | AccountAction::RecordFailedSignIns { .. }))
        }),
        "{requested:?}"
    );
}

#[actix_web::test]
async fn a_form_of_another_site_cannot_sign_a_user_in() {
    let site = TestSite::create().await;
    site.user_with("ada", RIGHT, false).await;
    for (name, value) in [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("origin", "https://evil.example")] {
        let request = TestRequest::post().uri("/sign-in").insert_header((name, value));
        let answer = site.request(request.set_form([("user", "ada"), ("password", RIGHT)])).await;
        assert_eq!((answer.problem().0, answer.header("set-cookie")), (403, ""), "{name}: {value}");
    }
    assert!(site.domain.requested.lock().expect("no panic").is_empty());
}

#[actix_web::test]
async fn the_sign_in_form_is_public_and_never_cached() {
    let site = TestSite::create().await;
    let page = site.request(TestRequest::get().uri("/sign-in?to=/devices%3Fq=%22%3Cb%3E")).await;
    assert_eq!((page.status.as_u16(), page.header("cache-control")), (200, "no-store"), "{page:?}");
    assert!(page.text.contains("autocomplete=\"username\"") && !page.text.contains("\"<b>"), "{}", page.text);
}

/// An attempt to sign in from this address.
async fn sign_in_from(site: &TestSite, address: [u8; 4], name: &str, password: &str) -> Answer {
    site.request(form(name, password, "/").peer_addr(SocketAddr::from((address, 4711)))).await
}

/// Records that a user has signed in from this address before.
async fn has_signed_in_from(site: &TestSite, name: &str, address: &str) {
    let insert = sqlx::query("INSERT INTO known_clients (user_name, network, last_used) VALUES ($1, $2, clock_timestamp())");
    insert.bind(name).bind(address).execute(&site.pool).await.expect("a network");
}

/// The lock-outs that the domain received: the user, and whether for all addresses.
async fn lock_outs(site: &TestSite, expected: usize) -> Vec<(String, bool)> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let found: Vec<(String, bool)> = {
            let requested = site.domain.requested.lock().expect("no panic");
            let lock_out = |command: &Command| match command {
                Command::Account(AccountAction::LockOut { user, everywhere, .. }) => Some((user.to_string(), *everywhere)),
                _ => None,
            };
            requested.iter().filter_map(|(command, _)| lock_out(command)).collect()
        };
        if found.len() >= expected || Instant::now() > deadline {
            return found;
        }
        tokio::task::yield_now().await;
    }
}

#[actix_web::test]
async fn a_user_signs_in_from_a_known_address_despite_failures_elsewhere() {
    let site = TestSite::create().await;
    site.user_with("admin", RIGHT, false).await;
    has_signed_in_from(&site, "admin", "192.0.2.7").await;
    let mut statuses = vec![];
    for number in 0..160_u16 {
        let [high, low] = number.to_be_bytes();
        statuses.push(sign_in_from(&site, [10, 7, high, low], "admin", "wrong").await.status.as_u16());
    }
    assert!(statuses[..100].iter().all(|status| *status == 401) && statuses[100..].contains(&429), "{statuses:?}");
    assert_eq!(lock_outs(&site, 1).await, [("admin".to_owned(), true)], "one lock-out of the name that exists");

    site.answer(Ok(Receipt { position: 0, id: String::new(), repeated: false }));
    let answer = sign_in_from(&site, [192, 0, 2, 7], "admin", RIGHT).await;
    assert_eq!(answer.status, 303, "{answer:?}");
}

#[actix_web::test]
async fn a_locked_name_is_refused_with_the_same_message_whether_it_exists_or_not() {
    let site = TestSite::create().await;
    site.user_with("ada", RIGHT, false).await;
    let mut refusals = vec![];
    for (name, address) in [("ada", [10, 7, 0, 1]), ("nobody", [10, 7, 0, 2])] {
        // On a busy machine the first lock-outs may expire before the next attempt.
        for _ in 0..9 {
            let answer = sign_in_from(&site, address, name, "wrong").await;
            if answer.status == 429 {
                let text = answer.text.replace(name, "NAME");
                refusals.push(text.replace(|character: char| character.is_ascii_digit(), ""));
                break;
            }
        }
    }
    assert!(refusals.len() == 2 && refusals[0] == refusals[1], "{refusals:?}");
    assert_eq!(lock_outs(&site, 1).await, [("ada".to_owned(), false)], "of the name that exists");
}

#[actix_web::test]
async fn the_attempts_of_a_known_address_are_counted_separately_and_an_unlock_resets_them() {
    let site = TestSite::create().await;
    site.user_with("ada", RIGHT, false).await;
    has_signed_in_from(&site, "ada", "192.0.2.7").await;
    for _ in 0..5 {
        assert_eq!(sign_in_from(&site, [192, 0, 2, 7], "ada", "wrong").await.status, 401);
    }
    assert_eq!(sign_in_from(&site, [192, 0, 2, 7], "ada", RIGHT).await.status, 429);
    assert_eq!(lock_outs(&site, 1).await, [("ada".to_owned(), false)]);
    let locked = json!({"type": "UserLockedOut", "client": "192.0.2.7", "everywhere": false, "at": "2026-11-29T23:00:00Z"});
    site.append("user", "ada", locked).await;
    site.append("user", "ada", json!({"type": "UserUnlocked"})).await;
    site.answer(Ok(Receipt { position: 0, id: String::new(), repeated: false }));
    let answer = sign_in_from(&site, [192, 0, 2, 7], "ada", RIGHT).await;
    assert_eq!(answer.status, 303, "{answer:?}");
}

#[actix_web::test]
async fn a_lock_out_at_the_moment_of_a_sign_in_does_not_keep_the_user_out() {
    let site = TestSite::create().await;
    site.user_with("ada", RIGHT, false).await;
    site.answer(Err(CommandError::Conflict("user ada was changed at this moment; sign in again".to_owned())));
    site.answer(Ok(Receipt { position: 0, id: String::new(), repeated: false }));
    assert_eq!(sign_in(&site, "ada", RIGHT, "/").await.status, 303);
}
