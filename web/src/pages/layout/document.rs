//! The HTML document around a page, with the visitor's theme; and pages without navigation, for anyone.

use crate::pages::assets;
use actix_web::HttpRequest;
use bootledger_aggregates::values::invisible;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use std::borrow::Cow;

/// The theme: light, dark, or the system's choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Theme {
    /// The theme that the operating system prefers.
    #[default]
    System,
    /// The light theme.
    Light,
    /// The dark theme.
    Dark,
}

impl Theme {
    /// The cookie that stores the theme.
    pub(crate) const COOKIE: &'static str = "theme";

    /// The theme of this name; `System` for any other.
    pub(crate) fn of(text: &str) -> Self {
        match text {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::System,
        }
    }

    fn attribute(self) -> Option<&'static str> {
        match self {
            Self::System => None,
            Self::Light => Some("light"),
            Self::Dark => Some("dark"),
        }
    }

    /// The theme in a request's cookie.
    pub(super) fn of_request(request: &HttpRequest) -> Self {
        request.cookie(Self::COOKIE).map_or(Self::System, |cookie| Self::of(cookie.value()))
    }
}

/// The logo beside the name, which is the text.
pub(super) fn logo() -> Markup {
    html! { img.logo src=(assets::LOGO.url()) alt="" width="22" height="22"; }
}

/// The whole document around a body.
pub(super) fn document(title: &str, theme: Theme, scripts: bool, body: &Markup) -> Markup {
    document_with(title, theme, scripts, &html! {}, body)
}

/// A document without menu for a screen without an operator. Without JavaScript, it is loaded again every 30 seconds; a script
/// keeps it live.
pub(super) fn board(title: &str, theme: Theme, body: &Markup) -> Markup {
    document_with(title, theme, true, &html! { noscript { meta http-equiv="refresh" content="30"; } }, body)
}

fn document_with(title: &str, theme: Theme, scripts: bool, head: &Markup, body: &Markup) -> Markup {
    let whole = html! {
        (DOCTYPE)
        html lang="en" data-theme=[theme.attribute()] {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                // An element that the user opened stays open when the server changes its surroundings.
                meta name="htmx-config" content=r#"{"morphIgnore":["data-htmx-powered","open","data-utc"],"history":false,"includeIndicatorCSS":false}"#;
                title { (title) " – Bootledger" }
                link rel="stylesheet" href=(assets::STYLE.url());
                // Fetched with the stylesheet instead of after it, so that text seldom appears in the fallback font first.
                link rel="preload" as="font" type="font/woff2" crossorigin href=(assets::FONT.url());
                link rel="icon" type="image/svg+xml" href=(assets::LOGO.url());
                (head)
                @if scripts {
                    script src=(assets::HTMX.url()) defer {}
                    script src=(assets::SCRIPT.url()) defer {}
                }
            }
            body { (body) }
        }
    };
    match visible(&whole.0) {
        Cow::Borrowed(_) => whole,
        Cow::Owned(text) => PreEscaped(text),
    }
}

/// HTML with invisible characters written out, so that no stored text changes how another is read. A `textarea` contains a
/// file's text for editing, and keeps its characters.
pub(crate) fn visible(html: &str) -> Cow<'_, str> {
    const EDITED: [&str; 2] = ["<textarea", "</textarea>"];
    if html.is_ascii() || !html.contains(EDITED[0]) {
        return invisible::shown(html);
    }
    let (mut text, mut rest) = (String::with_capacity(html.len()), html);
    while let Some(begin) = rest.find(EDITED[0]) {
        let end = rest[begin..].find(EDITED[1]).map_or(rest.len(), |end| begin + end);
        text.push_str(&invisible::shown(&rest[..begin]));
        text.push_str(&rest[begin..end]);
        rest = &rest[end..];
    }
    text.push_str(&invisible::shown(rest));
    Cow::Owned(text)
}

/// A page without navigation, for anyone: signing in, errors, the API's documentation.
pub(crate) fn lone(title: &str, request: Option<&HttpRequest>, content: &Markup) -> Markup {
    let theme = request.map_or(Theme::System, Theme::of_request);
    document(title, theme, true, &html! { div.lone { main id="main" { (content) } } })
}

/// A page for anyone with the width of other pages, without scripts.
pub(crate) fn wide(title: &str, content: &Markup) -> Markup {
    document(
        title,
        Theme::System,
        false,
        &html! {
            a.skip href="#main" { "Skip to the content" }
            header.top { a.brand href="/" { (logo()) "Bootledger" } nav aria-label="Main" { a href="/" { "Dashboard" } " " a href="/api/docs" { "API" } } }
            main id="main" { (content) }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_texts_show_their_invisible_characters_except_where_they_are_edited() {
        let page =
            lone("a\u{202e}b", None, &html! { p title="x\u{200b}" { "Łódź" } textarea { "\u{feff}#!ipxe" } }).into_string();
        assert!(page.contains("<title>a‹U+202E›b – Bootledger</title>") && page.contains("title=\"x‹U+200B›\""), "{page}");
        assert!(page.contains("<textarea>\u{feff}#!ipxe</textarea>") && page.contains("Łódź"), "{page}");
    }
}
