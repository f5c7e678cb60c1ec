//! Carries the past from page to page: every link and GET form of a page that shows a past position keeps the parameter `at`,
//! until the visitor returns to the present.
//!
//! The markup of the whole page is rewritten once, so that no view has to think of it, and none can forget it. Elements with
//! `data-now` are left alone: they lead to the present, or to a moment of their own.

use crate::http::request::parameters::AT;
use std::borrow::Cow;

/// Marks a link or a form that is not rewritten.
const LEAVES: &str = " data-now";
/// The beginnings of paths that have no past: files, signing in and out, the documentation of the API, and the wall board and
/// downloads, which refuse any other moment than the present.
const TIMELESS: [&str; 10] = [
    "/assets/",
    "/sign-in",
    "/sign-out",
    "/theme",
    "/api/docs",
    "/api/openapi",
    "/favicon",
    "/boot/loaders/",
    "/api/v1/image-downloads",
    "/wall",
];
/// The filters of deployments that the list refuses for any other moment than the present.
const NOW_ONLY: [&str; 2] = ["plugin=", "awaiting="];

/// The markup of a page whose links and GET forms lead to pages as of `at`: a position, or an RFC 3339 time.
pub(crate) fn carried(html: &str, at: &str) -> String {
    let mut text = String::with_capacity(html.len() + html.len() / 8);
    let mut rest = html;
    // maud escapes `<` and `>` in texts and values, so that they only begin and end tags.
    while let Some((begin, end)) = tag(rest) {
        text.push_str(&rest[..begin]);
        let tag = &rest[begin..end];
        rest = &rest[end..];
        if tag.contains(LEAVES) {
            text.push_str(tag);
        } else if is(tag, "<a") {
            text.push_str(&with_attribute(tag, " href=\"", at));
        } else if is(tag, "<form") && !tag.contains(" method=\"post\"") {
            text.push_str(tag);
            let end = rest.find("</form>").unwrap_or(rest.len());
            let leads_away = value(tag, " action=\"").is_some_and(|(_, path)| !is_ours(path));
            if !leads_away && !rest[..end].contains(" name=\"at\"") {
                for part in ["<input type=\"hidden\" name=\"", AT, "\" value=\"", at, "\">"] {
                    text.push_str(part);
                }
            }
        } else {
            let tag = with_attribute(tag, " hx-get=\"", at);
            // The script makes a command of this path.
            text.push_str(&with_attribute(&tag, " data-curl=\"", at));
        }
    }
    text.push_str(rest);
    text
}

/// The markup of a page of the past, in which the script does not keep durations current: they end at the moment that the page
/// shows.
pub(super) fn frozen(html: &str) -> String {
    // maud escapes the quotation marks in texts and values, so that these are attributes.
    html.replace(" data-since=\"\"", "").replace(" data-until=\"\"", "")
}

/// A path with the parameter `at`, unless it has one already or leads to something that has no past.
pub(crate) fn with_at(path: &str, at: &str) -> String {
    joined(path, at, "&").into_owned()
}

/// Where the next tag begins and ends.
fn tag(html: &str) -> Option<(usize, usize)> {
    let begin = html.find('<')?;
    Some((begin, begin + html[begin..].find('>')? + 1))
}

/// Whether a tag opens an element of this name.
fn is(tag: &str, name: &str) -> bool {
    tag.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '>']))
}

/// Where the value of an attribute begins in a tag, and the value.
fn value<'a>(tag: &'a str, attribute: &str) -> Option<(usize, &'a str)> {
    let begin = tag.find(attribute)? + attribute.len();
    let length = tag[begin..].find('"')?;
    Some((begin, &tag[begin..begin + length]))
}

fn with_attribute<'a>(tag: &'a str, attribute: &str, at: &str) -> Cow<'a, str> {
    let found = value(tag, attribute).filter(|(_, path)| path.split_once('?').is_none_or(|(_, query)| !has(query, &NOW_ONLY)));
    match found {
        Some((begin, path)) => {
            let end = begin + path.len();
            Cow::Owned(format!("{}{}{}", &tag[..begin], joined(path, at, "&amp;"), &tag[end..]))
        }
        None => Cow::Borrowed(tag),
    }
}

/// Whether a link leads to one of our own pages, which may have a past.
fn is_ours(link: &str) -> bool {
    let is_path = (link.starts_with('/') && !link.starts_with("//")) || link.starts_with('?');
    is_path && !TIMELESS.iter().any(|timeless| link.starts_with(timeless))
}

/// Whether a query has one of these parameters, each with its equals sign.
fn has(query: &str, names: &[&str]) -> bool {
    query.split('&').any(|pair| names.iter().any(|name| pair.trim_start_matches("amp;").starts_with(name)))
}

fn joined<'a>(link: &'a str, at: &str, and: &str) -> Cow<'a, str> {
    if !is_ours(link) {
        return Cow::Borrowed(link);
    }
    let (whole, fragment) = link.split_at(link.find('#').unwrap_or(link.len()));
    let query = whole.split_once('?').map(|(_, query)| query);
    if query.is_some_and(|query| has(query, &["at="])) {
        return Cow::Borrowed(link);
    }
    let separator = match query {
        None => "?",
        Some("") => "",
        Some(_) => and,
    };
    Cow::Owned(format!("{whole}{separator}{AT}={at}{fragment}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use maud::html;

    #[test]
    fn links_to_our_pages_carry_the_moment_once() {
        for (link, carried_link) in [
            ("/devices", "/devices?at=7"),
            ("/", "/?at=7"),
            ("/devices?q=a&sort=name#list", "/devices?q=a&sort=name&at=7#list"),
            ("?", "?at=7"),
            ("?tab=x", "?tab=x&at=7"),
            ("/networks/prod?at=3", "/networks/prod?at=3"),
            ("/networks/prod?q=x&at=3", "/networks/prod?q=x&at=3"),
            ("/devices?format=x", "/devices?format=x&at=7"),
            ("#main", "#main"),
            ("https://example.org/", "https://example.org/"),
            ("//example.org/", "//example.org/"),
            ("/assets/1/style.css", "/assets/1/style.css"),
            ("/sign-out", "/sign-out"),
            ("/api/docs", "/api/docs"),
            ("/wall", "/wall"),
        ] {
            assert_eq!(with_at(link, "7"), carried_link);
            let page = carried(&html! { p { a.button href=(link) { "x" } } }.into_string(), "7");
            assert_eq!(page, html! { p { a.button href=(carried_link) { "x" } } }.into_string());
        }
    }

    #[test]
    fn forms_that_ask_carry_the_moment_and_those_that_change_do_not() {
        let input = "<input type=\"hidden\" name=\"at\" value=\"7\">";
        for form in [html! { form method="get" action="/search" { "x" } }, html! { form { "x" } }] {
            assert_eq!(carried(&form.0, "7").matches(input).count(), 1, "{}", form.0);
        }
        for form in [
            html! { form method="post" action="/theme" { "x" } },
            html! { form method="get" action="/search" { input name="at" value="3"; } },
            html! { form method="get" action="/moment" data-now="" { "x" } },
            html! { form method="get" action="https://example.org/" { "x" } },
        ] {
            assert_eq!(carried(&form.0, "7"), form.0);
        }
    }

    #[test]
    fn nothing_but_addresses_of_elements_is_changed() {
        let page = html! {
            a href="/x" data-now="" { "Return" }
            a href="/deployments?sort=since&plugin=failed" { "Failing" }
            abbr title=" href=\"/x\"" { "<a href=\"/y\">" }
            link rel="stylesheet" href="/style";
            button hx-get="/part" { "More" }
            button data-curl="/api/v1/devices?q=a" { "curl" }
            textarea { "<a href=\"/z\">ä</a>" }
            a { "no address" }
        };
        let expected = page.0.replace("hx-get=\"/part\"", "hx-get=\"/part?at=7\"");
        let expected = expected.replace("data-curl=\"/api/v1/devices?q=a\"", "data-curl=\"/api/v1/devices?q=a&amp;at=7\"");
        assert_eq!(carried(&page.0, "7"), expected);
        assert_eq!(carried("a < b", "7"), "a < b");
    }

    #[test]
    fn durations_of_the_past_stand_still() {
        use crate::pages::components::time::{passed, since, until};
        use bootledger_aggregates::values::timestamp::Timestamp;
        let (at, moment) = (Timestamp::default(), Timestamp::default().plus_seconds(90));
        let page = html! { p title=" data-since=\"\"" { (since(at, moment)) (passed(at, moment)) (until(moment, at)) " data-until=\"\"" } };
        let still = frozen(&page.0);
        let counting = |html: &str| [" data-since=\"\"", " data-until=\"\""].map(|attribute| html.matches(attribute).count());
        assert_eq!((counting(&page.0), counting(&still)), ([2, 1], [0, 0]), "{still}");
        assert_eq!((still.matches("1 min 30 s").count(), still.matches("&quot;&quot;").count()), (3, 2), "{still}");
    }
}
