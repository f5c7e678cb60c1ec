//! The confirmation page before an entry is retired: the consequences, and what still uses the entry.

use super::Noun;
use crate::http::error::problem::ProblemError;
use crate::pages::components::action::{self, Allowed, Look};
use crate::pages::components::block;
use crate::pages::components::field::summary;
use maud::{Markup, html};

/// The content of the confirmation.
pub(crate) struct Question<'a> {
    /// The kind of the entry.
    pub(crate) noun: &'a Noun,
    /// The full name of the entry, such as `network prod`.
    pub(crate) what: &'a str,
    /// The path of the entry's page; the form is sent to `/retire` below it.
    pub(crate) page: &'a str,
    /// The effects, as sentences.
    pub(crate) does: &'a str,
    /// What still uses the entry, with links to pages.
    pub(crate) uses: Vec<Markup>,
    /// Whether the visitor may retire the entry, by the command's rule and the visitor's role.
    pub(crate) allowed: &'a Allowed,
    /// The errors of a refused request.
    pub(crate) errors: &'a [ProblemError],
}

/// The content of the page.
pub(crate) fn view(question: &Question<'_>) -> Markup {
    let Question { noun, what, page, does, uses, allowed, errors } = question;
    html! {
        (block::heading(&[(noun.many, noun.path), (what, page)], &html! { "Retire " (what) }, &html! {}))
        (summary(errors, &[]))
        (block::card("question", "Effect", &html! {
            p { (does) }
            p { "Its history is kept. It can be restored under the same name." }
            h3 { "Used by" }
            @if uses.is_empty() { p { "Nothing." } }
            @else { ul { @for used in uses { li { (used) } } } }
            div.actions {
                (action::post("retire", &format!("{page}/retire"), Look::Danger, "trash", &format!("Retire {what}"), allowed, &html! {}))
                a.button href=(page) { "Back" }
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::catalogue::NETWORK;
    use crate::pages::tests::selectors::{attributes, texts};

    #[test]
    fn the_page_names_what_it_does_and_what_still_uses_it() {
        let question = |allowed| Question {
            noun: &NETWORK,
            what: "network prod",
            page: "/networks/prod",
            does: "Its addresses are no longer assigned.",
            uses: vec![html! { "3 addresses" }],
            allowed,
            errors: &[],
        };
        let html = view(&question(&Ok(())));
        assert!(texts(&html, "h1")[0].contains("network prod"));
        assert_eq!(attributes(&html, "form", "action"), ["/networks/prod/retire"]);
        assert!(texts(&html, "button.danger")[0].contains("network prod"));
        assert_eq!(texts(&html, "#question li"), ["3 addresses"]);
        let html = view(&question(&Err("still in use".to_owned())));
        assert_eq!(texts(&html, "form").len(), 0);
        assert_eq!(texts(&html, ".reason"), ["Still in use."]);
    }
}
