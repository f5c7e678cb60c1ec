//! Actions: buttons that post, and links that lead to forms. An action that is not possible is still shown, but disabled, with
//! the reason beside it.

use super::icon::icon;
use crate::english::complete_sentence;
use maud::{Markup, html};
use uuid::Uuid;

/// The style of a button.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// One of several actions.
    Usual,
    /// The main action of a page.
    Primary,
    /// An action that destroys or interrupts something.
    Danger,
    /// An action in a row of a table.
    Small,
}

impl Look {
    fn class(self) -> &'static str {
        match self {
            Self::Usual => "",
            Self::Primary => "primary",
            Self::Danger => "danger",
            Self::Small => "small",
        }
    }
}

/// Whether an action is allowed; `Err` contains the reason why it is not.
pub(crate) type Allowed = Result<(), String>;

/// The hidden field that makes a form's request repeatable: a form that is sent twice takes effect once.
pub(crate) fn once() -> Markup {
    html! { input type="hidden" name="key" value=(Uuid::new_v4()); }
}

/// A form of one button. `fields` are hidden or visible fields before the button. `id` names the reason, for screen readers.
pub(crate) fn post(id: &str, path: &str, look: Look, icon_name: &str, words: &str, allowed: &Allowed, fields: &Markup) -> Markup {
    html! {
        @match allowed {
            Ok(()) => {
                form.inline method="post" action=(path) {
                    (once()) (fields)
                    button type="submit" class=(look.class()) { @if !icon_name.is_empty() { (icon(icon_name)) } (words) }
                }
            }
            Err(reason) => (refused(id, look, icon_name, words, reason)),
        }
    }
}

/// A link that looks like a button.
pub(crate) fn link(id: &str, path: &str, look: Look, icon_name: &str, words: &str, allowed: &Allowed) -> Markup {
    html! {
        @match allowed {
            Ok(()) => { a class=(format!("button {}", look.class())) href=(path) { @if !icon_name.is_empty() { (icon(icon_name)) } (words) } }
            Err(reason) => (refused(id, look, icon_name, words, reason)),
        }
    }
}

/// A disabled button with the reason.
fn refused(id: &str, look: Look, icon_name: &str, words: &str, reason: &str) -> Markup {
    html! {
        span.action {
            button type="button" class=(look.class()) aria-disabled="true" aria-describedby=(format!("{id}-reason")) {
                @if !icon_name.is_empty() { (icon(icon_name)) } (words)
            }
            span.reason id=(format!("{id}-reason")) { (complete_sentence(reason)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_that_is_not_possible_says_why() {
        let html =
            post("deploy", "/x", Look::Primary, "", "Deploy", &Err("not verified <yet>".to_owned()), &html! {}).into_string();
        assert!(html.contains("aria-disabled=\"true\"") && html.contains("Not verified &lt;yet&gt;"), "{html}");
        assert!(!html.contains("<form"), "{html}");
    }
}
