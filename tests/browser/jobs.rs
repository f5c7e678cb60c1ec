//! The jobs of an operator and of an auditor, with the number of clicks that each takes from the dashboard or the object's page.

use super::centre::Centre;
use crate::support::browser::{Browsers, Look, Page};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use thirtyfour::Key;

/// Why a device is locked.
const REASON: &str = "It holds the only copy";

/// The clicks of a user. A field that is filled in and submitted counts as one.
#[derive(Default)]
struct Clicks(usize);

impl Clicks {
    /// Does something that takes one click.
    async fn one(&mut self, action: impl Future<Output = Result<()>>) -> Result<()> {
        self.0 += 1;
        action.await
    }

    /// Ends a job, which must have taken this many clicks. The next job starts with none.
    fn assert(&mut self, expected: usize, job: &str) -> Result<()> {
        let counted = std::mem::take(&mut self.0);
        ensure!(counted == expected, "{job} takes {counted} clicks instead of {expected}");
        Ok(())
    }
}

/// Fills in a field and submits its form with Enter.
async fn enter(page: &Page, label: &str, value: &str) -> Result<()> {
    page.fill(label, value).await?;
    page.key(Key::Enter).await
}

#[tokio::test]
async fn an_operator_finds_a_server_the_holder_of_an_address_in_the_past_and_a_saved_view() -> Result<()> {
    let centre = Centre::start().await?;
    let deployment = centre.deploy("R640 no. 1", "10.20.0.11").await?;
    centre.plugin_is(&deployment, "dhcp", "waiting").await?;
    let events = centre.get(&format!("/api/v1/events?limit=1000&aggregate=deployment/{deployment}")).await?;
    let last = events["items"].as_array().and_then(|events| events.last()).context("an event")?;
    let march = last["recorded_at"].as_str().context("a time")?;
    centre.post(&format!("/api/v1/deployments/{deployment}/cancel"), &json!({ "reason": "the wrong rack" })).await?;
    Browsers::run_story("jobs_find", async |browsers| {
        let page = centre.person(browsers, "operator", Look::default()).await?;
        let mut clicks = Clicks::default();
        page.visit("/").await?;
        clicks.one(enter(&page, "Search", "5254.00d1.0011")).await?;
        page.arrives_at("/devices/0").await?;
        page.shows("h1", "R640 no. 2").await?;
        clicks.assert(1, "finding a server by its MAC address in Cisco notation")?;

        page.visit("/").await?;
        clicks.one(page.press("Moment that this page shows: Now")).await?;
        clicks.one(enter(&page, "Or an event number, or a time", march)).await?;
        page.arrives_at("/?at=").await?;
        clicks.one(enter(&page, "Search", "10.20.0.11")).await?;
        page.arrives_at("/search?").await?;
        page.shows(".past", "You are viewing the past").await?;
        // Now the deployment is cancelled, and nothing holds the address.
        let held = page.shows("#deployments", "h200.dc1.example").await?;
        ensure!(held.contains("open") && !held.contains("cancelled"), "in the past, the deployment was {held}");
        clicks.assert(3, "finding the holder of an address in the past")?;

        page.visit("/devices?site=dc1&verified=false").await?;
        page.press("Views").await?;
        page.fill("Save this view as", "Unverified in dc1").await?;
        page.press("Save view").await?;
        page.button("Views (1)").await?;
        page.visit("/").await?;
        clicks.one(page.follow("Devices")).await?;
        clicks.one(page.press("Views (1)")).await?;
        clicks.one(page.follow("Unverified in dc1")).await?;
        page.arrives_at("/devices?site=dc1&verified=false").await?;
        page.shows(".list-count", "1 of 1 devices").await?;
        clicks.assert(3, "starting from the view of last week")
    })
    .await
}

#[tokio::test]
async fn twenty_devices_of_a_rack_are_reinstalled_and_the_two_that_are_refused_are_retried() -> Result<()> {
    let centre = Centre::start().await?;
    // The demo has two devices in this rack.
    for number in 1..=18 {
        let (name, mac) = (format!("Node {number}"), format!("52:54:00:d3:00:{number:02x}"));
        let node = json!({ "name": name, "site": "dc1", "rack": "dc1-r01", "macs": [mac], "venture": "shop", "role": "web" });
        centre.register(&node).await?;
    }
    let locked = [centre.device("Node 3").await?, centre.device("Node 7").await?];
    Browsers::run_story("jobs_bulk", async |browsers| {
        let page = centre.person(browsers, "operator", Look::default()).await?;
        let mut clicks = Clicks::default();
        page.visit("/").await?;
        clicks.one(page.follow("Devices")).await?;
        clicks.one(page.fill("Rack", "dc1-r01")).await?;
        page.shows(".list-count", "20 of 20 devices").await?;
        clicks.one(page.tick("Select all")).await?;
        clicks.one(page.press("Deploy…")).await?;
        page.shows("h1", "Deploy: 20 of 20 devices").await?;
        for device in &locked {
            centre.post(&format!("/api/v1/devices/{device}/lock"), &json!({ "reason": REASON })).await?;
        }
        clicks.one(page.press("Deploy: 20 devices")).await?;
        page.arrives_at("/bulk-actions/").await?;
        page.shows("#progress", "18 done, 2 refused, 0 waiting, of 20").await?;
        page.shows("#rows", REASON).await?;
        for device in &locked {
            centre.post(&format!("/api/v1/devices/{device}/unlock"), &json!({})).await?;
        }
        clicks.one(page.press("Retry 2 rows")).await?;
        page.shows("#progress", "20 done, 0 refused, 0 waiting, of 20").await?;
        clicks.assert(6, "deploying 20 devices and retrying 2")
    })
    .await?;
    let live = centre.get("/api/v1/deployments?live=true").await?;
    assert_eq!(live["items"].as_array().map(Vec::len), Some(20));
    Ok(())
}

#[tokio::test]
async fn an_operator_locks_a_device_and_only_an_administrator_unlocks_it() -> Result<()> {
    let centre = Centre::start().await?;
    let path = format!("/devices/{}", centre.device("R640 no. 2").await?);
    Browsers::run_story("jobs_lock", async |browsers| {
        let page = centre.person(browsers, "operator", Look::default()).await?;
        let mut clicks = Clicks::default();
        page.visit(&path).await?;
        clicks.one(page.press("…")).await?;
        clicks.one(page.follow("Lock…")).await?;
        clicks.one(enter(&page, "Reason", REASON)).await?;
        page.shows("#lock", REASON).await?;
        clicks.assert(3, "locking a device")?;
        page.shows("#deploy-reason", REASON).await?;
        page.press("…").await?;
        page.shows("#unlock-reason", "This requires the role administrator.").await?;

        let page = centre.person(browsers, "administrator", Look::default()).await?;
        let mut clicks = Clicks::default();
        page.visit(&path).await?;
        clicks.one(page.press("…")).await?;
        clicks.one(page.follow("Unlock…")).await?;
        clicks.one(page.press("Unlock device")).await?;
        page.shows("#lock", "Not locked").await?;
        page.link("Deploy…").await?;
        clicks.assert(3, "unlocking a device")
    })
    .await
}

#[tokio::test]
async fn an_auditor_exports_the_events_of_a_user_and_verifies_the_log() -> Result<()> {
    let centre = Centre::start().await?;
    let device = centre.device("R640 no. 4").await?;
    Browsers::run_story("jobs_audit", async |browsers| {
        let page = centre.person(browsers, "operator", Look::default()).await?;
        page.visit(&format!("/devices/{device}")).await?;
        page.press("Verify").await?;
        page.link("Deploy…").await?;

        let page = centre.person(browsers, "auditor", Look::default()).await?;
        let mut clicks = Clicks::default();
        page.visit("/").await?;
        clicks.one(page.follow("Timeline")).await?;
        clicks.one(enter(&page, "Actor", "user operator-0")).await?;
        page.arrives_at("/timeline?").await?;
        page.shows(".timeline-chips", "user operator-0").await?;
        let exports = page.attributes("main a[href^='/timeline/export.csv']", "href").await?;
        clicks.one(page.follow("Export CSV")).await?;
        clicks.assert(3, "exporting the events of a user")?;
        // The browser saves the file; the story reads the same file.
        let script = "const done = arguments[arguments.length - 1];
            fetch(arguments[0]).then(answer => answer.text()).then(done, error => done(String(error)));";
        let csv = page.run_async(script, vec![json!(exports.first().context("a link to the CSV")?)]).await?;
        let lines: Vec<&str> = csv.as_str().context("a text")?.lines().skip(1).collect();
        let verified = lines.iter().any(|line| line.contains("DeviceVerified"));
        ensure!(verified && lines.iter().all(|line| line.contains("user operator-0")), "the file has {lines:#?}");

        page.visit("/").await?;
        clicks.one(page.follow("Timeline")).await?;
        clicks.one(page.press("Verify")).await?;
        page.shows("#proof", "nothing was altered").await?;
        clicks.assert(2, "verifying the log")
    })
    .await
}
