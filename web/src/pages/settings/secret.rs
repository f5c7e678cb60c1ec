//! A secret that is shown once: only the answer to the form that created it contains the secret, so that no page can be opened
//! to see it again.

use crate::http::request::backend::Backend;
use crate::pages::components::badge::Tone;
use crate::pages::components::block::note;
use crate::pages::components::copy;
use bootledger_port::Receipt;
use maud::{Markup, html};

/// The answer to a form that was sent again, for example by reloading the page: nothing was created a second time, and the
/// secret cannot be shown again. `remedy` is what to do if it was lost.
pub(super) fn shown_before(what: &Markup, remedy: &str, back: (&str, &str)) -> Markup {
    html! {
        (note(Tone::Warn, &html! {
            p { (what) " Nothing was changed again." }
            p { "The secret was in the first answer to this form and cannot be shown again. " (remedy) }
        }))
        p { a.button href=(back.1) { (back.0) } }
    }
}

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
            p { label for="secret" { "Shown only once:" } " " output id="secret" { (copy::code(secret, "secret")) } }
            p { (advice) }
            @if !counts { p { "It is not valid yet: it was created by event " (receipt.position) ", which the service has not processed yet. The footer of every page shows the current event number." } }
        }))
        p { a.button href=(back.1) { (back.0) } }
    }
}
