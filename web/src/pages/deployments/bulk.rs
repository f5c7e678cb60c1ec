//! Bulk actions on deployments. A preview first shows the list, the exact number and every row, fixed by ID; the form below it
//! starts the action, which then has a page of its own.

use super::history::History;
use crate::api::deployments::DeploymentQuery;
use crate::english::as_sentence;
use crate::http::auth::caller::Operator;
use crate::http::error::Error;
use crate::http::error::problem::ProblemError;
use crate::http::request::backend::Backend;
use crate::http::request::snapshot::Snapshot;
use crate::pages::bulk::{self, Preview, Rows};
use crate::pages::components::action::{Allowed, once};
use crate::pages::components::badge::{self, Tone, badge};
use crate::pages::components::field::{Field, summary};
use crate::pages::form::{Fields, done, local};
use crate::pages::layout::{Page, PageContext, Section};
use actix_web::HttpResponse;
use bootledger_aggregates::bulk::BulkAction;
use bootledger_aggregates::deployment::command::DeploymentCommand;
use bootledger_aggregates::deployment::installer::installs_again;
use bootledger_aggregates::device::lock::{self, Lock};
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_port::{BulkOrder, Command, CommandError};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::deployments::{self, Deployment};
use bootledger_projections::rows::devices;
use maud::{Markup, html};
use std::collections::HashMap;

/// Maximum number of deployments in one bulk action.
const MOST: usize = 1_000;
/// The limit of the query: one more than the maximum, to notice if there are more.
const LIMIT: i64 = 1_001;
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
            other => Err(Error::rejected("what", Rule::ActionUnknown, format!("{other:?} is neither retry nor cancel"))),
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
pub(super) async fn preview(
    _: Operator,
    page_context: PageContext,
    mut backend: Backend,
    fields: Fields,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let (what, all) = bulk::requested(&fields);
    let what = What::read(what)?;
    let list = local(fields.text("list")).to_owned();
    let planned = plan(&mut snapshot, what, &fields, &list, all).await?;
    let position = snapshot.position;
    let content = shown(what, &list, position, &planned, "", &[]);
    page_context.answer(snapshot, Page::new("Review", Section::Deployments, content)).await
}

async fn plan(snapshot: &mut Snapshot<'_>, what: What, fields: &Fields, list: &str, all: bool) -> Result<Vec<Planned>, Error> {
    let rows = if all {
        let filter = bulk::parameters::<DeploymentQuery>(list)?.filter(At::Now)?;
        deployments::list(snapshot.connection(), &filter, At::Now, LIMIT).await?
    } else {
        let mut rows = deployments::find_many(snapshot.connection(), &ids(fields)?, At::Now).await?;
        rows.sort_by(|a, b| a.hostname.as_str().cmp(b.hostname.as_str()));
        rows
    };
    if rows.len() > MOST {
        let message = format!(
            "the selection has more than {MOST} deployments; filter the list further and repeat the action for each part"
        );
        return Err(Error::rejected("id", Rule::TooMany, message));
    }
    let servers: Vec<DeviceId> = rows.iter().map(|deployment| deployment.device).collect();
    let mut locks: HashMap<DeviceId, Lock> = HashMap::new();
    if what == What::Retry {
        let servers = devices::find_many(snapshot.connection(), &servers, At::Now).await?;
        locks.extend(servers.into_iter().filter_map(|device| Some((device.id, device.lock?))));
    }
    let mut planned = vec![];
    for deployment in rows {
        let history = History::read(snapshot, deployment.id).await?;
        let (plugins, allowed) = match what {
            What::Cancel => {
                (vec![], history.allows(DeploymentCommand::CancelDeployment { by: Text::default(), reason: Text::default() }))
            }
            What::Retry => {
                let stuck = |name: &&Name| history.status(name).is_stuck();
                let plugins: Vec<Name> = history.plugins().iter().map(|planned| &planned.name).filter(stuck).cloned().collect();
                let allowed = match plugins.first() {
                    Some(plugin) => history.allows(DeploymentCommand::RetryPlugin { plugin: plugin.clone() }),
                    None => Err("It has no waiting or failed plugins.".to_owned()),
                };
                let present = locks.get(&deployment.device).filter(|_| plugins.iter().any(installs_again));
                let locked = present.map(|present| as_sentence(&lock::installing(present, "").message));
                (plugins, allowed.and(locked.map_or(Ok(()), Err)))
            }
        };
        planned.push(Planned { deployment, plugins, allowed });
    }
    Ok(planned)
}

fn ids(fields: &Fields) -> Result<Vec<DeploymentId>, Error> {
    let ids = bulk::ids(fields, "id", "deployment")?;
    if ids.len() > MOST {
        let message = format!("{} deployments are selected, more than the limit of {MOST}; select fewer", ids.len());
        return Err(Error::rejected("id", Rule::TooMany, message));
    }
    Ok(ids)
}

fn rows(list: &str, count: usize) -> Rows<'_> {
    Rows { title: "Deployments", many: "deployments", name: "Host name", list, count }
}

fn shown(what: What, list: &str, position: i64, planned: &[Planned], reason: &str, errors: &[ProblemError]) -> Markup {
    let possible: Vec<&Planned> = planned.iter().filter(|row| row.allowed.is_ok()).collect();
    let count = possible.len();
    let words = match what {
        What::Retry => "Retry",
        What::Cancel => "Cancel",
    };
    let field =
        Field { name: "reason", label: "Reason", value: reason, hint: "Recorded with each deployment.", required: true, errors };
    let form = html! {
        @if what == What::Cancel { p { "Each deployment releases its address, names and MAC, and its DNS records and DHCP entries are removed. You cannot resume a cancelled deployment." } }
        @if count > 0 {
            form.form method="post" action="/deployments/bulk/do" {
                (once())
                input type="hidden" name="what" value=(what.name());
                input type="hidden" name="list" value=(list);
                @for row in &possible { input type="hidden" name="id" value=(row.deployment.id); }
                @if what == What::Cancel { (field.text()) }
                div.actions {
                    button type="submit" class=(if what == What::Cancel { "danger" } else { "primary" }) { (words) " " (count) @if count == 1 { " deployment" } @else { " deployments" } }
                    a.button href=(list) { "Back" }
                }
            }
        }
    };
    let table = html! {
        @for row in planned {
            tr {
                th scope="row" { a href=(format!("/deployments/{}", row.deployment.id)) { (row.deployment.hostname) } }
                td data-label="Status" { (badge::deployment(row.deployment.status, row.deployment.overdue)) }
                td data-label="Planned change" {
                    @match &row.allowed {
                        Ok(()) if row.plugins.is_empty() => "Cancel",
                        Ok(()) => { "Retry: " (row.plugins.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")) }
                        Err(reason) => { (badge(Tone::Neutral, "Skipped")) " " (reason) }
                    }
                }
            }
        }
    };
    rows(list, planned.len()).preview(&Preview {
        action: words,
        possible: count,
        position,
        errors: &summary(errors, &["reason"]),
        form: &form,
        columns: &["Status"],
        table: &table,
    })
}

/// Handles `POST /deployments/bulk/do`: starts the action, and leads to its page.
pub(super) async fn start(
    caller: Operator,
    page_context: PageContext,
    mut backend: Backend,
    mut fields: Fields,
) -> Result<HttpResponse, Error> {
    let what = What::read(fields.text("what"))?;
    let list = local(fields.text("list")).to_owned();
    let reason = if what == What::Cancel { fields.required::<Text>("reason", "The reason") } else { Some(Text::default()) };
    if let Some(reason) = reason {
        let ids = ids(&fields)?.iter().map(|id| id.0).collect();
        let action = Box::new(if what == What::Cancel { BulkAction::Cancel { reason } } else { BulkAction::Retry {} });
        let order = BulkOrder::StartBulk { action, ids, list: list.clone() };
        match backend.execute(Command::Bulk(order), fields.context(&caller)).await {
            Ok(receipt) => return Ok(done(&mut backend, &receipt, &format!("/bulk-actions/{}", receipt.id)).await),
            Err(error @ CommandError::Refused(_)) => fields.refused(error)?,
            Err(other) => return Err(other.into()),
        }
    }
    let mut snapshot = backend.read_now().await?;
    let planned = plan(&mut snapshot, what, &fields, &list, false).await?;
    let position = snapshot.position;
    drop(snapshot);
    let content = shown(what, &list, position, &planned, fields.text("reason"), fields.broken());
    Ok(page_context.refused(position, Page::new("Review", Section::Deployments, content)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::samples::deployment;

    #[test]
    fn the_preview_names_the_exact_count_and_freezes_the_rows_that_are_possible() {
        let row = |allowed| Planned { deployment: deployment(), plugins: vec![], allowed };
        let planned = [row(Ok(())), row(Err("It is done.".to_owned()))];
        let html = shown(What::Cancel, "/deployments?site=dc1", 7, &planned, "", &[]).into_string();
        assert!(html.contains("1 of 2"), "{html}");
        assert_eq!(html.matches("name=\"id\"").count(), 1);
        assert!(html.contains("It is done.") && html.contains("/deployments?site=dc1") && html.contains("event 7"));
    }
}
