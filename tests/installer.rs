//! An installer against the running service: its reports, a restart in the middle, and requests in a loop.

mod bounds;

use crate::support::service::{Service, dc1, wait_for};
use anyhow::{Context, Result, ensure};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::time::Duration;

/// How long a step may take on a machine that is busy with other work.
const PATIENCE: Duration = Duration::from_mins(3);

/// The address that represents the server: the service trusts a proxy on this machine.
const SERVER: &str = "10.0.0.11";

/// A server that is being installed from an image that boots once from the network, and the URLs that its installer knows.
pub(crate) struct Installing {
    service: Service,
    /// The API path of its deployment.
    deployment: String,
    device: String,
    /// The path of its boot files: `/pxe/t/TOKEN`.
    files: String,
    client: Client,
}

impl Installing {
    pub(crate) async fn start() -> Result<Self> {
        let service = Service::start(Ipv4Addr::LOCALHOST).await?;
        service.define(&dc1(), &json!({ "cidr": "10.0.0.0/24", "site": "dc1", "gateway": "10.0.0.1" })).await?;
        service.put("/api/v1/dhcp-servers/kea-1", &json!({ "site": "dc1", "kind": "kea" })).await?;
        service.put("/api/v1/boot-images/debian", &json!({ "network_boot": "once" })).await?;
        let answers = "# {{ done_url }}\n";
        service.put_bytes("/api/v1/boot-images/debian/files/preseed.cfg?kind=kickstart&template=true", answers).await?;
        let device = json!({ "site": "dc1", "macs": ["52:54:00:00:00:01"], "serial": "S-1", "venture": "shop", "role": "web" });
        let device = service.register(&device).await?;
        let wanted = json!({ "device": device, "boot_image": "debian", "network": "prod", "ip": SERVER });
        let deployment = service.start_deployment(&wanted).await?;
        service.confirm_entry(&deployment, PATIENCE).await?;
        let mut installing = Self { service, deployment, device, files: String::new(), client: Client::new() };
        let script = wait_for("the script comes", PATIENCE, async || {
            installing.boots().await.ok().filter(|script| script.contains("/DONE"))
        })
        .await?;
        let at = script.find("/pxe/t/").context("no URL with a token")?;
        installing.files = script[at..].chars().take("/pxe/t/".len() + 64).collect();
        Ok(installing)
    }

    /// The answer that the server gets at `/pxe/`.
    async fn boots(&self) -> Result<String> {
        let request = self.client.get(self.service.url("/pxe/")).header("X-Forwarded-For", SERVER);
        Ok(request.send().await?.error_for_status()?.text().await?)
    }

    /// Sends a request below the token's URL from this address and returns the status.
    async fn request(&self, method: Method, path: &str, from: &str, body: Vec<u8>) -> Result<u16> {
        let url = self.service.url(&format!("{}/{path}", self.files));
        let request = self.client.request(method, url).header("X-Forwarded-For", from).body(body);
        Ok(request.send().await?.status().as_u16())
    }

    async fn report(&self, report: &str) -> Result<u16> {
        self.request(Method::POST, "progress", SERVER, report.as_bytes().to_vec()).await
    }

    async fn installer(&self) -> Result<Value> {
        Ok(self.service.get(&self.deployment).await?["installer"].clone())
    }

    /// Waits until what the API shows of the installer meets this condition.
    async fn shows(&self, what: &str, is: impl Fn(&Value) -> bool) -> Result<Value> {
        let shown = wait_for(what, PATIENCE, async || self.installer().await.ok().filter(|installer| is(installer))).await;
        match shown {
            Ok(shown) => Ok(shown),
            Err(error) => Err(error.context(self.installer().await?.to_string())),
        }
    }

    /// Waits until the server gets the script that boots its disk, or its image's script.
    async fn boots_into(&self, what: &str) -> Result<()> {
        wait_for(&format!("/pxe/ has {what}"), PATIENCE, async || {
            self.boots().await.ok().filter(|script| script.contains(what)).map(drop)
        })
        .await
    }

    async fn events(&self, event_type: &str) -> Result<i64> {
        let pool = self.service.database().pool(1).await?;
        Ok(sqlx::query_scalar("SELECT count(*) FROM events WHERE event_type = $1").bind(event_type).fetch_one(&pool).await?)
    }
}

const SCRIPT: &str = "echo h";
const DISK: &str = "sanboot";

#[tokio::test]
async fn a_server_that_its_installer_restarts_boots_its_disk_and_is_installed_once() -> Result<()> {
    let installing = Installing::start().await?;
    // An attempt that stops before it fetches the answer file changes nothing, and neither does a HEAD request.
    for _ in 0..3 {
        ensure!(installing.boots().await?.contains(SCRIPT));
        ensure!(installing.request(Method::HEAD, "preseed.cfg", SERVER, vec![]).await? == 200);
    }
    installing.boots_into(SCRIPT).await?;
    ensure!(installing.installer().await?["next_boot"] == "network");

    // Stages of the installer fetch the same file from other interfaces and addresses.
    for from in [SERVER, "10.0.0.99", "203.0.113.7"] {
        for _ in 0..3 {
            ensure!(installing.request(Method::GET, "preseed.cfg", from, vec![]).await? == 200);
        }
    }
    let shown = installing.shows("the disk is next", |installer| installer["next_boot"] == "disk").await?;
    ensure!(shown["next_boot_reason"]["answers_served"]["file"] == "preseed.cfg", "{shown}");
    ensure!(shown["last_file"] == "preseed.cfg" && shown["last_file_at"].is_string(), "{shown}");
    installing.boots_into(DISK).await?;
    ensure!(installing.request(Method::GET, "preseed.cfg", SERVER, vec![]).await? == 200, "files stay");
    installing.shows("the restart is visible", |installer| installer["last_file"] == "local-disk").await?;

    // An operator requests another installation, and the installer itself decides the next boot.
    installing.service.post(&format!("{}/next-boot", installing.deployment), &json!({ "boot": "network" })).await?;
    installing.boots_into(SCRIPT).await?;
    ensure!(installing.report("next_boot=disk").await? == 200);
    installing.boots_into(DISK).await?;
    let refused = installing.service.post(&format!("{}/next-boot", installing.deployment), &json!({ "boot": "cdrom" })).await;
    ensure!(refused.is_err(), "an unknown boot was taken");

    ensure!(installing.request(Method::GET, "DONE", "203.0.113.7", vec![]).await? == 200);
    wait_for("the deployment is done", PATIENCE, async || {
        (installing.service.get(&installing.deployment).await.ok()?["status"] == "done").then_some(())
    })
    .await?;
    installing.boots_into("no deployment is in progress").await?;
    for (path, body) in [("progress", "stage=late"), ("log", "the end")] {
        ensure!(installing.request(Method::POST, path, SERVER, body.into()).await? == 404, "{path} after the end");
    }
    Ok(())
}

#[tokio::test]
async fn reports_of_an_installer_are_shown_and_a_failure_until_the_next_stage() -> Result<()> {
    let installing = Installing::start().await?;
    let token = installing.files.rsplit('/').next().context("a token")?.to_owned();
    ensure!(installing.request(Method::GET, "progress?stage=partition&percent=40", "203.0.113.7", vec![]).await? == 200);
    let text = format!("stage=partition&failed=1&text=cannot+fetch+http://boot/pxe/t/{token}/x:+<b>404</b>%0a");
    ensure!(installing.report(&text).await? == 200);
    let shown = installing.shows("it failed", |installer| installer["failed"] == true).await?;
    ensure!(shown["text"] == "cannot fetch http://boot/pxe/t/••••••/x: <b>404</b>" && shown["percent"] == 40, "{shown}");

    // A failed installer counts wherever a failed plugin counts.
    let id = installing.deployment.rsplit('/').next().context("an id")?;
    let failing = installing.service.get("/api/v1/deployments?plugin=failed").await?;
    ensure!(failing["items"][0]["id"] == id, "{failing}");
    let page = installing.service.text(&format!("/deployments/{id}")).await?;
    ensure!(page.contains("note bad") && page.contains("&lt;b&gt;404&lt;/b&gt;"), "the page does not say it");
    let cell = |page: &str, label: &str| {
        let begin = format!("data-label=\"{label}\"");
        let cells = page.split(begin.as_str()).skip(1).filter_map(|rest| rest.split("</td>").next());
        cells.map(str::to_owned).find(|cell| cell.contains("partition")).unwrap_or_default()
    };
    let dashboard = installing.service.text("/").await?;
    ensure!(cell(&dashboard, "Reason").contains("&lt;b&gt;404&lt;/b&gt;"), "the dashboard does not say it");
    let list = installing.service.text("/deployments").await?;
    ensure!(cell(&list, "Waiting for").contains("badge bad"), "the list does not say it");

    let log: Vec<u8> = [vec![b'x'; 100_000], format!("\nwget http://boot/pxe/t/{token}/preseed.cfg\n").into_bytes()].concat();
    ensure!(installing.request(Method::PUT, "log", SERVER, log.clone()).await? == 200);
    ensure!(installing.request(Method::POST, "log", SERVER, log).await? == 200, "sent again");
    installing.shows("there is a log", |installer| installer["log"]["size"] == 65_536).await?;
    let answer = installing.service.answer(&format!("{}/installer-log", installing.deployment)).await?;
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    ensure!(header("content-type") == "text/plain; charset=utf-8" && header("x-content-type-options") == "nosniff");
    ensure!(header("content-disposition").starts_with("attachment; filename=\"h"), "{}", header("content-disposition"));
    let log = answer.text().await?;
    ensure!(log.ends_with("wget http://boot/pxe/t/••••••/preseed.cfg\n") && log.len() == 65_536);
    ensure!(installing.events("InstallerLogReceived").await? == 1);

    let json = json!({ "stage": "base", "percent": 3, "text": null }).to_string();
    ensure!(installing.report(&json).await? == 200);
    installing.shows("it goes on", |installer| installer["failed"] == false && installer["stage"] == "base").await?;
    let failing = installing.service.get("/api/v1/deployments?plugin=failed").await?;
    ensure!(failing["items"].as_array().is_some_and(Vec::is_empty), "{failing}");

    // Nothing that is stored contains the token.
    let pool = installing.service.database().pool(1).await?;
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM events WHERE payload::text LIKE '%' || $1 || '%'")
        .bind(&token[33..])
        .fetch_one(&pool)
        .await?;
    ensure!(kept == 0, "{kept} events have the token");
    let lines = installing.service.get(&format!("{}/events", installing.deployment)).await?.to_string();
    ensure!(lines.contains("InstallerFailed") && !lines.contains(&token));
    ensure!(installing.service.get(&format!("/api/v1/devices/{}", installing.device)).await?["id"] == installing.device.as_str());
    Ok(())
}
