//! The page `/devices/{id}` and its tabs: the head that all tabs share, the data of each, and their live updates.

use super::details::DeviceDetails;
use super::info::{self, Info};
use super::{addresses, components, history, list, menu};
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::http::request::snapshot::Snapshot;
use crate::pages::application;
use crate::pages::components::badge::Tone;
use crate::pages::components::block;
use crate::pages::layout::{Page, PageContext, Section};
use crate::pages::live::{self, Region, State, Topic};
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::timestamp::Timestamp;
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
        Tab::History => format!("/api/v1/events?device={id}"),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::samples::device;

    #[test]
    fn the_head_has_one_heading_and_marks_the_tab() {
        let found = DeviceDetails { device: device(), live: None, may: Ok(()), blocked: true, lifts: Ok(()) };
        let html = head(&found, Tab::History).into_string();
        assert_eq!(html.matches("<h1").count(), 1);
        assert_eq!(html.matches("aria-current=\"page\"").count(), 1);
        assert!(html.contains("R640 &lt;no. 1&gt;") && html.contains("class=\"note "), "{html}");
    }
}
