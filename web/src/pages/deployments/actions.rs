//! Actions on a deployment: cancel it with a reason, mark it as done, retry a plugin. An action that cannot be undone has a
//! confirmation page that describes its effects.

use crate::auth::caller::Operator;
use crate::commands::Command;
use crate::error::Error;
use crate::error::problem::ProblemError;
use crate::pages::form::{Fields, done as answer_done};
use crate::pages::frame::{Page, Section, Visit};
use crate::pages::kit::action::once;
use crate::pages::kit::block;
use crate::pages::kit::field::{Field, summary};
use crate::request::backend::Backend;
use crate::request::path::Path;
use crate::request::reading::Reading;
use actix_web::HttpResponse;
use bootledger_aggregates::deployment::event::DoneBy;
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_projections::at::At;
use bootledger_projections::deployments::{self, Deployment};
use maud::{Markup, html};

async fn find(reading: &mut Reading<'_>, id: DeploymentId) -> Result<Deployment, Error> {
    let found = deployments::find(reading.connection(), id, At::Now).await?;
    found.ok_or_else(|| Error::NotFound(format!("there is no deployment {id}")))
}

/// Handles `GET /deployments/{id}/cancel`: shows the confirmation page.
pub(super) async fn ask_cancel(
    _: Operator,
    visit: Visit,
    Path(id): Path<DeploymentId>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let deployment = find(&mut reading, id).await?;
    let page = Page::new("Cancel a deployment", Section::Deployments, cancel_form(&deployment, "", &[]));
    visit.answer(reading, page).await
}

/// Handles `POST /deployments/{id}/cancel`.
pub(super) async fn cancel(
    caller: Operator,
    visit: Visit,
    Path(id): Path<DeploymentId>,
    mut backend: Backend,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    if let Some(reason) = fields.required::<Text>("reason", "The reason") {
        let command = Command::CancelDeployment { deployment: id, reason };
        match backend.execute(command, fields.context(&caller)).await {
            Ok(receipt) => return Ok(answer_done(&mut backend, &receipt, &format!("/deployments/{id}")).await),
            Err(error) => fields.refused(error)?,
        }
    }
    let mut reading = backend.read().await?;
    let deployment = find(&mut reading, id).await?;
    let form = cancel_form(&deployment, fields.text("reason"), fields.broken());
    Ok(visit.refused(reading.position, Page::new("Cancel a deployment", Section::Deployments, form)))
}

fn cancel_form(deployment: &Deployment, reason: &str, errors: &[ProblemError]) -> Markup {
    let id = deployment.id;
    let path = format!("/deployments/{id}");
    let field = Field {
        name: "reason",
        label: "Reason",
        value: reason,
        hint: "For whoever asks later; it is kept on record.",
        required: true,
        errors,
    };
    html! {
        (block::heading(&[("Deployments", "/deployments"), (deployment.hostname.as_str(), &path)], &html! { "Cancel " (deployment.hostname) "?" }, &html! {}))
        (summary(errors, &["reason"]))
        div.card {
            p { "This gives the deployment up. It cannot be taken up again; a new one can be started." }
            ul {
                li { "The claims on " code { (deployment.ip) } ", " (deployment.hostname) " and " code { (deployment.mac) } " that this deployment took are given back." }
                li { "DNS records and DHCP entries that were made for it are taken back, also at the servers." }
                li { "The server boots its local disk from then on. What is installed on it already stays as it is." }
            }
            form.form method="post" action=(format!("{path}/cancel")) {
                (once())
                (field.text())
                div.actions {
                    button.danger type="submit" { "Cancel the deployment" }
                    a.button href=(path) { "Keep it" }
                }
            }
        }
    }
}

/// Handles `GET /deployments/{id}/done`: shows the confirmation page.
pub(super) async fn ask_done(
    _: Operator,
    visit: Visit,
    Path(id): Path<DeploymentId>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let deployment = find(&mut reading, id).await?;
    visit.answer(reading, Page::new("Mark a deployment done", Section::Deployments, done_form(&deployment, &[]))).await
}

/// Handles `POST /deployments/{id}/done`.
pub(super) async fn done(
    caller: Operator,
    visit: Visit,
    Path(id): Path<DeploymentId>,
    mut backend: Backend,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let by = DoneBy::Operator { name: Text::fitted(&caller.principal.actor()) };
    match backend.execute(Command::MarkDone { deployment: id, by }, fields.context(&caller)).await {
        Ok(receipt) => return Ok(answer_done(&mut backend, &receipt, &format!("/deployments/{id}")).await),
        Err(error) => fields.refused(error)?,
    }
    let mut reading = backend.read().await?;
    let deployment = find(&mut reading, id).await?;
    let form = done_form(&deployment, fields.broken());
    Ok(visit.refused(reading.position, Page::new("Mark a deployment done", Section::Deployments, form)))
}

fn done_form(deployment: &Deployment, errors: &[ProblemError]) -> Markup {
    let path = format!("/deployments/{}", deployment.id);
    html! {
        (block::heading(&[("Deployments", "/deployments"), (deployment.hostname.as_str(), &path)], &html! { "Is " (deployment.hostname) " installed?" }, &html! {}))
        (summary(errors, &[]))
        div.card {
            p { "Usually the server says so itself, when its installer asks for " code { "/pxe/DONE/" } ". Say it in its place only where you know that it is installed." }
            p { "The deployment is archived, and the server boots its local disk from then on." }
            form.actions method="post" action=(format!("{path}/done")) {
                (once())
                button.primary type="submit" { "It is installed" }
                a.button href=(path) { "Back" }
            }
        }
    }
}

/// Handles `POST /deployments/{id}/plugins/{plugin}/retry`.
pub(super) async fn retry(
    caller: Operator,
    mut backend: Backend,
    Path((id, plugin)): Path<(DeploymentId, Name)>,
    fields: Fields,
) -> Result<HttpResponse, Error> {
    let command = Command::RetryPlugin { deployment: id, plugin };
    let receipt = backend.execute(command, fields.context(&caller)).await?;
    Ok(answer_done(&mut backend, &receipt, &format!("/deployments/{id}")).await)
}
