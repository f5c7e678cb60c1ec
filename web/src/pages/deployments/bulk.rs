//! Bulk actions on deployments. A preview first shows the list, the exact number and every row, fixed by ID. Then each row is
//! processed separately, and the results are shown row by row.

use super::history::History;
use crate::api::deployments::DeploymentQuery;
use crate::auth::caller::Operator;
use crate::commands::{Command, CommandError, Context, Receipt};
use crate::error::Error;
use crate::error::problem::ProblemError;
use crate::pages::form::{Fields, local};
use crate::pages::frame::{Page, Section, Visit};
use crate::pages::kit::action::{Allowed, once};
use crate::pages::kit::badge::{self, Tone, badge};
use crate::pages::kit::block;
use crate::pages::kit::field::{Field, summary};
use crate::request::backend::Backend;
use crate::request::reading::Reading;
use actix_web::HttpResponse;
use bootledger_aggregates::deployment::command::DeploymentCommand;
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_projections::at::At;
use bootledger_projections::deployments::{self, Deployment};
use bootledger_projections::plugin_runs::RunStatus;
use maud::{Markup, html};

/// Maximum number of deployments in one bulk action.
const MOST: usize = 1_000;
/// The limit of the query: one more than the maximum, to notice if there are more.
const ASKED: i64 = 1_001;
/// The action to run on each deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Retry,
    Cancel,
}

impl What {
    fn read(text: &str) -> Result<Self, Error> {
        match text {
            "retry" => Ok(Self::Retry),
            "cancel" => Ok(Self::Cancel),
            other => Err(Error::rejected("what", "action_unknown", format!("{other:?} is neither retry nor cancel"))),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Cancel => "cancel",
        }
    }
}

/// A row of the preview.
struct Planned {
    deployment: Deployment,
    /// The plugins to retry, for a retry.
    plugins: Vec<Name>,
    allowed: Allowed,
}

/// Handles `POST /deployments/bulk`: shows the preview.
pub(super) async fn preview(_: Operator, visit: Visit, mut backend: Backend, fields: Fields) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let (what, all) = match fields.text("what").strip_suffix("-all") {
        Some(what) => (What::read(what)?, true),
        None => (What::read(fields.text("what"))?, false),
    };
    let list = local(fields.text("list")).to_owned();
    let planned = plan(&mut reading, what, &fields, &list, all).await?;
    let position = reading.position;
    let content = shown(what, &list, position, &planned, "", &[]);
    visit.answer(reading, Page::new("Review", Section::Deployments, content)).await
}

async fn plan(reading: &mut Reading<'_>, what: What, fields: &Fields, list: &str, all: bool) -> Result<Vec<Planned>, Error> {
    let rows = if all {
        let query: Vec<(String, String)> =
            list.split_once('?').map_or(vec![], |(_, query)| form_urlencoded::parse(query.as_bytes()).into_owned().collect());
        let query: Vec<(String, String)> = query.into_iter().filter(|(name, _)| name != "columns").collect();
        let filter = crate::request::parameters::read_filled::<DeploymentQuery>(&query)?.filter(At::Now)?;
        deployments::list(reading.connection(), &filter, At::Now, ASKED).await?
    } else {
        let mut rows = deployments::find_many(reading.connection(), &ids(fields)?, At::Now).await?;
        rows.sort_by(|a, b| a.hostname.as_str().cmp(b.hostname.as_str()));
        rows
    };
    if rows.len() > MOST {
        let message = format!("these are more than {MOST} deployments; filter the list further, and do them in parts");
        return Err(Error::rejected("id", "too_many", message));
    }
    let mut planned = vec![];
    for deployment in rows {
        let history = History::read(reading, deployment.id).await?;
        let (plugins, allowed) = match what {
            What::Cancel => {
                (vec![], history.allows(DeploymentCommand::CancelDeployment { by: Text::default(), reason: Text::default() }))
            }
            What::Retry => {
                let stuck =
                    |name: &&Name| matches!(history.status(name), RunStatus::Failed | RunStatus::Waiting | RunStatus::Due);
                let plugins: Vec<Name> = history.plugins().iter().map(|planned| &planned.name).filter(stuck).cloned().collect();
                let allowed = match plugins.first() {
                    Some(plugin) => history.allows(DeploymentCommand::RetryPlugin { plugin: plugin.clone() }),
                    None => Err("No plugin of it waits or failed.".to_owned()),
                };
                (plugins, allowed)
            }
        };
        planned.push(Planned { deployment, plugins, allowed });
    }
    Ok(planned)
}

fn ids(fields: &Fields) -> Result<Vec<DeploymentId>, Error> {
    let read =
        |text: &str| text.parse().map_err(|_| Error::rejected("id", "malformed", format!("{text:?} is no deployment's id")));
    let ids = fields.all("id").map(read).collect::<Result<Vec<_>, _>>()?;
    if ids.len() > MOST {
        return Err(Error::rejected(
            "id",
            "too_many",
            format!("{} deployments are more than the {MOST} that are done at once", ids.len()),
        ));
    }
    Ok(ids)
}

fn shown(what: What, list: &str, position: i64, planned: &[Planned], reason: &str, errors: &[ProblemError]) -> Markup {
    let possible: Vec<&Planned> = planned.iter().filter(|row| row.allowed.is_ok()).collect();
    let count = possible.len();
    let words = match what {
        What::Retry => "Try now what waits or failed",
        What::Cancel => "Cancel",
    };
    let field = Field {
        name: "reason",
        label: "Reason",
        value: reason,
        hint: "It is kept on record with each of them.",
        required: true,
        errors,
    };
    html! {
        (block::heading(&[("Deployments", list)], &html! { (words) ": " (count) " of " (planned.len()) " deployments?" }, &html! {}))
        (summary(errors, &["reason"]))
        @if planned.is_empty() { (block::empty("No deployment was selected.", &html! { a.button href=(list) { "Back to the list" } })) }
        @else {
            div.card {
                p { "Chosen from the list " a href=(list) { code { (list) } } " as of position " (position) ". These rows and no others are done, whatever the list shows meanwhile." }
                @if what == What::Cancel { p { "Each gives back the address, names and MAC that it took; its DNS records and DHCP entries are taken back. It cannot be taken up again." } }
                @if count > 0 {
                    form.form method="post" action="/deployments/bulk/do" {
                        (once())
                        input type="hidden" name="what" value=(what.name());
                        input type="hidden" name="list" value=(list);
                        @for row in &possible { input type="hidden" name="id" value=(row.deployment.id); }
                        @if what == What::Cancel { (field.text()) }
                        div.actions {
                            button type="submit" class=(if what == What::Cancel { "danger" } else { "primary" }) { (if what == What::Cancel { "Cancel" } else { "Retry" }) " " (count) @if count == 1 { " deployment" } @else { " deployments" } }
                            a.button href=(list) { "Back" }
                        }
                    }
                }
            }
            div.scroll {
                table.cards {
                    caption.visually-hidden { "What would be done" }
                    thead { tr { th scope="col" { "Host name" } th scope="col" { "Status" } th scope="col" { "Will be done" } } }
                    tbody {
                        @for row in planned {
                            tr {
                                th scope="row" { a href=(format!("/deployments/{}", row.deployment.id)) { (row.deployment.hostname) } }
                                td data-label="Status" { (badge::deployment(row.deployment.status, row.deployment.overdue)) }
                                td data-label="Will be done" {
                                    @match &row.allowed {
                                        Ok(()) if row.plugins.is_empty() => "Cancelled",
                                        Ok(()) => { "Tried now: " (row.plugins.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")) }
                                        Err(reason) => { (badge(Tone::Neutral, "Left out")) " " (reason) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Handles `POST /deployments/bulk/do`.
pub(super) async fn carry_out(
    caller: Operator,
    visit: Visit,
    mut backend: Backend,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let what = What::read(fields.text("what"))?;
    let list = local(fields.text("list")).to_owned();
    let reason = if what == What::Cancel { fields.required::<Text>("reason", "The reason") } else { Some(Text::default()) };
    let planned = plan(&mut reading, what, &fields, &list, false).await?;
    let position = reading.position;
    drop(reading);
    let Some(reason) = reason else {
        let content = shown(what, &list, position, &planned, "", fields.broken());
        return Ok(visit.refused(position, Page::new("Review", Section::Deployments, content)));
    };
    let context = fields.context(&caller);
    let jobs = planned.iter().map(|row| commands(what, row, &reason, &context)).collect();
    let told = |result: Result<Option<Receipt>, CommandError>| match result {
        Ok(Some(receipt)) => Ok(receipt.position),
        Ok(None) => Err("There was nothing to do any more.".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    let results: Vec<Result<i64, String>> = backend.execute_all(jobs).await.into_iter().map(told).collect();
    let position = results.iter().filter_map(|result| result.as_ref().ok()).max().copied().unwrap_or(0);
    backend.reach(position).await;
    let page = self::told(what, &list, &planned, &results);
    let reading = backend.read_now().await?;
    visit.answer(reading, Page::new("Done", Section::Deployments, page)).await
}

/// The commands for one deployment. Their keys consist of the form's key and the deployment, so that a form that is sent twice
/// takes effect once.
fn commands(what: What, row: &Planned, reason: &Text, context: &Context) -> Vec<(Command, Context)> {
    let deployment = row.deployment.id;
    let keyed = |part: &str| context.part(&format!("{deployment}:{part}"));
    match what {
        What::Cancel => vec![(Command::CancelDeployment { deployment, reason: reason.clone() }, keyed("cancel"))],
        What::Retry => {
            let retry = |plugin: &Name| (Command::RetryPlugin { deployment, plugin: plugin.clone() }, keyed(plugin.as_str()));
            row.plugins.iter().map(retry).collect()
        }
    }
}

fn told(what: What, list: &str, planned: &[Planned], results: &[Result<i64, String>]) -> Markup {
    let done = results.iter().filter(|result| result.is_ok()).count();
    let words = if what == What::Cancel { "cancelled" } else { "to be tried now" };
    html! {
        (block::heading(&[("Deployments", list)], &html! { (done) " of " (planned.len()) " " (words) }, &html! { a.button href=(list) { "Back to the list" } }))
        div.scroll {
            table.cards {
                caption.visually-hidden { "What became of each" }
                thead { tr { th scope="col" { "Host name" } th scope="col" { "Result" } } }
                tbody {
                    @for (row, result) in planned.iter().zip(results) {
                        tr {
                            th scope="row" { a href=(format!("/deployments/{}", row.deployment.id)) { (row.deployment.hostname) } }
                            td data-label="Result" {
                                @match result { Ok(_) => (badge(Tone::Good, "Done")), Err(reason) => { (badge(Tone::Bad, "Refused")) " " (reason) } }
                            }
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
    use crate::pages::deployments::samples::deployment;

    #[test]
    fn the_preview_names_the_exact_count_and_freezes_the_rows_that_are_possible() {
        let row = |allowed| Planned { deployment: deployment(), plugins: vec![], allowed };
        let planned = [row(Ok(())), row(Err("It is done.".to_owned()))];
        let html = shown(What::Cancel, "/deployments?site=dc1", 7, &planned, "", &[]).into_string();
        assert!(html.contains("Cancel: 1 of 2 deployments?") && html.contains("Cancel 1 deployment<"), "{html}");
        assert_eq!(html.matches("name=\"id\"").count(), 1);
        assert!(html.contains("It is done.") && html.contains("/deployments?site=dc1") && html.contains("position 7"));
    }
}
