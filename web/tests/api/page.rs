//! The page in a browser.

use crate::support::TestSite;
use actix_web::test::TestRequest;
use bootledger_aggregates::token::Scope;

#[actix_web::test]
async fn a_browser_logs_in_with_a_token_as_the_password() {
    let site = TestSite::create().await;
    let bearer = site.bearer(Scope::Viewer).await;
    let refused = site.ask(TestRequest::get().uri("/")).await;
    assert_eq!((refused.problem().0, refused.header("www-authenticate")), (401, "Basic realm=\"Bootledger\", charset=\"UTF-8\""));
    let basic = |password: &str| {
        use base64::Engine;
        let text = base64::engine::general_purpose::STANDARD.encode(format!("anybody:{password}"));
        TestRequest::get().uri("/").insert_header(("authorization", format!("Basic {text}")))
    };
    assert_eq!(site.ask(basic("wrong")).await.status, 401);
    let page = site.ask(basic(&bearer)).await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.text.contains("Nothing needs you"), "{}", page.text);
    let api = site.ask(basic(&bearer).uri("/api/v1/devices")).await;
    assert_eq!(api.status, 401, "a browser's login opens the API to other sites' forms");
}

#[actix_web::test]
async fn every_answer_is_careful_and_the_style_is_kept_for_ever() {
    let site = TestSite::create().await;
    let bearer = site.bearer(Scope::Viewer).await;
    let page = site.ask_as(&bearer, TestRequest::get().uri("/")).await;
    let style = page
        .text
        .split('"')
        .find(|part| part.starts_with("/assets/") && part.ends_with(".css"))
        .expect("a stylesheet")
        .to_owned();
    let style = site.ask(TestRequest::get().uri(&style)).await;
    assert_eq!((style.status.as_u16(), style.header("cache-control")), (200, "public, max-age=31536000, immutable"));
    assert!(style.text.contains("color-scheme: light dark"));
    let nothing = site.ask(TestRequest::get().uri("/nowhere")).await;
    for answer in [page, style, nothing] {
        assert!(
            answer.header("content-security-policy").starts_with("default-src 'none'; script-src 'self'; style-src 'self';"),
            "{answer:?}"
        );
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"), "{answer:?}");
        assert_eq!((answer.header("x-content-type-options"), answer.header("referrer-policy")), ("nosniff", "same-origin"));
    }
}
