//! The page `/resume`: a form that was sent after the session had ended, for its user to send again.

use super::components::badge::Tone;
use super::components::block::{heading, note};
use super::form::see_other;
use super::layout::{Page, PageContext, Section};
use crate::english::capitalised;
use crate::http::auth::{KeptForm, KeptForms};
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};

/// Values that are longer, or have several lines, are shown in a text area.
const LINE: usize = 100;

/// Fields that identify objects or the form itself. The user does not edit them.
const FIXED: [&str; 5] = ["key", "id", "to", "revision", "hash"];

/// Handles the request for the page. Without a form, it leads to the dashboard.
pub(super) async fn show(
    request: HttpRequest,
    page_context: PageContext,
    backend: Backend,
    forms: Data<KeptForms>,
) -> Result<HttpResponse, Error> {
    let user = page_context.caller.principal.user().map(|user| user.name.clone());
    let Some(form) = user.and_then(|user| forms.find(&request, &user, page_context.now)) else {
        return Ok(see_other("/"));
    };
    let content = html! {
        (heading(&[], &html! { "Send the form again" }, &html! {}))
        (note(Tone::Warn, &html! { p { "Your session ended before you sent this form, so nothing was saved. Check the values, then send the form." } }))
        (view(&form))
    };
    Ok(page_context.shown(backend.position(), Page::new("Send the form again", Section::of_path(&form.path), content)))
}

fn view(form: &KeptForm) -> Markup {
    html! {
        form.form method="post" action=(form.path) {
            @for (n, (name, value)) in form.pairs.iter().enumerate() {
                @if FIXED.contains(&name.as_str()) { input type="hidden" name=(name) value=(value); }
                @else {
                    div.field {
                        label for=(format!("kept-{n}")) { (capitalised(&name.replace('_', " "))) }
                        @if value.len() > LINE || value.contains('\n') {
                            // A browser drops a line break that directly follows the tag.
                            textarea id=(format!("kept-{n}")) name=(name) rows="4" spellcheck="false" { "\n" (value) }
                        } @else { input type="text" id=(format!("kept-{n}")) name=(name) value=(value) autocomplete="off" spellcheck="false"; }
                    }
                }
            }
            p.quiet { "The form goes to " code { (form.path) } "." }
            div.actions { button.primary type="submit" { "Send form" } a.button href="/" { "Discard" } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::selectors::{attributes, texts};

    #[test]
    fn the_form_has_its_values_again_and_goes_where_it_went() {
        let pairs = [("key", "k-1"), ("boot_image", "<debian>"), ("text", "a\nb"), ("id", "7")];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let html = view(&KeptForm { path: "/networks".to_owned(), pairs });
        assert_eq!(attributes(&html, "form", "action"), ["/networks"]);
        assert_eq!(attributes(&html, "input[type='hidden']", "name"), ["key", "id"]);
        assert_eq!(attributes(&html, "input[name='boot_image']", "value"), ["<debian>"]);
        assert_eq!(texts(&html, "label"), ["Boot image", "Text"]);
        assert_eq!(texts(&html, "textarea").len(), 1);
    }
}
