//! A secret that is told once: it is in the answer to the form that made it, and nowhere else, so that there is no page of it
//! to come back to.

use crate::pages::kit::badge::Tone;
use crate::pages::kit::block::note;
use maud::{Markup, html};

/// What was made, its secret, and what to do with it. `back` leads on.
pub(super) fn told(what: &Markup, secret: &str, advice: &str, back: (&str, &str)) -> Markup {
    html! {
        (note(Tone::Good, &html! {
            p { (what) }
            p { label for="secret" { "Shown only now:" } " " output id="secret" { code { (secret) } } }
            p { (advice) }
        }))
        p { a.button href=(back.1) { (back.0) } }
    }
}
