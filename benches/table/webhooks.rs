//! Events per second delivered to a webhook's receiver, compared with the same number of bare POST requests.

use crate::cluster::Cluster;
use crate::log::Log;
use crate::process::{Process, wait_for};
use crate::report::{Report, Row, rate};
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpResponse, HttpServer};
use anyhow::{Result, ensure};
use futures::{StreamExt, TryStreamExt};
use serde_json::json;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How many devices are registered, with two events each.
const DEVICES: u32 = 25_000;

/// How many POST requests are in flight at once, as in the service.
const AT_ONCE: usize = 8;

const LIMIT: Duration = Duration::from_mins(10);

/// Delivers a whole log to a webhook.
pub(crate) async fn measure(cluster: &Cluster, report: &mut Report) -> Result<()> {
    let url = cluster.database("webhooks").await?;
    let database = cluster.open(&url).await?;
    Log::open(database.pool.clone()).await?.register(0..DEVICES).await?;
    database.close().await?;
    let service = Process::start(Ipv4Addr::LOCALHOST, url).await?;
    wait_for("the views show everything", LIMIT, async || (service.get("/readyz").await.ok()?["lag"] == 0).then_some(())).await?;

    let taken = Data::new(AtomicUsize::new(0));
    let counter = taken.clone();
    let app = move || App::new().app_data(counter.clone()).default_service(web::to(receive));
    let server = HttpServer::new(app).workers(1).disable_signals().bind((Ipv4Addr::LOCALHOST, 0))?;
    let receiver = format!("http://{}/hook", server.addrs()[0]);
    let server = server.run();
    let handle = server.handle();
    tokio::spawn(server);

    let events = 2 * DEVICES as usize;
    let bare = posted(&receiver, events).await?;
    ensure!(taken.swap(0, Ordering::Relaxed) == events, "not all posts arrived");
    service.write_secret("hook", "whsec_c2VjcmV0IG9mIHRoZSB0ZXN0cywgMzIgYnl0ZXMgbG8=")?;
    service.put("/api/v1/webhooks/bench", &json!({ "url": receiver, "events": ["device.*"], "secret": "hook" })).await?;
    let begun = Instant::now();
    service.post("/api/v1/webhooks/bench/position", &json!({ "after": 0, "reason": "bench" })).await?;
    let all = async || (taken.load(Ordering::Relaxed) >= events).then_some(());
    wait_for("the receiver has taken everything", LIMIT, all).await?;
    let message = rate(events, begun.elapsed().as_secs_f64());
    report.add(Row {
        what: format!("webhook: {events} events of {DEVICES} devices delivered to a local receiver, {AT_ONCE} at once"),
        measured: format!("{message:.0}/s; memory {} MB at most", service.memory("VmHWM")? / 1024),
        limit: format!("{bare:.0}/s (bare posts, {AT_ONCE} at once)"),
        target: format!("{:.2}", message / bare),
        met: None,
    });
    handle.stop(false).await;
    Ok(())
}

async fn receive(received: Data<AtomicUsize>, _: Bytes) -> HttpResponse {
    received.fetch_add(1, Ordering::Relaxed);
    HttpResponse::Ok().finish()
}

/// POST requests of the size of an event, per second.
async fn posted(receiver: &str, count: usize) -> Result<f64> {
    let (client, body) = (reqwest::Client::new(), "x".repeat(500));
    let begun = Instant::now();
    let posts = futures::stream::iter(0..count).map(|_| client.post(receiver).body(body.clone()).send());
    posts.buffer_unordered(AT_ONCE).try_for_each(async |answer| answer.error_for_status().map(drop)).await?;
    Ok(rate(count, begun.elapsed().as_secs_f64()))
}
