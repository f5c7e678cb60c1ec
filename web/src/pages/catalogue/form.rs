//! Forms of the catalogue. A form is rendered from [`Fields`], which may come from an existing description, from the initial
//! values of a new entry, or from a form that was refused. So there is one view of each form, and every value is kept.

use super::Noun;
use crate::http::auth::caller::Caller;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::snapshot::Snapshot;
use crate::pages::components::action::once;
use crate::pages::components::block;
use crate::pages::components::field::{Field, summary};
use crate::pages::form::Fields;
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::name::Name;
use bootledger_port::{Command, Receipt};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue::{self, Entry};
use maud::{Markup, html};

/// The field with the name of a new entry. The name `key` is already used for the key that makes a form's request repeatable.
pub(crate) const NAME: &str = "called";
/// The field with the number of events that the entry had when its form was shown.
const SEQUENCE: &str = "sequence";

/// An entry's values for its form.
pub(crate) type Pairs = Vec<(String, String)>;

/// One value for a form.
#[expect(clippy::needless_pass_by_value, reason = "numbers and texts are written literally")]
pub(crate) fn pair(name: &str, value: impl ToString) -> (String, String) {
    (name.to_owned(), value.to_string())
}

/// A value that may be missing.
pub(crate) fn maybe(name: &str, value: Option<&impl ToString>) -> (String, String) {
    (name.to_owned(), value.map(ToString::to_string).unwrap_or_default())
}

/// A list of values, one on each line.
pub(crate) fn lines(name: &str, values: &[impl ToString]) -> (String, String) {
    (name.to_owned(), values.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

/// A field with the value that was sent, and its error.
pub(crate) fn field<'a>(fields: &'a Fields, name: &'a str, label: &'a str, hint: &'a str) -> Field<'a> {
    Field { name, label, value: fields.text(name), hint, required: false, errors: fields.broken() }
}

/// A required field.
pub(crate) fn needed<'a>(fields: &'a Fields, name: &'a str, label: &'a str, hint: &'a str) -> Field<'a> {
    Field { required: true, ..field(fields, name, label, hint) }
}

/// The entry that a form is for.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// A new entry.
    New,
    /// An existing entry.
    Existing {
        /// The name of the entry.
        key: Name,
        /// The number of its events when the form was shown.
        sequence: i64,
        /// Whether the entry is retired, so that saving the form restores it.
        retired: bool,
    },
}

impl Target {
    /// The target for an existing entry.
    pub(crate) fn of<T>(entry: &Entry<T>) -> Self {
        Self::Existing { key: entry.key.clone(), sequence: entry.sequence, retired: entry.retired }
    }
}

/// The parts around a form's fields.
pub(crate) struct FormPage<'a> {
    /// The breadcrumbs: name and path.
    pub(crate) crumbs: &'a [(&'a str, &'a str)],
    /// The title of the form.
    pub(crate) title: &'a str,
    /// The path that the form is sent to.
    pub(crate) path: &'a str,
    /// The label of the button.
    pub(crate) send: &'a str,
    /// The path of the link that leaves the form without sending it.
    pub(crate) back: &'a str,
    /// The number of events that the entry had; `None` for a new one, whose form has a field for its name.
    pub(crate) sequence: Option<i64>,
}

/// The page of a form: heading, summary of errors, name, fields, buttons. `names` are those of all fields.
pub(crate) fn view(noun: &Noun, target: &Target, fields: &Fields, names: &[&str], inner: &Markup) -> Markup {
    let crumbs = &[(noun.many, noun.path)];
    match target {
        Target::New => {
            let (title, send) = (format!("Create {}", noun.one), "Create".to_owned());
            let path = noun.new_path();
            let form_page = FormPage { crumbs, title: &title, path: &path, send: &send, back: noun.path, sequence: None };
            render_form_page(&form_page, fields, names, inner)
        }
        Target::Existing { key, sequence, retired } => {
            let title = if *retired { format!("Restore {key}") } else { format!("Edit {key}") };
            let (back, path) = (noun.page(key), format!("{}/edit", noun.page(key)));
            let form_page = FormPage { crumbs, title: &title, path: &path, send: "Save", back: &back, sequence: Some(*sequence) };
            render_form_page(&form_page, fields, names, inner)
        }
    }
}

/// The page of a form that does not belong to a whole kind.
pub(crate) fn render_form_page(form_page: &FormPage<'_>, fields: &Fields, names: &[&str], inner: &Markup) -> Markup {
    let names: Vec<&str> = names.iter().copied().chain([NAME]).collect();
    html! {
        (block::heading(form_page.crumbs, &html! { (form_page.title) }, &html! {}))
        (summary(fields.broken(), &names))
        form.form.card method="post" action=(form_page.path) {
            (once())
            @match form_page.sequence {
                None => {
                    (needed(fields, NAME, "Name", "Letters, digits, '.', '_' and '-', beginning with a letter or digit; at most 64 characters. Other objects refer to this name. It cannot be changed later.").text())
                }
                Some(sequence) => { input type="hidden" name=(SEQUENCE) value=(sequence); }
            }
            (inner)
            div.actions {
                button.primary type="submit" { (form_page.send) }
                a.button href=(form_page.back) { "Back" }
            }
        }
    }
}

/// Reads the name of a new entry. An error if an entry in use already has it.
pub(crate) async fn new_name(snapshot: &mut Snapshot<'_>, noun: &Noun, fields: &mut Fields) -> Result<Option<Name>, Error> {
    let Some(name) = fields.required::<Name>(NAME, "The name") else { return Ok(None) };
    let known = catalogue::find(snapshot.connection(), noun.kind, name.as_str(), At::Now).await?;
    if known.is_some_and(|known| !known.retired) {
        let message = format!("a {} {name} already exists; edit it, or choose another name", noun.one);
        fields.refuse(NAME, Rule::NameTaken, message);
        return Ok(None);
    }
    Ok(Some(name))
}

/// Refuses a form if its entry was changed since the form was shown: saving the form would undo that change unnoticed.
pub(crate) fn unchanged<T>(noun: &Noun, entry: &Entry<T>, fields: &mut Fields) {
    if fields.text(SEQUENCE) != entry.sequence.to_string() {
        let message = format!(
            "another user changed the {} {} while you edited it. Review its history; to overwrite the change with this form, save again",
            noun.one, entry.key
        );
        fields.refuse("", Rule::ChangedMeanwhile, message);
    }
}

/// Runs a form's command if the form has no error; `None` if there is one, which is stored in the fields.
pub(crate) async fn execute(
    backend: &mut Backend,
    caller: &Caller,
    fields: &mut Fields,
    command: Option<Command>,
) -> Result<Option<Receipt>, Error> {
    let Some(command) = command.filter(|_| fields.broken().is_empty()) else { return Ok(None) };
    match backend.execute(command, fields.context(caller)).await {
        Ok(receipt) => Ok(Some(receipt)),
        Err(error) => {
            fields.refused(error)?;
            Ok(None)
        }
    }
}

/// The sites in use, as the options of a select.
pub(crate) async fn sites(snapshot: &mut Snapshot<'_>) -> Result<Vec<(String, String)>, Error> {
    let sites = catalogue::sites(snapshot.connection(), At::Now).await?;
    let words = |key: &Name, name: &str| if name.is_empty() { key.to_string() } else { format!("{key} – {name}") };
    Ok(sites.iter().map(|site| (site.key.to_string(), words(&site.key, site.spec.name.as_str()))).collect())
}

/// The boot images that may be selected.
pub(crate) async fn boot_images(snapshot: &mut Snapshot<'_>) -> Result<Vec<(String, String)>, Error> {
    let images = catalogue::boot_images(snapshot.connection(), At::Now).await?;
    let usable = images.into_iter().filter(|image| !image.retired);
    let words = |image: &Entry<bootledger_aggregates::boot_image::BootImage>| {
        let description = image.spec.spec.as_ref().map_or("", |spec| spec.description.as_str());
        if description.is_empty() { image.key.to_string() } else { format!("{} – {description}", image.key) }
    };
    Ok(usable.map(|image| (image.key.to_string(), words(&image))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::catalogue::NETWORK;
    use crate::pages::tests::selectors::{attributes, texts};

    #[test]
    fn a_form_says_what_it_is_for_and_keeps_what_was_refused() {
        let mut fields = Fields::new(vec![pair(NAME, "\"><script>"), pair("x", "1")]);
        assert_eq!(fields.required::<Name>(NAME, "The name"), None);
        let html = view(&NETWORK, &Target::New, &fields, &["x"], &field(&fields, "x", "X", "").text());
        assert_eq!(attributes(&html, "form", "action"), ["/networks/_new"]);
        assert_eq!(attributes(&html, "#field-called", "value"), ["\"><script>"]);
        assert_eq!(texts(&html, "script").len(), 0);
        assert_eq!(attributes(&html, "#refused a", "href"), ["#field-called"]);
        let known = Target::Existing { key: "prod".parse().expect("a name"), sequence: 4, retired: true };
        let html = view(&NETWORK, &known, &Fields::default(), &[], &html! {});
        assert!(texts(&html, "h1")[0].contains("prod"));
        assert_eq!(attributes(&html, "input[name=sequence]", "value"), ["4"]);
        assert_eq!(attributes(&html, "form", "action"), ["/networks/prod/edit"]);
    }
}
