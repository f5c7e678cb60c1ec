//! Open pages follow events: soon, without moving what the user is reading, and again after a lost connection.

use super::centre::Centre;
use crate::support::browser::{Browsers, Look, Page};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;

/// How many events are measured.
const SAMPLES: usize = 60;
/// The promised median, in milliseconds.
const TARGET: i64 = 300;

/// Records when each event of a page's timeline is first visible, by this machine's clock.
const WATCH: &str = "window.seen = {};
    const look = () => requestAnimationFrame(() => {
        for (const line of document.querySelectorAll('#timeline li[id^=event-]')) window.seen[line.id.slice(6)] ??= Date.now();
    });
    look();
    new MutationObserver(look).observe(document.querySelector('main'), { childList: true, subtree: true, attributes: true });";

async fn seen(page: &Page) -> Result<HashMap<String, i64>> {
    Ok(serde_json::from_value(page.run("return window.seen", vec![]).await?)?)
}

/// When each event of a deployment was recorded, in milliseconds since 1970, by event number.
async fn recorded(centre: &Centre, deployment: &str, after: i64) -> Result<HashMap<String, i64>> {
    let path = format!("/api/v1/events?after={after}&limit=1000&aggregate=deployment/{deployment}");
    let events = centre.get(&path).await?;
    let of = |event: &Value| {
        let at = time::OffsetDateTime::parse(event["recorded_at"].as_str()?, &time::format_description::well_known::Rfc3339);
        Some((event["position"].to_string(), i64::try_from(at.ok()?.unix_timestamp_nanos() / 1_000_000).ok()?))
    };
    events["items"].as_array().context("items")?.iter().map(|event| of(event).context("a moment")).collect()
}

#[tokio::test]
async fn changes_appear_immediately_in_every_browser() -> Result<()> {
    let centre = Centre::start().await?;
    let deployment = centre.deploy("R640 no. 1", "10.20.0.11").await?;
    centre.plugin_is(&deployment, "dhcp", "waiting").await?;
    let path = format!("/deployments/{deployment}");
    Browsers::run_story("live", async |browsers| {
        let ada = centre.person(browsers, "operator", Look::default()).await?;
        let ben = centre.person(browsers, "operator", Look::default()).await?;
        for page in [&ada, &ben] {
            page.visit(&format!("{path}?tab=events")).await?;
            page.shows("#live-state", "Live").await?;
            page.run(WATCH, vec![]).await?;
        }
        let begun = centre.get("/readyz").await?["views_position"].as_i64().context("a position")?;
        // At the pace of people: events within a quarter of a second arrive in one message.
        let mut pace = tokio::time::interval(Duration::from_millis(330));
        for _ in 0..SAMPLES {
            pace.tick().await;
            centre.post(&format!("/api/v1{path}/plugins/dhcp/retry"), &json!({})).await?;
        }
        let recorded = recorded(&centre, &deployment, begun).await?;
        ensure!(recorded.len() >= SAMPLES, "only {} events are measured", recorded.len());
        for (page, name) in [(&ada, "Ada"), (&ben, "Ben")] {
            page.wait_until("every event is seen", async || {
                let seen = seen(page).await?;
                Ok(recorded.keys().all(|position| seen.contains_key(position)))
            })
            .await?;
            let seen = seen(page).await?;
            let mut delays: Vec<i64> = recorded.iter().map(|(position, at)| seen[position] - at).collect();
            delays.sort_unstable();
            let (median, last) = (delays[delays.len() / 2], delays[delays.len() * 99 / 100]);
            println!(
                "{name}: from event to visible change: median {median} ms, 99th percentile {last} ms, {} events",
                delays.len()
            );
            ensure!(median > 0 && median <= TARGET, "the median is {median} ms");
            // A machine that is also busy with other work may occasionally take longer.
            ensure!(last <= 10 * TARGET, "the 99th percentile is {last} ms");
        }
        // Ada cancels the deployment, and Ben's page shows it without any action.
        ada.follow("Cancel…").await?;
        ada.fill("Reason", "Ben must see it").await?;
        ada.press("Cancel deployment").await?;
        ben.shows("#head .note", "Ben must see it").await?;
        Ok(())
    })
    .await
}

/// The rows of a list, and how far below the top of the window the first of them is.
async fn rows(page: &Page) -> Result<Value> {
    let script = "const rows = [...document.querySelectorAll('main tbody tr')];
        return { ids: rows.map(row => row.id), top: Math.round(rows[0].getBoundingClientRect().top) };";
    page.run(script, vec![]).await
}

#[tokio::test]
async fn a_list_does_not_jump_but_says_how_many_are_new() -> Result<()> {
    let centre = Centre::start().await?;
    let first = centre.deploy("R640 no. 1", "10.20.0.11").await?;
    Browsers::run_story("list", async |browsers| {
        let page = centre.person(browsers, "viewer", Look::default()).await?;
        page.visit("/deployments").await?;
        page.shows("#live-state", "Live").await?;
        let before = rows(&page).await?;
        for (device, ip) in [("R640 no. 2", "10.20.0.12"), ("R640 no. 3", "10.20.0.13")] {
            centre.deploy(device, ip).await?;
        }
        page.shows("#news", "2 new rows").await?;
        let after = rows(&page).await?;
        ensure!(before == after, "the list was {before} and is {after}");
        // A change in an existing row appears in place.
        centre.post(&format!("/api/v1/deployments/{first}/cancel"), &json!({ "reason": "to be seen" })).await?;
        page.shows(&format!("#deployment-{first}"), "Cancelled").await?;
        page.follow("Show").await?;
        page.wait_until("all of them are shown", async || Ok(page.texts_of("main tbody tr").await?.len() == 3)).await
    })
    .await
}

#[tokio::test]
async fn a_page_says_that_the_connection_is_lost_and_catches_up() -> Result<()> {
    let centre = tokio::sync::Mutex::new(Centre::start().await?);
    let deployment = centre.lock().await.deploy("R640 no. 1", "10.20.0.11").await?;
    Browsers::run_story("lost", async |browsers| {
        let page = centre.lock().await.person(browsers, "viewer", Look::default()).await?;
        for words in ["net::ERR_", "htmx:sse:error"] {
            page.expects(words);
        }
        page.visit(&format!("/deployments/{deployment}")).await?;
        page.shows("#live-state", "Live").await?;
        page.run("window.unloaded = 'no'", vec![]).await?;
        centre.lock().await.kill()?;
        page.shows("#live-state", "Connection lost").await?;
        centre.lock().await.start_again().await?;
        let cancelled = json!({ "reason": "while no page was open" });
        centre.lock().await.post(&format!("/api/v1/deployments/{deployment}/cancel"), &cancelled).await?;
        page.shows("#head .note", "while no page was open").await?;
        page.shows("#live-state", "Live").await?;
        ensure!(page.run("return window.unloaded", vec![]).await? == "no", "the page was loaded again");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_silent_server_is_noticed_while_its_connection_stays_open() -> Result<()> {
    let centre = Centre::start().await?;
    let deployment = centre.deploy("R640 no. 1", "10.20.0.11").await?;
    Browsers::run_story("silent", async |browsers| {
        let page = centre.person(browsers, "viewer", Look::default()).await?;
        page.visit(&format!("/deployments/{deployment}")).await?;
        page.shows("#live-state", "Live").await?;
        centre.signal("STOP")?;
        page.shows("#live-state", "Connection lost").await?;
        centre.signal("CONT")?;
        let cancelled = json!({ "reason": "after it stood still" });
        centre.post(&format!("/api/v1/deployments/{deployment}/cancel"), &cancelled).await?;
        page.shows("#head .note", "after it stood still").await?;
        page.shows("#live-state", "Live").await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_first_connection_that_fails_is_tried_again() -> Result<()> {
    let centre = Centre::start().await?;
    Browsers::run_story("first", async |browsers| {
        let page = centre.person(browsers, "viewer", Look::default()).await?;
        for words in ["net::ERR_", "htmx:error"] {
            page.expects(words);
        }
        page.cuts_off(&["*/live*"]).await?;
        page.visit("/devices").await?;
        page.shows("#live-state", "Connection lost").await?;
        page.cuts_off(&[]).await?;
        page.shows("#live-state", "Live").await?;
        Ok(())
    })
    .await
}
