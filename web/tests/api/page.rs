//! Pages, for every kind of caller.

use crate::support::TestSite;
use actix_web::test::TestRequest;
use bootledger_aggregates::token::TokenScope;
use bootledger_aggregates::user::Role;

/// The role that each page needs: pages that every signed-in user may see, and those for administrators.
const FOR_VIEWERS: [&str; 4] = ["/settings", "/about", "/help", "/help/deploying"];
const FOR_ADMINISTRATORS: [&str; 9] = [
    "/settings/users",
    "/settings/users/new",
    "/settings/tokens",
    "/settings/tokens/new",
    "/settings/sessions",
    "/settings/secrets",
    "/settings/secrets/new",
    "/settings/webhooks",
    "/settings/webhooks/new",
];
/// Pages with tests of their own elsewhere, and a path without a page.
const OTHERS: [&str; 12] = [
    "/",
    "/deployments",
    "/devices",
    "/racks",
    "/networks",
    "/zones",
    "/dhcp-servers",
    "/boot-images",
    "/ventures",
    "/sites",
    "/timeline",
    "/nowhere",
];

fn all() -> impl Iterator<Item = &'static str> {
    FOR_VIEWERS.into_iter().chain(FOR_ADMINISTRATORS).chain(OTHERS)
}

#[actix_web::test]
async fn every_page_requires_a_sign_in() {
    let site = TestSite::create().await;
    for path in all() {
        let (status, problem) = site.request(TestRequest::get().uri(path)).await.problem();
        assert_eq!(status, 401, "{path}: {problem}");
        let browser = TestRequest::get().uri(path).insert_header(("accept", "text/html"));
        let led = site.request(browser).await;
        let expected = if path == "/" { "/sign-in".to_owned() } else { format!("/sign-in?to={}", path.replace('/', "%2F")) };
        assert_eq!((led.status.as_u16(), led.header("location")), (303, expected.as_str()), "{path}");
        let part = TestRequest::get().uri(path).insert_header(("accept", "text/html")).insert_header(("hx-request", "true"));
        let part = site.request(part.insert_header(("hx-current-url", "http://127.0.0.1:8080/devices?q=a&after=1"))).await;
        let to = "/sign-in?to=%2Fdevices%3Fq%3Da%26after%3D1";
        assert_eq!((part.status.as_u16(), part.header("hx-redirect")), (401, to), "{path}");
    }
}

#[actix_web::test]
async fn a_page_for_administrators_is_refused_to_others() {
    let site = TestSite::create().await;
    let [viewer, operator, administrator] = [Role::Viewer, Role::Operator, Role::Administrator];
    for (role, may) in [(viewer, false), (operator, false), (administrator, true)] {
        let cookie = site.signed_in(role).await;
        for path in FOR_ADMINISTRATORS {
            let page = site.browse(&cookie, TestRequest::get().uri(path)).await;
            assert_eq!(page.status.as_u16(), if may { 200 } else { 403 }, "{role} {path}: {page:?}");
        }
        for path in FOR_VIEWERS {
            assert_eq!(site.browse(&cookie, TestRequest::get().uri(path)).await.status, 200, "{role} {path}");
        }
    }
}

#[actix_web::test]
async fn a_program_reads_pages_with_a_token_and_never_with_a_token_as_a_password() {
    let site = TestSite::create().await;
    let bearer = site.bearer(TokenScope::Viewer).await;
    let refused = site.request(TestRequest::get().uri("/")).await;
    assert_eq!((refused.problem().0, refused.header("www-authenticate")), (401, "Bearer realm=\"Bootledger\""));
    let basic = |password: &str| {
        use base64::Engine;
        let text = base64::engine::general_purpose::STANDARD.encode(format!("anybody:{password}"));
        TestRequest::get().uri("/").insert_header(("authorization", format!("Basic {text}")))
    };
    assert_eq!(site.request(basic(&bearer)).await.status, 401);
    let page = site.request_as(&bearer, TestRequest::get().uri("/")).await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.text.contains("<h1"), "{}", page.text);
    let api = site.request(basic(&bearer).uri("/api/v1/devices")).await;
    assert_eq!(api.status, 401, "a browser's login opens the API to other sites' forms");
}

#[actix_web::test]
async fn every_answer_has_security_headers_and_the_style_is_cached_permanently() {
    let site = TestSite::create().await;
    let bearer = site.bearer(TokenScope::Viewer).await;
    let page = site.request_as(&bearer, TestRequest::get().uri("/")).await;
    let style = page.text.split('"').find(|part| part.ends_with("/style.css")).expect("a stylesheet").to_owned();
    let style = site.request(TestRequest::get().uri(&style)).await;
    assert_eq!((style.status.as_u16(), style.header("cache-control")), (200, "public, max-age=31536000, immutable"));
    assert!(style.text.contains("color-scheme: light dark"));
    let nothing = site.request_as(&bearer, TestRequest::get().uri("/nowhere")).await;
    assert_eq!((nothing.status.as_u16(), page.header("cache-control")), (404, "no-store"));
    for answer in [page, style, nothing] {
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{answer:?}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{answer:?}");
        assert_eq!((answer.header("x-content-type-options"), answer.header("referrer-policy")), ("nosniff", "same-origin"));
    }
}
