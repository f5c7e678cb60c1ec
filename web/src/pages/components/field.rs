//! The fields of forms. Each has a label, may have a hint, and shows its errors.

use super::icon::icon;
use crate::english::{as_sentence, counted};
use crate::http::error::problem::ProblemError;
use maud::{Markup, html};

/// A field of a form.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Field<'a> {
    /// The name in the request; `field-` and this name are the ID of the element.
    pub(crate) name: &'a str,
    /// The label of the field.
    pub(crate) label: &'a str,
    /// The value of the field.
    pub(crate) value: &'a str,
    /// The hint: what to enter.
    pub(crate) hint: &'a str,
    /// Whether the field is required.
    pub(crate) required: bool,
    /// All errors of the form; those of this field are shown here.
    pub(crate) errors: &'a [ProblemError],
}

impl Field<'_> {
    fn wrap(&self, control: &Markup, below: &Markup) -> Markup {
        let mine: Vec<&ProblemError> = self.errors.iter().filter(|error| error.field == self.name).collect();
        let class = if mine.is_empty() { "field" } else { "field broken" };
        html! {
            div class=(class) id=(format!("box-{}", self.name)) {
                label for=(format!("field-{}", self.name)) { (self.label) @if !self.required { span.quiet { " (optional)" } } }
                @if !self.hint.is_empty() { span.hint id=(format!("hint-{}", self.name)) { (self.hint) } }
                (control)
                (place(self.name, &mine))
                (below)
            }
        }
    }

    fn described(&self) -> String {
        let error = format!("error-{}", self.name);
        if self.hint.is_empty() { error } else { format!("hint-{} {error}", self.name) }
    }

    fn invalid(&self) -> Option<&'static str> {
        self.errors.iter().any(|error| error.field == self.name).then_some("true")
    }

    fn id(&self) -> String {
        format!("field-{}", self.name)
    }

    /// An input for a line of text; `below` is put under it, such as suggestions.
    pub(crate) fn text_with(&self, kind: &str, below: &Markup) -> Markup {
        self.line(kind, "off", below)
    }

    /// An input that the browser may fill in: `autocomplete` names its kind, such as `username`.
    pub(crate) fn completed(&self, kind: &str, autocomplete: &str) -> Markup {
        self.line(kind, autocomplete, &html! {})
    }

    fn line(&self, kind: &str, autocomplete: &str, below: &Markup) -> Markup {
        let control = html! {
            input type=(kind) id=(self.id()) name=(self.name) value=(self.value) required[self.required] autocomplete=(autocomplete)
                spellcheck="false" aria-describedby=(self.described()) aria-invalid=[self.invalid()];
        };
        self.wrap(&control, below)
    }

    /// An input for a line of text.
    pub(crate) fn text(&self) -> Markup {
        self.text_with("text", &html! {})
    }

    /// A text area for a few values, one on each line.
    pub(crate) fn list(&self) -> Markup {
        self.lines(3, "short", false)
    }

    /// A text area for several lines of text.
    pub(crate) fn area(&self, rows: u32, prose: bool) -> Markup {
        self.lines(rows, if prose { "prose" } else { "" }, prose)
    }

    fn lines(&self, rows: u32, class: &str, prose: bool) -> Markup {
        let control = html! {
            textarea id=(self.id()) name=(self.name) rows=(rows) required[self.required] spellcheck=(prose.to_string())
                class=[(!class.is_empty()).then_some(class)] aria-describedby=(self.described()) aria-invalid=[self.invalid()] {
                // A browser drops a line break that directly follows the tag.
                "\n" (self.value)
            }
        };
        self.wrap(&control, &html! {})
    }

    /// A select with values and their texts. `none` is the text of the empty choice.
    pub(crate) fn select(&self, none: Option<&str>, options: &[(String, String)]) -> Markup {
        let control = html! {
            select id=(self.id()) name=(self.name) required[self.required] aria-describedby=(self.described()) aria-invalid=[self.invalid()] {
                @if let Some(none) = none { option value="" selected[self.value.is_empty()] { (none) } }
                @if !self.value.is_empty() && !options.iter().any(|(value, _)| value == self.value) {
                    option value=(self.value) selected { (self.value) }
                }
                @for (value, words) in options { option value=(value) selected[value == self.value] { (words) } }
            }
        };
        self.wrap(&control, &html! {})
    }

    /// A checkbox; `value` is `true` if it is ticked.
    pub(crate) fn check(&self) -> Markup {
        let mine: Vec<&ProblemError> = self.errors.iter().filter(|error| error.field == self.name).collect();
        html! {
            div class=(if mine.is_empty() { "field" } else { "field broken" }) {
                div.check {
                    input type="checkbox" id=(self.id()) name=(self.name) value="true" checked[self.value == "true"]
                        aria-describedby=(self.described()) aria-invalid=[self.invalid()];
                    label for=(self.id()) { (self.label) }
                }
                @if !self.hint.is_empty() { span.hint id=(format!("hint-{}", self.name)) { (self.hint) } }
                (place(self.name, &mine))
            }
        }
    }

    /// Suggestions under a field: each value with its source. A script fills them in; without a script they are only shown.
    pub(crate) fn suggestions(&self, found: &[(String, String)]) -> Markup {
        html! {
            @if !found.is_empty() {
                div.suggestions {
                    span.quiet { "Suggested:" }
                    @for (value, why) in found {
                        button.small type="button" data-fill=(self.id()) data-value=(value) { (value) }
                        span.quiet { (why) }
                    }
                }
            }
        }
    }
}

/// The place of a field's errors, which exists even without errors: a check while the user types replaces it.
pub(crate) fn place(name: &str, errors: &[&ProblemError]) -> Markup {
    html! {
        div.errors id=(format!("error-{name}")) aria-live="polite" {
            @for error in errors { p.error { (icon("exclamation-triangle-fill")) (as_sentence(&error.message)) (holder(error)) } }
        }
    }
}

/// The places of these fields' errors, rendered again for a form that is checked while the user types; the fields
/// do not change.
pub(crate) fn checked(names: &[&str], errors: &[ProblemError]) -> Markup {
    html! {
        @for name in names {
            @let mine: Vec<&ProblemError> = errors.iter().filter(|error| error.field == *name).collect();
            hx-partial id=(format!("error-{name}")) hx-swap="outerMorph" { (place(name, &mine)) }
        }
    }
}

/// What holds the requested value, as a link if it has a page.
pub(crate) fn holder(error: &ProblemError) -> Markup {
    let link = error.holder.as_deref().and_then(|holder| holder.split_once(' ')).and_then(|(kind, id)| match kind {
        "device" => Some(format!("/devices/{id}")),
        "deployment" => Some(format!("/deployments/{id}")),
        "reservation" => Some(format!("/addresses/{id}")),
        _ => None,
    });
    html! { @if let (Some(path), Some(holder)) = (link, &error.holder) { " " a href=(path) { "Show the " (holder.split(' ').next().unwrap_or_default()) } } }
}

/// The summary of a refused form: every error, linked to its field. It takes the focus. `fields` are the names of the form's
/// fields; an error that concerns none of them has no link.
pub(crate) fn summary(errors: &[ProblemError], fields: &[&str]) -> Markup {
    listed("Not saved: ", errors, fields)
}

/// The errors of a request that is not a form, or whose form has no page to return to.
pub(crate) fn problems(errors: &[ProblemError]) -> Markup {
    listed("", errors, &[])
}

fn listed(before: &str, errors: &[ProblemError], fields: &[&str]) -> Markup {
    html! {
        @if !errors.is_empty() {
            div.note.bad role="alert" tabindex="-1" id="refused" {
                h2 { (before) (counted(errors.len(), "problem", "problems")) }
                ul {
                    @for error in errors {
                        li {
                            @if fields.contains(&error.field.as_str()) { a href=(format!("#field-{}", error.field)) { (as_sentence(&error.message)) } }
                            @else { (as_sentence(&error.message)) }
                            (holder(error)) " " small { "(" code { (error.rule) } ")" }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::selectors::texts;
    use bootledger_aggregates::rules::Rule;

    #[test]
    fn a_refusal_is_shown_beside_its_field_and_in_the_summary_with_its_holder() {
        let mut error = ProblemError::new("hostname", Rule::HostnameClaimed, "h200.dc1.example is held");
        error.holder = Some("device 0192".to_owned());
        let errors = [error, ProblemError::new("ip", Rule::IpMissing, "no network")];
        let field =
            Field { name: "hostname", label: "Host name", value: "<h200>", errors: &errors, required: true, ..Field::default() };
        let html = field.text();
        assert_eq!(texts(&html, ".error").len(), 1);
        assert!(html.clone().into_string().contains("value=\"&lt;h200&gt;\""), "{html:?}");
        assert!(html.into_string().contains("aria-describedby=\"error-hostname\""));
        let reported = summary(&errors, &["hostname"]);
        assert_eq!(texts(&reported, "a[href='#field-hostname']"), ["h200.dc1.example is held"]);
        assert_eq!(texts(&reported, "a[href='/devices/0192']").len(), 1);
        assert_eq!(texts(&reported, "li").len(), 2);
    }
}
