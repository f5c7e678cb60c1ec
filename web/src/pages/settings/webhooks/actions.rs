//! Actions on a webhook. Those that stop deliveries or lose events have a page before them that says what happens.

use super::super::confirm::{self, Confirmation};
use super::shown::{PATH, Shown};
use super::view;
use crate::english::complete_sentence;
use crate::http::auth::caller::Administrator;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::pages::components::badge::Tone;
use crate::pages::components::block::note;
use crate::pages::components::field::{Field, problems};
use crate::pages::form::{Fields, done};
use crate::pages::layout::{Page, PageContext, Section};
use actix_web::HttpResponse;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_port::{CatalogueAction, Command, Kind, Ping, WebhookAction};
use maud::{Markup, html};

/// The page before an action: title, the action's path below the webhook, the button, and what happens.
async fn confirmation(
    page_context: PageContext,
    mut backend: Backend,
    key: &Name,
    (what, path, button): (&str, &str, &str),
    effects: &[Markup],
    fields: Markup,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let shown = Shown::find(key, &mut snapshot, page_context.now).await?;
    let allowed = if shown.entry.retired {
        Err("The webhook is retired.".to_owned())
    } else {
        page_context.may_change(&snapshot, Role::Administrator)
    };
    let (title, back) = (format!("{what} {key}"), format!("{PATH}/{key}"));
    let content = confirm::view(&Confirmation {
        crumbs: &[("Webhooks", PATH), (key.as_str(), back.as_str())],
        title: &title,
        effects,
        path: &format!("{back}/{path}"),
        button,
        fields,
        allowed: &allowed,
        back: &back,
    });
    page_context.answer(snapshot, Page::new(&title, Section::Settings, content)).await
}

fn reason(required: bool) -> Markup {
    Field { name: "reason", label: "Reason", hint: "The event contains it.", required, ..Field::default() }.text()
}

pub(super) async fn confirm_pause(
    _: Administrator,
    page_context: PageContext,
    Path(key): Path<Name>,
    backend: Backend,
) -> Result<HttpResponse, Error> {
    let effects = [
        html! { "Nothing is delivered until you resume the webhook." },
        html! { "No event is lost: deliveries continue with the first event that was not delivered." },
    ];
    confirmation(page_context, backend, &key, ("Pause webhook", "pause", "Pause deliveries"), &effects, reason(false)).await
}

pub(super) async fn confirm_retire(
    _: Administrator,
    page_context: PageContext,
    Path(key): Path<Name>,
    backend: Backend,
) -> Result<HttpResponse, Error> {
    let effects = [
        html! { "The receiver gets no more events. Events that were not delivered yet are not delivered later." },
        html! { "If you create the webhook again under this name, it delivers the events that happen from then on." },
    ];
    confirmation(page_context, backend, &key, ("Retire webhook", "retire", "Retire webhook"), &effects, html! {}).await
}

pub(super) async fn confirm_skip(
    _: Administrator,
    page_context: PageContext,
    Path(key): Path<Name>,
    backend: Backend,
) -> Result<HttpResponse, Error> {
    let effects = [
        html! { "The receiver never gets this event from this webhook." },
        html! { "Later events of the same object are delivered." },
    ];
    let position = page_context.parameter("position").to_owned();
    let hint = "The number of the event, as the page of the webhook shows it.";
    let event = Field { name: "position", label: "Event", value: &position, hint, required: true, ..Field::default() }.text();
    let fields = html! { (event) (reason(true)) };
    confirmation(page_context, backend, &key, ("Skip an event of webhook", "skip", "Skip event"), &effects, fields).await
}

/// Runs the command of an action, and shows the webhook; if it is refused, with the reasons.
async fn act(
    caller: &Administrator,
    page_context: PageContext,
    mut backend: Backend,
    key: Name,
    mut fields: Fields,
    command: Option<Command>,
) -> Result<HttpResponse, Error> {
    if let Some(command) = command.filter(|_| fields.broken().is_empty()) {
        match backend.execute(command, fields.context(caller)).await {
            Ok(receipt) => return Ok(done(&mut backend, &receipt, &format!("{PATH}/{key}")).await),
            Err(error) => fields.refused(error)?,
        }
    }
    let mut snapshot = backend.read_now().await?;
    let shown = Shown::find(&key, &mut snapshot, page_context.now).await?;
    let content = view::whole(&shown, page_context.now, &Ok(()), &problems(fields.broken()));
    let title = format!("Webhook {key}");
    Ok(page_context.refused(snapshot.position, Page::new(&title, Section::Settings, content)))
}

pub(super) async fn pause(
    caller: Administrator,
    page_context: PageContext,
    backend: Backend,
    Path(key): Path<Name>,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let reason: Text = fields.read("reason").unwrap_or_default();
    let command = Command::Webhook(WebhookAction::PauseWebhook { webhook: key.clone(), reason });
    act(&caller, page_context, backend, key, fields, Some(command)).await
}

pub(super) async fn resume(
    caller: Administrator,
    page_context: PageContext,
    backend: Backend,
    Path(key): Path<Name>,
    fields: Fields,
) -> Result<HttpResponse, Error> {
    let command = Command::Webhook(WebhookAction::ResumeWebhook(key.clone()));
    act(&caller, page_context, backend, key, fields, Some(command)).await
}

pub(super) async fn skip(
    caller: Administrator,
    page_context: PageContext,
    backend: Backend,
    Path(key): Path<Name>,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let position: Option<i64> = fields.required("position", "The number of the event");
    let reason: Option<Text> = fields.required("reason", "The reason");
    let webhook = key.clone();
    let command = position
        .zip(reason)
        .map(|(position, reason)| Command::Webhook(WebhookAction::SkipWebhookEvent { webhook, position, reason }));
    act(&caller, page_context, backend, key, fields, command).await
}

pub(super) async fn retire(
    caller: Administrator,
    page_context: PageContext,
    backend: Backend,
    Path(key): Path<Name>,
    fields: Fields,
) -> Result<HttpResponse, Error> {
    let command = Command::Catalogue(CatalogueAction::Retire(Kind::Webhook, key.clone()));
    act(&caller, page_context, backend, key, fields, Some(command)).await
}

/// Sends a test message. Its result is not stored, so it is shown in this answer.
pub(super) async fn ping(
    _: Administrator,
    page_context: PageContext,
    mut backend: Backend,
    Path(key): Path<Name>,
) -> Result<HttpResponse, Error> {
    let above = match backend.ping_webhook(&key).await {
        Ok(ping) => pinged(&ping),
        Err(error) => {
            let mut fields = Fields::default();
            fields.refused(error)?;
            problems(fields.broken())
        }
    };
    let mut snapshot = backend.read_now().await?;
    let shown = Shown::find(&key, &mut snapshot, page_context.now).await?;
    let allowed = page_context.may_change(&snapshot, Role::Administrator);
    let content = view::whole(&shown, page_context.now, &allowed, &above);
    let title = format!("Webhook {key}");
    page_context.answer(snapshot, Page::new(&title, Section::Settings, content)).await
}

fn pinged(ping: &Ping) -> Markup {
    let tone = if ping.taken { Tone::Good } else { Tone::Bad };
    note(
        tone,
        &html! {
            p {
                @if ping.taken { "The receiver accepted the test message" } @else { "The receiver did not accept the test message" }
                @if let Some(status) = ping.status { ": status " (status) }
                ", after " (ping.milliseconds) " ms."
            }
            @if !ping.message.is_empty() { p { (complete_sentence(ping.message.as_str())) } }
        },
    )
}
