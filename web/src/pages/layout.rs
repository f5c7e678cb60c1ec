//! What surrounds every page.

use super::style;
use maud::{DOCTYPE, Markup, html};

/// A page with a title.
pub fn page(title: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " – Bootledger" }
                link rel="stylesheet" href=(style::url());
            }
            body {
                header { a href="/" { "Bootledger" } nav { a href="/" { "Deployments" } a href="/api/docs" { "API" } } }
                main { (content) }
            }
        }
    }
}
