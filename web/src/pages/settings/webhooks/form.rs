//! The forms that create and change a webhook.

use super::shown::{PATH, Shown};
use crate::http::auth::caller::{Administrator, Caller};
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::pages::components::action::once;
use crate::pages::components::block::heading;
use crate::pages::components::field::{Field, summary};
use crate::pages::form::{Fields, done};
use crate::pages::layout::{Page, PageContext, Section};
use actix_web::HttpResponse;
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::webhook::{EventPattern, WebhookSpec, WebhookUrl};
use bootledger_port::{Command, WebhookAction};
use maud::{Markup, html};

const FIELDS: [&str; 5] = ["name", "description", "url", "events", "secret"];

pub(super) async fn new(_: Administrator, page_context: PageContext, backend: Backend) -> Result<HttpResponse, Error> {
    let page = Page::new("Create webhook", Section::Settings, form(&Fields::default(), None));
    Ok(page_context.shown(backend.position(), page))
}

pub(super) async fn edit(
    _: Administrator,
    page_context: PageContext,
    Path(key): Path<Name>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read_now().await?;
    let WebhookSpec { description, url, events, secret } =
        Shown::find(&key, &mut snapshot, page_context.now).await?.entry.spec.spec;
    let events = events.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let values = [
        ("description", description.to_string()),
        ("url", url.as_str().to_owned()),
        ("events", events),
        ("secret", secret.to_string()),
    ];
    let fields = Fields::new(values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
    let title = format!("Edit webhook {key}");
    page_context.answer(snapshot, Page::new(&title, Section::Settings, form(&fields, Some(&key)))).await
}

fn form(fields: &Fields, key: Option<&Name>) -> Markup {
    let errors = fields.broken();
    let events = fields.lines("events");
    let field = |name, label, hint| Field { name, label, hint, value: fields.text(name), errors, ..Field::default() };
    let (title, path) = match key {
        Some(key) => (format!("Edit webhook {key}"), format!("{PATH}/{key}/edit")),
        None => ("Create webhook".to_owned(), PATH.to_owned()),
    };
    html! {
        (heading(&[("Webhooks", PATH)], &html! { (title) }, &html! {}))
        (summary(errors, &FIELDS))
        form.form method="post" action=(path) {
            (once())
            @if key.is_none() { (Field { required: true, ..field("name", "Name", "For example chat.") }.text()) }
            (field("description", "Description", "").text())
            (Field { required: true, ..field("url", "URL", "The address of the receiver, beginning with https:// or http://.") }.text())
            (Field { required: true, value: &events, ..field("events", "Events", "One on each line: a type such as DeploymentDone, all types of an object such as deployment.*, or *.") }.list())
            (Field { required: true, ..field("secret", "Secret", "The name of the secret that signs messages. The secret is a file in the secrets folder or an environment variable.") }.text())
            button.primary type="submit" { @if key.is_some() { "Save webhook" } @else { "Create webhook" } }
        }
    }
}

pub(super) async fn create(
    caller: Administrator,
    page_context: PageContext,
    backend: Backend,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let name = fields.required::<Name>("name", "The name");
    save(&caller, page_context, backend, fields, name, true).await
}

pub(super) async fn change(
    caller: Administrator,
    page_context: PageContext,
    backend: Backend,
    Path(key): Path<Name>,
    fields: Fields,
) -> Result<HttpResponse, Error> {
    save(&caller, page_context, backend, fields, Some(key), false).await
}

fn read(fields: &mut Fields) -> Option<WebhookSpec> {
    let description = fields.read("description").unwrap_or_default();
    let url = fields.required::<WebhookUrl>("url", "The URL");
    let secret = fields.required::<Name>("secret", "The name of the secret");
    let events = fields.read_list::<EventPattern>("events");
    if events.is_empty() && fields.text("events").is_empty() {
        fields.refuse("events", Rule::Missing, "enter the events that the webhook receives");
    }
    Some(WebhookSpec { description, url: url?, events, secret: secret? }).filter(|_| fields.broken().is_empty())
}

async fn save(
    caller: &Caller,
    page_context: PageContext,
    mut backend: Backend,
    mut fields: Fields,
    name: Option<Name>,
    new: bool,
) -> Result<HttpResponse, Error> {
    if let (Some(spec), Some(name)) = (read(&mut fields), &name) {
        let command = Command::Webhook(WebhookAction::DefineWebhook(name.clone(), Box::new(spec)));
        match backend.execute(command, fields.context(caller)).await {
            Ok(receipt) => return Ok(done(&mut backend, &receipt, &format!("{PATH}/{name}")).await),
            Err(error) => fields.refused(error)?,
        }
    }
    let content = form(&fields, name.as_ref().filter(|_| !new));
    Ok(page_context.refused(backend.position(), Page::new("Webhook", Section::Settings, content)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        Fields::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn a_form_is_read_as_a_webhook_and_all_its_errors_are_shown_at_once() {
        let mut good = fields(&[("url", "https://chat.example/x"), ("events", "DeploymentDone\r\ndevice.*"), ("secret", "chat")]);
        assert_eq!(read(&mut good).expect("a webhook").events.len(), 2);
        let mut wrong = fields(&[("url", "chat"), ("events", "a b"), ("secret", "")]);
        assert!(read(&mut wrong).is_none());
        let names: Vec<&str> = wrong.broken().iter().map(|error| error.field.as_str()).collect();
        assert_eq!(names, ["url", "secret", "events"]);
    }
}
