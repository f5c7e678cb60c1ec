//! A secret that is shown once: only the answer to the form that created it contains the secret, so that no page can be opened
//! to see it again.

use crate::commands::Receipt;
use crate::pages::kit::badge::Tone;
use crate::pages::kit::block::note;
use crate::request::backend::Backend;
use maud::{Markup, html};

/// What was created, its secret, and what to do with it. The answer is sent once the views show the change, because the
/// receiver of the secret may use it immediately. `back` is the page that follows.
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
