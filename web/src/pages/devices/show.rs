//! The page `/devices/{id}` and its tabs: the head that all tabs share, the data of each, and their live updates.

use super::info::{self, Info};
use super::{addresses, components, history, list, menu};
use crate::english::as_sentence;
use crate::http::error::Error;
use crate::http::error::problem::ProblemError;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::http::request::snapshot::Snapshot;
use crate::pages::application;
use crate::pages::components::action::Allowed;
use crate::pages::components::badge::{Tone, badge};
use crate::pages::components::block;
use crate::pages::layout::{Page, PageContext, Section};
use crate::pages::live::{self, Region, State, Topic};
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::deployment::start::undeployable;
use bootledger_aggregates::rules::BrokenRule;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::rows::deployments::{self, Deployment};
use bootledger_projections::rows::devices::{self, Device};
use bootledger_projections::rows::holders::HolderNames;
use bootledger_projections::rows::parked;
use maud::{Markup, html};
use serde::Deserialize;

/// The tabs of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Tab {
    /// The properties of the device; at the device's own path.
    #[serde(skip)]
    Info,
    /// Interfaces, parts, installed software.
    Components,
    /// Addresses, names, entries.
    Addresses,
    /// The events of the device.
    History,
}

/// A device with the data that all its tabs need.
pub(super) struct DeviceDetails {
    /// The device of the page.
    pub(super) device: Device,
    /// Its live deployment.
    pub(super) live: Option<Deployment>,
    /// Whether the visitor may make changes from the page.
    pub(super) may: Allowed,
    /// Whether an event of the device could not be applied.
    pub(super) blocked: bool,
    /// Whether the visitor may unlock the device.
    pub(super) lifts: Allowed,
}

impl DeviceDetails {
    /// Reads a device.
    pub(super) async fn load(snapshot: &mut Snapshot<'_>, id: DeviceId, may: Allowed) -> Result<Self, Error> {
        let at = snapshot.at;
        let device = devices::find(snapshot.connection(), id, at).await?;
        let device = device.ok_or_else(|| Error::NotFound(format!("there is no device {id}")))?;
        let live = deployments::live_of_device(snapshot.connection(), id, at).await?;
        let blocked = parked::is_blocked(snapshot.connection(), "device", &id.to_string()).await?;
        // A page that offers to unlock the device finds out whether its visitor may.
        Ok(Self { device, live, may, blocked, lifts: Err("This requires the role administrator.".to_owned()) })
    }

    /// Reads a device for a page, which offers the changes that its visitor may make.
    pub(super) async fn visit(page_context: &PageContext, snapshot: &mut Snapshot<'_>, id: DeviceId) -> Result<Self, Error> {
        let may = page_context.may_change(snapshot, Role::Operator);
        let lifts = page_context.may_change(snapshot, Role::Administrator);
        Ok(Self { lifts, ..Self::load(snapshot, id, may).await? })
    }

    /// Whether the device may be deployed, by the same rule as the command's.
    pub(super) fn deployable(&self) -> Allowed {
        self.may.clone().and_then(|()| unless(self.undeployable()))
    }

    /// Every rule that keeps the device from being deployed now, with the name of its live deployment.
    fn undeployable(&self) -> Vec<BrokenRule> {
        let live = self.live.as_ref().map(|live| live.id);
        let mut broken = undeployable(self.device.id, &self.device.deployment_facts(), live);
        let names = HolderNames::of(&[], &self.live);
        for rule in &mut broken {
            names.complete(rule);
        }
        broken
    }

    /// Whether these errors include every reason why the device cannot be deployed, so that a page need not repeat it.
    pub(super) fn reports_all(&self, errors: &[&ProblemError]) -> bool {
        let reported = |rule: &BrokenRule| errors.iter().any(|error| error.rule == rule.rule);
        self.may.is_ok() && self.undeployable().iter().all(reported)
    }

    /// Whether the visitor may do something, given the rules that it would violate.
    pub(super) fn allows(&self, broken: impl IntoIterator<Item = BrokenRule>) -> Allowed {
        self.may.clone()?;
        if self.device.decommissioned {
            return unless([bootledger_aggregates::device::allowed::decommissioned()]);
        }
        unless(broken)
    }
}

/// Allowed if no rule is violated; otherwise the reason contains the message of every violated rule as a sentence.
pub(super) fn unless(broken: impl IntoIterator<Item = BrokenRule>) -> Allowed {
    let reasons: Vec<String> = broken.into_iter().map(|broken| as_sentence(&broken.message)).collect();
    if reasons.is_empty() { Ok(()) } else { Err(reasons.join(". ")) }
}

/// The page's head and the parts of a tab. Each is an element with an ID; together they are the page.
async fn regions(
    snapshot: &mut Snapshot<'_>,
    found: &DeviceDetails,
    tab: Tab,
    before: Option<i64>,
    now: Timestamp,
) -> Result<Vec<Region>, Error> {
    let mut regions = vec![Region::new("head", head(found, tab))];
    regions.extend(match tab {
        Tab::Info => {
            let mut regions = info::regions(found, &Info::load(snapshot, &found.device).await?, now);
            let past = history::Past::recent(snapshot, found.device.id).await?;
            regions.push(Region::new("timeline", history::events(found, &past)));
            regions
        }
        Tab::Components => components::regions(found, &components::Parts::load(snapshot, &found.device).await?),
        Tab::Addresses => addresses::regions(&addresses::Held::load(snapshot, &found.device).await?),
        Tab::History => history::regions(found, &history::Past::load(snapshot, found.device.id, before).await?, now),
    });
    Ok(regions)
}

fn path_of(id: DeviceId, tab: Tab) -> String {
    match tab {
        Tab::Info => format!("/devices/{id}"),
        Tab::Components => format!("/devices/{id}/components"),
        Tab::Addresses => format!("/devices/{id}/addresses"),
        Tab::History => format!("/devices/{id}/history"),
    }
}

async fn page(page_context: PageContext, id: DeviceId, tab: Tab, mut backend: Backend) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let before = if tab == Tab::History { history::before(&page_context)? } else { None };
    let found = DeviceDetails::visit(&page_context, &mut snapshot, id).await?;
    let (title, moment) = (found.device.called(), snapshot.moment());
    let regions = regions(&mut snapshot, &found, tab, before, moment).await?;
    let content = if tab == Tab::Info {
        info::page(&found, regions, snapshot.at)
    } else {
        html! { @for region in regions { (region.html) } }
    };
    // Older pages of a history do not change.
    let live = before.is_none().then(|| format!("{}/live/{}", path_of(id, tab), snapshot.position));
    let json = match tab {
        Tab::History => format!("/api/v1/events?aggregate=device/{id}"),
        _ => format!("/api/v1/devices/{id}"),
    };
    page_context
        .about("device", id)
        .answer(snapshot, Page { live, json: Some(json), ..Page::new(&title, Section::Devices, content) })
        .await
}

fn stream(page_context: &PageContext, request: &HttpRequest, id: DeviceId, tab: Tab, seen: i64) -> Result<HttpResponse, Error> {
    let (may, lifts) = (page_context.may(Role::Operator), page_context.may(Role::Administrator));
    let now = application::of(request)?.now;
    let render = live::render(move |mut snapshot, _| {
        let (may, lifts) = (may.clone(), lifts.clone());
        Box::pin(async move {
            let found = DeviceDetails { lifts, ..DeviceDetails::load(&mut snapshot, id, may).await? };
            Ok(State { regions: regions(&mut snapshot, &found, tab, None, now()).await?, rows: vec![] })
        })
    });
    live::answer(request, seen, vec![Topic::Device(id)], None, render)
}

/// Handles `GET /devices/{id}`.
pub(super) async fn info(page_context: PageContext, Path(id): Path<DeviceId>, backend: Backend) -> Result<HttpResponse, Error> {
    page(page_context, id, Tab::Info, backend).await
}

/// The first tab, live.
pub(super) async fn live_info(
    page_context: PageContext,
    request: HttpRequest,
    Path((id, seen)): Path<(DeviceId, i64)>,
) -> Result<HttpResponse, Error> {
    stream(&page_context, &request, id, Tab::Info, seen)
}

/// Handles `GET /devices/{id}/{tab}`.
pub(super) async fn tab(
    page_context: PageContext,
    Path((id, tab)): Path<(DeviceId, Tab)>,
    backend: Backend,
) -> Result<HttpResponse, Error> {
    page(page_context, id, tab, backend).await
}

/// Another tab, live.
pub(super) async fn live_tab(
    page_context: PageContext,
    request: HttpRequest,
    Path((id, tab, seen)): Path<(DeviceId, Tab, i64)>,
) -> Result<HttpResponse, Error> {
    stream(&page_context, &request, id, tab, seen)
}

fn head(found: &DeviceDetails, tab: Tab) -> Markup {
    let device = &found.device;
    let id = device.id;
    let title = html! { (device.called()) " " (list::state(device, found.live.as_ref())) };
    let tabs = [("Info", Tab::Info), ("Components", Tab::Components), ("Addresses", Tab::Addresses), ("History", Tab::History)];
    let tabs = tabs.map(|(name, other)| (name, path_of(id, other), tab == other));
    html! {
        div id="head" {
            (block::heading(&[("Devices", "/devices")], &title, &menu::actions(found)))
            @if found.blocked {
                (block::note(Tone::Bad, &html! { p { "An event of this device could not be applied, so this page may be out of date. " a href="/readyz" { "Details" } } }))
            }
            (block::tabs("Device", &tabs))
        }
    }
}

/// The head of a page about one device that is not a tab, such as a form: breadcrumbs and title.
pub(super) fn form_head(device: &Device, title: &str, errors: &[ProblemError], fields: &[&str]) -> Markup {
    let name = device.called();
    html! {
        (block::heading(&[("Devices", "/devices"), (&name, &format!("/devices/{}", device.id))], &html! { (title) }, &html! {}))
        (crate::pages::components::field::summary(errors, fields))
    }
}

/// The text for an empty part.
pub(super) fn none(words: &str) -> Markup {
    html! { p.quiet { (words) } }
}

/// A device's name as a link, and whether the device is in use.
pub(super) fn link(device: &Device) -> Markup {
    html! {
        a href=(format!("/devices/{}", device.id)) { (device.called()) }
        @if device.decommissioned { " " (badge(Tone::Neutral, "Decommissioned")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::samples::{deployment, device};

    fn found(change: impl FnOnce(&mut DeviceDetails)) -> DeviceDetails {
        let mut found = DeviceDetails { device: device(), live: None, may: Ok(()), blocked: false, lifts: Ok(()) };
        change(&mut found);
        found
    }

    #[test]
    fn a_verified_device_without_a_live_deployment_may_be_deployed_and_others_show_why_not() {
        assert_eq!(found(|_| {}).deployable(), Ok(()));
        let refused = |change: fn(&mut DeviceDetails)| found(change).deployable().expect_err("refused");
        let reasons = [
            refused(|found| found.device.verified = false),
            refused(|found| found.device.decommissioned = true),
            refused(|found| found.live = Some(deployment())),
        ];
        insta::assert_snapshot!("why_a_device_cannot_be_deployed", reasons.join("\n"));
        assert_eq!(refused(|found| found.may = Err("Not you.".to_owned())), "Not you.");
    }

    #[test]
    fn the_head_has_one_heading_and_marks_the_tab() {
        let html = head(&found(|found| found.blocked = true), Tab::History).into_string();
        assert_eq!(html.matches("<h1").count(), 1);
        assert_eq!(html.matches("aria-current=\"page\"").count(), 1);
        assert!(html.contains("R640 &lt;no. 1&gt;") && html.contains("class=\"note "), "{html}");
    }
}
