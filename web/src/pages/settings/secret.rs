//! A secret that is shown once: only the answer to the form that created it contains the secret, so that no page can be opened
//! to see it again.

use crate::http::request::backend::Backend;
use crate::pages::components::badge::Tone;
use crate::pages::components::block::note;
use bootledger_port::Receipt;
use maud::{Markup, html};

/// What was created, its secret, and what to do with it. The answer is sent once the views show the change, because the
/// receiver of the secret may use it immediately. `back` is the page that follows.
pub(super) async fn show_once(
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
            p { label for="secret" { "Shown only once:" } " " output id="secret" { code { (secret) } } }
            p { (advice) }
            @if !counts { p { "It is not valid yet: it was created by event " (receipt.position) ", which the service has not processed yet. The footer of every page shows the current event number." } }
        }))
        p { a.button href=(back.1) { (back.0) } }
    }
}
