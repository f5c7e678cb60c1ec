//! Actions on a deployment: cancel it with a reason, mark it as done, retry a plugin. An action that cannot be undone has a
//! confirmation page that describes its effects.

use super::details::find;
use crate::http::application::Application;
use crate::http::auth::caller::Operator;
use crate::http::error::Error;
use crate::http::error::problem::ProblemError;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::pages::components::action::once;
use crate::pages::components::block;
use crate::pages::components::field::{Field, summary};
use crate::pages::form::{Fields, done as answer_done};
use crate::pages::layout::{Page, PageContext, Section};
use actix_web::HttpResponse;
use actix_web::web::Data;
use bootledger_aggregates::deployment::event::DoneBy;
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_port::{Command, DeploymentAction};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::deployments::Deployment;
use maud::{Markup, html};

/// Handles `GET /deployments/{id}/cancel`: shows the confirmation page.
pub(super) async fn confirm_cancel(
    _: Operator,
    page_context: PageContext,
    Path(id): Path<DeploymentId>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read_now().await?;
    let deployment = find(&mut snapshot, id, At::Now).await?;
    let page = Page::new("Cancel a deployment", Section::Deployments, cancel_form(&deployment, "", &[]));
    page_context.answer(snapshot, page).await
}

/// Handles `POST /deployments/{id}/cancel`.
pub(super) async fn cancel(
    caller: Operator,
    page_context: PageContext,
    Path(id): Path<DeploymentId>,
    mut backend: Backend,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    if let Some(reason) = fields.required::<Text>("reason", "The reason") {
        let command = Command::Deployment(DeploymentAction::CancelDeployment { deployment: id, reason });
        match backend.execute(command, fields.context(&caller)).await {
            Ok(receipt) => return Ok(answer_done(&mut backend, &receipt, &format!("/deployments/{id}")).await),
            Err(error) => fields.refused(error)?,
        }
    }
    let mut snapshot = backend.read().await?;
    let deployment = find(&mut snapshot, id, At::Now).await?;
    let form = cancel_form(&deployment, fields.text("reason"), fields.broken());
    Ok(page_context.refused(snapshot.position, Page::new("Cancel a deployment", Section::Deployments, form)))
}

fn cancel_form(deployment: &Deployment, reason: &str, errors: &[ProblemError]) -> Markup {
    let id = deployment.id;
    let path = format!("/deployments/{id}");
    let field =
        Field { name: "reason", label: "Reason", value: reason, hint: "Recorded with the deployment.", required: true, errors };
    html! {
        (block::heading(&[("Deployments", "/deployments"), (deployment.hostname.as_str(), &path)], &html! { "Cancel " (deployment.hostname) }, &html! {}))
        (summary(errors, &["reason"]))
        div.card {
            p { "This cancels the deployment permanently. You can start a new one afterwards." }
            ul {
                li { "This deployment releases " code { (deployment.ip) } ", " (deployment.hostname) " and " code { (deployment.mac) } " for other deployments." }
                li { "Its DNS records and DHCP entries are removed, also from the DNS and DHCP servers." }
                li { "From then on the server boots from its local disk. Software that is already installed remains." }
            }
            form.form method="post" action=(format!("{path}/cancel")) {
                (once())
                (field.text())
                div.actions {
                    button.danger type="submit" { "Cancel deployment" }
                    a.button href=(path) { "Back" }
                }
            }
        }
    }
}

/// Handles `GET /deployments/{id}/done`: shows the confirmation page.
pub(super) async fn confirm_done(
    _: Operator,
    page_context: PageContext,
    Path(id): Path<DeploymentId>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read_now().await?;
    let deployment = find(&mut snapshot, id, At::Now).await?;
    let form = done_form(&deployment, "", &[]);
    page_context.answer(snapshot, Page::new("Mark a deployment installed", Section::Deployments, form)).await
}

/// Handles `POST /deployments/{id}/done`.
pub(super) async fn done(
    caller: Operator,
    page_context: PageContext,
    Path(id): Path<DeploymentId>,
    mut backend: Backend,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    if let Some(reason) = fields.required::<Text>("reason", "The reason") {
        let by = DoneBy::Operator { name: Text::fitted(&caller.principal.actor()), reason };
        let command = Command::Deployment(DeploymentAction::MarkDone { deployment: id, by });
        match backend.execute(command, fields.context(&caller)).await {
            Ok(receipt) => return Ok(answer_done(&mut backend, &receipt, &format!("/deployments/{id}")).await),
            Err(error) => fields.refused(error)?,
        }
    }
    let mut snapshot = backend.read().await?;
    let deployment = find(&mut snapshot, id, At::Now).await?;
    let form = done_form(&deployment, fields.text("reason"), fields.broken());
    Ok(page_context.refused(snapshot.position, Page::new("Mark a deployment installed", Section::Deployments, form)))
}

fn done_form(deployment: &Deployment, reason: &str, errors: &[ProblemError]) -> Markup {
    let path = format!("/deployments/{}", deployment.id);
    let hint = "How you know that the server is installed. Recorded with the deployment.";
    let field = Field { name: "reason", label: "Reason", value: reason, hint, required: true, errors };
    html! {
        (block::heading(&[("Deployments", "/deployments"), (deployment.hostname.as_str(), &path)], &html! { "Mark " (deployment.hostname) " installed" }, &html! {}))
        (summary(errors, &["reason"]))
        div.card {
            p { "Usually the server reports this itself: its installer requests " code { "/pxe/DONE/" } ". Mark it installed manually only if you know that the server is installed." }
            p { "The deployment ends, and from then on the server boots from its local disk." }
            form.form method="post" action=(format!("{path}/done")) {
                (once())
                (field.text())
                div.actions {
                    button.primary type="submit" { "Mark installed" }
                    a.button href=(path) { "Back" }
                }
            }
        }
    }
}

/// Handles `POST /deployments/{id}/restart-reported`.
pub(super) async fn restart_reported(
    caller: Operator,
    application: Data<Application>,
    mut backend: Backend,
    Path(deployment): Path<DeploymentId>,
    fields: Fields,
) -> Result<HttpResponse, Error> {
    let command = Command::Deployment(DeploymentAction::ReportRestart { deployment, now: (application.now)() });
    let receipt = backend.execute(command, fields.context(&caller)).await?;
    Ok(answer_done(&mut backend, &receipt, &format!("/deployments/{deployment}")).await)
}

/// Handles `POST /deployments/{id}/plugins/{plugin}/retry`.
pub(super) async fn retry(
    caller: Operator,
    mut backend: Backend,
    Path((id, plugin)): Path<(DeploymentId, Name)>,
    fields: Fields,
) -> Result<HttpResponse, Error> {
    let command = Command::Deployment(DeploymentAction::RetryPlugin { deployment: id, plugin });
    let receipt = backend.execute(command, fields.context(&caller)).await?;
    Ok(answer_done(&mut backend, &receipt, &format!("/deployments/{id}")).await)
}
