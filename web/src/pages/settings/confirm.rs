//! The page before an action that cannot be undone, or that interrupts someone: it names what happens. It is a page
//! and not a dialog, so that it works without a script and can be linked to.

use crate::pages::components::action::{Allowed, Look, post};
use crate::pages::components::block::{card, heading};
use maud::{Markup, html};

/// The content of the page.
pub(super) struct Confirmation<'a> {
    /// The pages above, with their names.
    pub(super) crumbs: &'a [(&'a str, &'a str)],
    /// The action and its object, which is also the title.
    pub(super) title: &'a str,
    /// What happens, a sentence each.
    pub(super) effects: &'a [Markup],
    /// The path that the form is sent to.
    pub(super) path: &'a str,
    /// The words of the button.
    pub(super) button: &'a str,
    /// Further fields of the form.
    pub(super) fields: Markup,
    /// Whether the action is possible.
    pub(super) allowed: &'a Allowed,
    /// The page to return to without the action.
    pub(super) back: &'a str,
}

/// The content of the page.
pub(super) fn view(question: &Confirmation<'_>) -> Markup {
    let Confirmation { crumbs, title, effects, path, button, fields, allowed, back } = question;
    html! {
        (heading(crumbs, &html! { (title) }, &html! {}))
        (card("effect", "Effect", &html! {
            ul { @for effect in *effects { li { (effect) } } }
            div.actions {
                (post("confirm", path, Look::Danger, "", button, allowed, fields))
                a.button href=(back) { "Back" }
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::selectors::{attributes, texts};

    #[test]
    fn the_page_says_what_happens_and_offers_a_way_back() {
        let shown = |allowed| {
            let effects = [html! { "Requests with it fail." }];
            view(&Confirmation {
                crumbs: &[],
                title: "Revoke token <ops>",
                effects: &effects,
                path: "/settings/tokens/7/revoke",
                button: "Revoke token",
                fields: html! {},
                allowed,
                back: "/settings/tokens",
            })
        };
        let html = shown(&Ok(()));
        assert_eq!(texts(&html, "h1"), ["Revoke token <ops>"]);
        assert_eq!(texts(&html, "#effect li").len(), 1);
        assert_eq!(attributes(&html, "form", "action"), ["/settings/tokens/7/revoke"]);
        assert_eq!(attributes(&html, "a.button", "href"), ["/settings/tokens"]);
        assert_eq!(texts(&html, "input[name='key']").len(), 1);
        assert_eq!(texts(&shown(&Err("not allowed".to_owned())), "form").len(), 0);
    }
}
