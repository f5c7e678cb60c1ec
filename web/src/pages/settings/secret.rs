//! A secret that is told once: it is in the answer to the form that made it, and nowhere else, so that there is no page of it
//! to come back to.

use crate::commands::Receipt;
use crate::pages::kit::badge::Tone;
use crate::pages::kit::block::note;
use crate::request::backend::Backend;
use maud::{Markup, html};

/// What was made, its secret, and what to do with it, once it counts: whoever is given it may use it at once. `back` leads on.
pub(super) async fn told(
    backend: &mut Backend,
    receipt: &Receipt,
    what: &Markup,
    (secret, advice): (&str, &str),
    back: (&str, &str),
) -> Markup {
    let counts = backend.reach(receipt.position).await;
    html! {
        (note(Tone::Good, &html! {
            p { (what) }
            p { label for="secret" { "Shown only now:" } " " output id="secret" { code { (secret) } } }
            p { (advice) }
            @if !counts { p { "It is refused for the moment: it was made at position " (receipt.position) ", which the service has not got to yet. The foot of every page says where it is." } }
        }))
        p { a.button href=(back.1) { (back.0) } }
    }
}
