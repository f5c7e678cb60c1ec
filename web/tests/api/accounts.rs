//! Tests of users, over the API and the pages.

use crate::support::{TestSite, sending};
use actix_web::test::TestRequest;
use bootledger_aggregates::rules::{BrokenRule, Rule};
use bootledger_aggregates::token::TokenScope;
use bootledger_aggregates::user::Role;
use bootledger_port::{AccountAction, Command, CommandError, NewPassword, Receipt, TokenAction};
use bootledger_web::http::auth::password::Password;
use serde_json::json;

fn receipt() -> Receipt {
    Receipt { position: 1, id: "ada".to_owned(), repeated: false }
}

async fn is_of(password: &NewPassword, text: &str) -> bool {
    Password::typed(text.to_owned()).is_of(Some(password.hash.clone())).await.expect("an answer")
}

#[actix_web::test]
async fn a_generated_password_is_shown_once_and_only_its_hash_is_passed_on() {
    let site = TestSite::create().await;
    let administrator = site.bearer(TokenScope::Administrator).await;
    site.answer(Ok(receipt()));
    let body = json!({"name": "Ada", "display_name": "Ada Lovelace", "role": "operator"});
    let made = site.request_as(&administrator, sending(TestRequest::post().uri("/api/v1/users"), &body)).await;
    assert_eq!((made.status.as_u16(), made.header("location")), (201, "/api/v1/users/ada"), "{made:?}");
    let message = made.json()["one_time_password"].as_str().expect("a password").to_owned();
    site.answer(Ok(receipt()));
    let reset = site.request_as(&administrator, TestRequest::post().uri("/api/v1/users/ada/password")).await;
    let again = reset.json()["one_time_password"].as_str().expect("a password").to_owned();
    site.answer(Ok(receipt()));
    let chosen = json!({"password": "correct horse battery", "must_change_password": false});
    let set = site.request_as(&administrator, sending(TestRequest::post().uri("/api/v1/users/ada/password"), &chosen)).await;
    assert_eq!(set.json()["one_time_password"], json!(null));

    let requested = std::mem::take(&mut *site.domain.requested.lock().expect("no panic"));
    let [
        (Command::Account(AccountAction::CreateUser { name, role, password: Some(first), .. }), _),
        (Command::Account(AccountAction::SetPassword { password: second, keep: None, .. }), _),
        (Command::Account(AccountAction::SetPassword { password: third, .. }), _),
    ] = requested.as_slice()
    else {
        panic!("{requested:?}")
    };
    assert_eq!((name.as_str(), *role, first.one_time, third.one_time), ("ada", Role::Operator, true, false));
    assert!(is_of(first, &message).await && is_of(second, &again).await && is_of(third, "correct horse battery").await);
}

#[actix_web::test]
async fn users_are_listed_without_anything_of_their_passwords() {
    let site = TestSite::create().await;
    let administrator = site.bearer(TokenScope::Administrator).await;
    site.user_with("ada", "correct horse battery", true).await;
    let answer = site.request_as(&administrator, TestRequest::get().uri("/api/v1/users")).await;
    let mut item = answer.json()["items"][0].clone();
    item["created_at"].take();
    let expected = json!({
        "name": "ada", "display_name": "", "role": "viewer", "sign_in": "password", "must_change_password": true,
        "enabled": true, "created_at": null, "locked_out": null,
    });
    assert_eq!(item, expected);
    assert!(!answer.text.contains("argon2"), "{answer:?}");
    let one = site.request_as(&administrator, TestRequest::get().uri("/api/v1/users/ada")).await;
    assert_eq!(one.json()["name"], "ada");
    assert_eq!(site.request_as(&administrator, TestRequest::get().uri("/api/v1/users/grace")).await.problem().0, 404);
}

#[actix_web::test]
async fn a_password_that_would_be_guessed_or_repeated_is_refused() {
    let site = TestSite::create().await;
    let administrator = site.bearer(TokenScope::Administrator).await;
    for (body, rule) in [
        (json!({"name": "ada", "role": "viewer", "password": "short"}), "password_short"),
        (json!({"name": "ada", "role": "viewer", "sign_in": "openid_connect", "password": "x"}), "password_elsewhere"),
    ] {
        let (status, problem) =
            site.request_as(&administrator, sending(TestRequest::post().uri("/api/v1/users"), &body)).await.problem();
        assert_eq!((status, &problem["errors"][0]["rule"]), (422, &json!(rule)));
    }
    let repeated = sending(TestRequest::post().uri("/api/v1/users"), &json!({"name": "ada", "role": "viewer"}));
    let repeated = site.request_as(&administrator, repeated.insert_header(("idempotency-key", "1"))).await;
    assert_eq!(repeated.problem().0, 422);
    assert!(site.domain.requested.lock().expect("no panic").is_empty());
}

#[actix_web::test]
async fn the_page_adds_a_user_shows_the_password_once_and_reports_refusals() {
    let site = TestSite::create().await;
    let cookie = site.signed_in(Role::Administrator).await;
    let form = |name: &str, role: &str| {
        TestRequest::post().uri("/settings/users").set_form([
            ("name", name),
            ("role", role),
            ("sign_in", "password"),
            ("display_name", "Ada <b>"),
        ])
    };
    site.answer(Ok(receipt()));
    let made = site.browse(&cookie, form("ada", "operator")).await;
    assert_eq!(made.status, 200, "{made:?}");
    let page = scraper::Html::parse_document(&made.text);
    let secret = page.select(&scraper::Selector::parse("output#secret").expect("a selector")).next().expect("a secret");
    let message: String = secret.text().collect();
    {
        let requested = std::mem::take(&mut *site.domain.requested.lock().expect("no panic"));
        let [(Command::Account(AccountAction::CreateUser { password: Some(password), .. }), context)] = requested.as_slice()
        else {
            panic!("{requested:?}")
        };
        assert!(is_of(password, &message).await, "{message}");
        assert_eq!(context.actor, "user the-administrator");
    }
    let refused = site.browse(&cookie, form("not a name?", "")).await;
    assert_eq!(refused.status, 422);
    assert_eq!(refused.rules(), ["malformed", "missing"]);
    assert!(refused.text.contains("value=\"not a name?\""), "{}", refused.text);
    assert!(refused.text.contains("Ada &lt;b&gt;") && !refused.text.contains("<b>"), "values are kept: {}", refused.text);
}

#[actix_web::test]
async fn the_last_administrator_sees_why_the_account_stays() {
    let site = TestSite::create().await;
    let cookie = site.signed_in(Role::Administrator).await;
    let page = site.browse(&cookie, TestRequest::get().uri("/settings/users/the-administrator")).await;
    assert!(page.text.contains("id=\"disable-reason\""), "the action is possible: {}", page.text);
    let broken = BrokenRule::new("role", Rule::LastAdministrator, "this is the last administrator");
    site.answer(Err(CommandError::Refused(vec![broken])));
    let request =
        TestRequest::post().uri("/settings/users/the-administrator/role").set_form([("role", "viewer"), ("key", "k-1")]);
    let refused = site.browse(&cookie, request).await;
    assert_eq!((refused.status.as_u16(), refused.rules()), (422, vec!["last_administrator".to_owned()]), "{refused:?}");
    let requested = site.domain.requested.lock().expect("no panic");
    assert_eq!(requested[0].1.key(), Some("form:k-1"));
}

#[actix_web::test]
async fn the_page_makes_a_token_and_shows_it_once() {
    let site = TestSite::create().await;
    let cookie = site.signed_in(Role::Administrator).await;
    let form = |scope: &str, days: &str| {
        TestRequest::post().uri("/settings/tokens").set_form([
            ("name", "ci"),
            ("scope", scope),
            ("days", days),
            ("dhcp_server", ""),
        ])
    };
    for (scope, days, rule) in
        [("dhcp_server", "90", "missing"), ("root", "90", "scope_unknown"), ("viewer", "7", "days_unknown")]
    {
        let refused = site.browse(&cookie, form(scope, days)).await;
        assert_eq!((refused.status.as_u16(), refused.rules()), (422, vec![rule.to_owned()]), "{scope} {days}");
    }
    let id = uuid::Uuid::now_v7();
    site.answer(Ok(Receipt { position: 1, id: id.to_string(), repeated: false }));
    let made = site.browse(&cookie, form("operator", "never")).await;
    let text = made.text.split(['<', '>']).find(|part| part.starts_with("bl_")).expect("a token");
    let (read, secret) = bootledger_web::http::auth::token::parse(text).expect("a token");
    let requested = site.domain.requested.lock().expect("no panic");
    let [(Command::Token(TokenAction::CreateToken { secret_sha256, expires: None, .. }), _)] = requested.as_slice() else {
        panic!("{requested:?}")
    };
    assert_eq!((read.0, *secret_sha256), (id, secret.sha256()));
}
