//! The past on every page: a visitor who views it stays there until they return to the present.

use crate::catalogue::{attributes, data_centre, get};
use crate::elements::texts;
use crate::routes::registered;
use crate::samples::proposed;
use crate::support::Answer;
use crate::wording::fixtures::{Fixtures, Visitor};
use crate::wording::{may_be_page, objects};
use bootledger_aggregates::token::TokenScope;
use bootledger_web::server::Part;
use std::collections::BTreeSet;

/// The beginnings of links that have no past.
const TIMELESS: [&str; 7] = ["/assets/", "/sign-in", "/sign-out", "/api/docs", "/api/v1/image-downloads", "/wall", "#"];

/// Whether a link leads to deployments by what their plugins do now, which the list refuses for the past.
fn is_of_now(link: &str) -> bool {
    link.starts_with("/deployments?") && (link.contains("plugin=") || link.contains("awaiting="))
}

fn carries(link: &str) -> bool {
    let link = link.split('#').next().unwrap_or_default();
    link.split_once('?').is_some_and(|(_, query)| query.split('&').any(|pair| pair.starts_with("at=")))
}

/// The links and GET forms of a page that lead to the present although they should not.
fn leaving(answer: &Answer) -> Vec<String> {
    let links = attributes(answer, "a[href^='/']:not([data-now]), a[href^='?']:not([data-now])", "href");
    // The request of a form has the form's fields, and the moment is one of them.
    let live = attributes(answer, "[hx-get]:not(form)", "hx-get");
    let mut found: Vec<String> = links.into_iter().chain(live).filter(|link| !carries(link)).collect();
    found.retain(|link| !is_of_now(link) && !TIMELESS.iter().any(|timeless| link.starts_with(timeless)));
    let forms = attributes(answer, "form:not([method=post]):not([data-now])", "action").len();
    let with_moment = attributes(answer, "form:not([method=post]):not([data-now]) input[name=at]", "name").len();
    if forms != with_moment {
        found.push(format!("{forms} forms, {with_moment} with the moment"));
    }
    found
}

#[actix_web::test]
async fn every_link_and_form_of_a_page_of_the_past_leads_to_the_past() {
    let full = Fixtures::create().await;
    let newest = full.site.request_as(&full.administrator, get("/deployments")).await;
    let position = newest.header("bootledger-position").to_owned();
    let (mut wrong, mut pages, mut followed) = (vec![], 0, BTreeSet::new());
    for route in registered(&full.site, Part::Whole).await.iter().filter(|route| may_be_page(route)) {
        for request in full.requests(&route.pattern) {
            if request.visitor == Visitor::Anonymous || request.path.starts_with("/sign-") {
                continue;
            }
            if request.path.ends_with("/deploy") {
                let proposed = proposed(objects::device(objects::FREE), [10, 0, 0, 30], "h230.dc1.example");
                full.site.domain.checks.lock().expect("no panic").push_back(Ok(proposed));
            }
            let path = request.path.split("at=").next().expect("a path").trim_end_matches(['?', '&']);
            let path = format!("{path}{}at={position}", if path.contains('?') { '&' } else { '?' });
            let answer = full.answer(&crate::wording::fixtures::PageRequest { path: path.clone(), ..request }).await;
            if answer.status.is_redirection() {
                let to = answer.header("location");
                if !carries(to) && !TIMELESS.iter().any(|timeless| to.starts_with(timeless)) {
                    wrong.push(format!("{path}: redirects to {to}"));
                }
                continue;
            }
            if path.starts_with("/wall?") && answer.status == 422 {
                // A wall board shows the present only, and says so.
                continue;
            }
            if !answer.status.is_success() {
                wrong.push(format!("{path}: {}", answer.status));
                continue;
            }
            if !answer.header("content-type").starts_with("text/html") || !answer.text.contains("<html") {
                // A file, or a part of a page.
                continue;
            }
            pages += 1;
            wrong.extend(leaving(&answer).into_iter().map(|link| format!("{path}: {link}")));
            if attributes(&answer, ".past[role=status]", "role").is_empty() {
                wrong.push(format!("{path}: does not say which moment it shows"));
            }
            let counting = attributes(&answer, "time[data-since], time[data-until]", "datetime");
            if attributes(&answer, ".past.present", "role").is_empty() && !counting.is_empty() {
                wrong.push(format!("{path}: durations that go on: {counting:?}"));
            }
            followed.extend(attributes(&answer, "a[href^='/']", "href").into_iter().filter(|link| carries(link)));
        }
    }
    assert!(pages > 60, "{pages} pages");
    // Nothing refuses the moment that a link carries.
    for link in followed {
        let answer = full.site.request_as(&full.administrator, get(&link)).await;
        let refused = answer.status == 400 || (answer.status == 422 && link.starts_with("/deployments?"));
        if refused || answer.status.is_server_error() {
            wrong.push(format!("following {link}: {} {}", answer.status, answer.text.chars().take(300).collect::<String>()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[actix_web::test]
async fn the_clock_leads_to_the_page_as_of_a_moment() {
    let site = data_centre().await;
    site.show().await;
    let bearer = site.bearer(TokenScope::Viewer).await;
    let last = 1_000_000;
    let ask = async |query: &str| site.request_as(&bearer, get(&format!("/moment?to=%2Fnetworks%2Fprod%3Fq%3Da&{query}"))).await;
    for (query, at) in [
        ("event=1", "1".to_owned()),
        ("event=0", "0".to_owned()),
        ("time=&event=+1+", "1".to_owned()),
        ("event=2000-01-01T00%3A00%3A00Z", "0".to_owned()),
        ("time=2000-01-01T00%3A00", "0".to_owned()),
    ] {
        let answer = ask(query).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("location")),
            (303, &*format!("/networks/prod?q=a&at={at}")),
            "{query}"
        );
    }
    for query in ["event=-1", "event=yesterday", "time=2999-01-01T00%3A00", &format!("event={last}")] {
        let answer = ask(query).await;
        assert_eq!(answer.status, 422, "{query}");
        assert_eq!(attributes(&answer, "main form [aria-invalid=true]", "aria-invalid").len(), 1, "{query}");
        assert_eq!(attributes(&answer, "main form input[name=to]", "value"), ["/networks/prod?q=a"]);
    }
    let elsewhere = site.request_as(&bearer, get("/moment?to=https%3A%2F%2Fevil.example&event=1")).await;
    assert_eq!(elsewhere.header("location"), "/?at=1");
}

#[actix_web::test]
async fn the_clock_of_an_object_steps_through_its_changes() {
    let site = data_centre().await;
    site.append("network", "prod", crate::support::network_defined()).await;
    site.show().await;
    let bearer = site.bearer(TokenScope::Viewer).await;
    let steps = async |path: &str| {
        let answer = site.request_as(&bearer, get(path)).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        attributes(&answer, ".clock-steps a", "href")
    };
    let now = steps("/networks/prod?q=").await;
    assert!(now.contains(&"/networks/prod?at=3".to_owned()) && now.iter().any(|link| link.starts_with("/compare?")), "{now:?}");
    let then = steps("/networks/prod?at=2").await;
    assert!(then.contains(&"/networks/prod?at=3".to_owned()) && !then.contains(&"/networks/prod?at=2".to_owned()), "{then:?}");
    let newest = steps("/networks/prod?at=3").await;
    assert!(newest.contains(&"/networks/prod?at=2".to_owned()), "{newest:?}");
    // Before the first event, no object exists; the page says so and leads to the present.
    let before = site.request_as(&bearer, get("/networks/prod?at=0")).await;
    assert_eq!(before.status, 404);
    assert_eq!(attributes(&before, "main a[data-now]", "href"), ["/networks/prod"]);
    assert_eq!(attributes(&before, ".past[role=status] a[data-now]", "href"), ["/networks/prod"]);
    assert_eq!(attributes(&before, ".past a[rel=next]", "href"), ["/networks/prod?at=1"]);
    assert!(texts(&before, ".clock summary")[0].ends_with("As of 0"), "{}", before.text);
    // A time has no position if nothing was read.
    let earlier = site.request_as(&bearer, get("/networks/prod?at=2000-01-01T00:00:00Z")).await;
    assert!(texts(&earlier, ".past[role=status]")[0].contains("as of 2000-01-01 00:00:00 UTC"), "{}", earlier.text);
    assert!(texts(&earlier, ".clock summary")[0].ends_with("As of 2000-01-01 00:00:00 UTC"), "{}", earlier.text);
    // A moment that has not come is not carried.
    let later = site.request_as(&bearer, get("/no-such-page?at=1000000")).await;
    assert_eq!((later.status.as_u16(), attributes(&later, ".past", "role")), (404, vec![]));
    assert!(attributes(&later, "nav a", "href").contains(&"/devices".to_owned()), "{}", later.text);
}

#[actix_web::test]
async fn a_page_of_the_present_says_so_and_keeps_the_moment() {
    let site = data_centre().await;
    let bearer = site.bearer(TokenScope::Administrator).await;
    for path in ["/", "/settings", "/settings/tokens/new", "/sites/_new"] {
        let answer = site.request_as(&bearer, get(&format!("{path}?at=1"))).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(attributes(&answer, ".past.present a[data-now]", "href"), [path]);
        assert!(attributes(&answer, "nav a", "href").contains(&"/devices?at=1".to_owned()), "{path}");
    }
}

#[actix_web::test]
async fn a_form_has_the_values_of_now_at_every_moment() {
    let site = data_centre().await;
    let webhook =
        |url: &str| serde_json::json!({"type": "WebhookDefined", "spec": {"url": url, "events": ["*"], "secret": "chat"}});
    let before = site.append("webhook", "chat", webhook("https://old.example/")).await;
    site.append("webhook", "chat", webhook("https://new.example/")).await;
    site.show().await;
    let bearer = site.bearer(TokenScope::Administrator).await;
    let form = site.request_as(&bearer, get(&format!("/settings/webhooks/chat/edit?at={before}"))).await;
    assert_eq!(attributes(&form, "input[name=url]", "value"), ["https://new.example/"], "{}", form.text);
    assert_eq!(attributes(&form, ".past.present a[data-now]", "href"), ["/settings/webhooks/chat/edit"]);
    let page = site.request_as(&bearer, get("/settings/webhooks/chat")).await;
    let steps = attributes(&page, ".clock-steps a", "href");
    assert!(steps.iter().any(|link| link.starts_with("/compare?object=webhook%2Fchat&")), "{steps:?}");
}

#[actix_web::test]
async fn an_object_is_compared_at_two_moments() {
    let site = data_centre().await;
    let mut edited = crate::support::network_defined();
    edited["spec"]["domain"] = serde_json::json!("other.example");
    site.append("network", "prod", edited).await;
    site.show().await;
    let (viewer, administrator) = (site.bearer(TokenScope::Viewer).await, site.bearer(TokenScope::Administrator).await);
    let ask = async |bearer: &str, path: &str| site.request_as(bearer, get(path)).await;
    let page = ask(&viewer, "/compare?object=network/prod").await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert_eq!(attributes(&page, ".compare tbody ins", "class").len(), 1, "{}", page.text);
    let before = ask(&viewer, "/compare?object=network/prod&from=0&to=3").await;
    assert_eq!((before.status.as_u16(), attributes(&before, "main .note", "class").len()), (200, 1));
    let changed = ask(&viewer, "/api/v1/compare?object=network/prod&from=2&to=3").await.json();
    assert_eq!(
        (changed["fields"].as_array().map(Vec::len), changed["fields"][0]["changed"].as_bool()),
        (Some(1), Some(true)),
        "{changed}"
    );
    let all = ask(&viewer, "/api/v1/compare?object=network/prod&from=2&to=3&all=true").await.json();
    assert!(all["fields"].as_array().is_some_and(|fields| fields.len() > 2), "{all}");
    for (path, status) in [
        ("/compare?object=network/prod&from=99999", 422),
        ("/compare?object=network/prod&from=tomorrow", 400),
        ("/compare?object=nothing/prod", 404),
        ("/compare?object=prod", 404),
        ("/compare?object=device/prod", 200),
        ("/compare?object=user/ada", 403),
        ("/api/v1/compare?object=user/ada&from=0", 403),
        ("/api/v1/compare?object=network/other&from=0", 404),
    ] {
        assert_eq!(ask(&viewer, path).await.status, status, "{path}");
    }
    assert_eq!(ask(&administrator, "/compare?object=user/ada").await.status, 200);
    // The history says what an edit changed.
    let history = ask(&viewer, "/networks/prod").await;
    assert_eq!(attributes(&history, "#history .changes ins", "class").len(), 1);
}
