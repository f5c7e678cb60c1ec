//! The form `/deployments/{id}/notes`, which changes the note and the ticket of a deployment, also after it has ended.

use super::details::find;
use crate::http::auth::caller::Operator;
use crate::http::error::Error;
use crate::http::error::problem::ProblemError;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::pages::components::action::once;
use crate::pages::components::block;
use crate::pages::components::field::{Field, summary};
use crate::pages::form::{Fields, done};
use crate::pages::layout::{Page, PageContext, Section};
use actix_web::HttpResponse;
use bootledger_aggregates::deployment::notes::Notes;
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_port::{Command, DeploymentAction};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::deployments::Deployment;
use maud::{Markup, html};

const TITLE: &str = "Note and ticket of a deployment";

/// Handles `GET /deployments/{id}/notes`.
pub(super) async fn load(
    _: Operator,
    page_context: PageContext,
    Path(id): Path<DeploymentId>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read_now().await?;
    let deployment = find(&mut snapshot, id, At::Now).await?;
    let Notes { note, ticket } = &deployment.notes;
    let form = form(&deployment, &note.to_string(), &ticket.to_string(), &[]);
    page_context.answer(snapshot, Page::new(TITLE, Section::Deployments, form)).await
}

/// Handles `POST /deployments/{id}/notes`.
pub(super) async fn save(
    caller: Operator,
    page_context: PageContext,
    Path(id): Path<DeploymentId>,
    mut backend: Backend,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let notes = Notes { note: fields.read("note").unwrap_or_default(), ticket: fields.read("ticket").unwrap_or_default() };
    if fields.broken().is_empty() {
        let command = Command::Deployment(DeploymentAction::NoteDeployment { deployment: id, notes });
        match backend.execute(command, fields.context(&caller)).await {
            Ok(receipt) => return Ok(done(&mut backend, &receipt, &format!("/deployments/{id}")).await),
            Err(error) => fields.refused(error)?,
        }
    }
    let mut snapshot = backend.read_now().await?;
    let deployment = find(&mut snapshot, id, At::Now).await?;
    let form = form(&deployment, fields.text("note"), fields.text("ticket"), fields.broken());
    Ok(page_context.refused(snapshot.position, Page::new(TITLE, Section::Deployments, form)))
}

fn form(deployment: &Deployment, note: &str, ticket: &str, errors: &[ProblemError]) -> Markup {
    let path = format!("/deployments/{}", deployment.id);
    let hostname = deployment.hostname.as_str();
    let note = Field {
        name: "note",
        label: "Note",
        value: note,
        hint: "For people to read, at most 300 characters. The list of deployments finds it.",
        required: false,
        errors,
    };
    let ticket = Field {
        name: "ticket",
        label: "Ticket",
        value: ticket,
        hint: "The reference of a ticket in another system, such as OPS-1234.",
        required: false,
        errors,
    };
    html! {
        (block::heading(&[("Deployments", "/deployments"), (hostname, &path)], &html! { "Note and ticket of " (hostname) }, &html! {}))
        (summary(errors, &["note", "ticket"]))
        div.card {
            form.form method="post" action=(format!("{path}/notes")) {
                (once())
                (note.text())
                (ticket.text())
                div.actions {
                    button.primary type="submit" { "Save" }
                    a.button href=(path) { "Back" }
                }
            }
        }
    }
}
