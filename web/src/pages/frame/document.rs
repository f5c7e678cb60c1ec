//! The document around a page, in the colours that its reader wants; pages for anybody.

use crate::pages::assets;
use crate::pages::kit::icon::icon;
use actix_web::HttpRequest;
use maud::{DOCTYPE, Markup, html};

/// Light, dark, or as the system says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Theme {
    /// As the system says.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// The cookie that keeps it.
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

    /// What a request's cookie says.
    pub(super) fn of_request(request: &HttpRequest) -> Self {
        request.cookie(Self::COOKIE).map_or(Self::System, |cookie| Self::of(cookie.value()))
    }
}

/// The whole document around a body.
pub(super) fn document(title: &str, theme: Theme, scripts: bool, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" data-theme=[theme.attribute()] {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                // What a person opened stays open when the server changes what is around it.
                meta name="htmx-config" content=r#"{"morphIgnore":["data-htmx-powered","open","data-utc"],"history":false,"includeIndicatorCSS":false}"#;
                title { (title) " – Bootledger" }
                link rel="stylesheet" href=(assets::STYLE.url());
                link rel="icon" type="image/svg+xml" href="data:,";
                @if scripts {
                    script src=(assets::HTMX.url()) defer {}
                    script src=(assets::SCRIPT.url()) defer {}
                }
            }
            body { (body) }
        }
    }
}

/// A page for anybody, without navigation: signing in, errors, the API's documentation.
pub(crate) fn lone(title: &str, request: Option<&HttpRequest>, content: &Markup) -> Markup {
    let theme = request.map_or(Theme::System, Theme::of_request);
    document(title, theme, true, &html! { div.lone { main id="main" { (content) } } })
}

/// A page for anybody that is as wide as others, without scripts.
pub(crate) fn wide(title: &str, content: &Markup) -> Markup {
    document(
        title,
        Theme::System,
        false,
        &html! {
            a.skip href="#main" { "Skip to the content" }
            header.top { a.brand href="/" { (icon("server")) "Bootledger" } nav aria-label="Main" { a href="/" { "Dashboard" } " " a href="/api/docs" { "API" } } }
            main id="main" { (content) }
        },
    )
}
