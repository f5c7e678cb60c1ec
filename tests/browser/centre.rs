//! The data centre of the stories: the demo's, with signed-in users, a DHCP server whose agent the test plays, and servers that
//! the test plays by requests.

use crate::support::browser::{Browsers, Look, PATIENCE, Page};
use crate::support::person::Person;
use crate::support::process::Process;
use crate::support::service::{Service, wait_for};
use anyhow::{Context, Result, ensure};
use reqwest::StatusCode;
use serde_json::json;
use std::net::Ipv4Addr;
use std::ops::{Deref, DerefMut};
use std::path::Path;

/// A service with the data centre.
pub(super) struct Centre(Service);

impl Deref for Centre {
    type Target = Service;

    fn deref(&self) -> &Service {
        &self.0
    }
}

impl DerefMut for Centre {
    fn deref_mut(&mut self) -> &mut Service {
        &mut self.0
    }
}

/// The MAC address of a server that is not registered yet.
pub(super) const NEW: &str = "52:54:00:d1:00:99";

/// The user of [`Centre::complete`], a viewer with a session.
pub(super) const USER: &str = "kim";

/// The secret that signs the messages of a webhook.
const SECRET: &str = "whsec_c2VjcmV0IG9mIHRoZSB0ZXN0cywgMzIgYnl0ZXMgbG8=";

/// Registers a server through the pages, starting from the dashboard. Returns the path of its page.
pub(super) async fn register(page: &Page) -> Result<String> {
    page.visit("/").await?;
    page.follow("Devices").await?;
    page.follow("Register a device").await?;
    for (label, value) in [("Name", "R650 no. 1"), ("Serial number", "SVC7Q99"), ("Interfaces", NEW), ("Site", "dc1")] {
        page.fill(label, value).await?;
    }
    page.fill("Rack", "dc1-r01").await?;
    page.fill("Venture and role", "shop/web").await?;
    page.press("Register").await?;
    page.arrives_at("/devices/0").await
}

/// Creates a user with this role who has already chosen a password. Returns that password.
pub(super) async fn user(service: &Process, name: &str, role: &str) -> Result<String> {
    let password = format!("{name} likes long passwords");
    service.run_with(&["user", "create", name, "--role", role, "--password-stdin"], &password).await?;
    Ok(password)
}

/// Fills in and submits the sign-in page and waits for the answer. Without the wait, the answer would replace the page that the
/// test visits next.
pub(super) async fn sign_in(page: &Page, name: &str, password: &str) -> Result<()> {
    page.visit("/sign-in").await?;
    page.fill("User name", name).await?;
    page.fill("Password", password).await?;
    page.run("window.unanswered = true", vec![]).await?;
    page.press("Sign in").await?;
    let answered = "return !window.unanswered && document.readyState === 'complete'";
    page.wait_until("signing in is answered", async || Ok(page.run(answered, vec![]).await? == true)).await
}

impl Centre {
    /// Starts the service with the data centre.
    pub(super) async fn start() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let recipes = root.join("images/tests/library").display().to_string();
        let program = env!("CARGO_BIN_EXE_bootledger").into();
        let service = Service::start_with(Ipv4Addr::LOCALHOST, program, vec!["--image-recipes".to_owned(), recipes]).await?;
        let catalogue = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/demo/catalogue.yaml");
        service.run(&["import", "--catalogue", catalogue.to_str().context("a path")?]).await?;
        Ok(Self(service))
    }

    /// Adds an object of each kind that the demo lacks, so that every page has something to show: a download, a reservation, a
    /// token, a user with a session and a shared view, a locked device, a bulk action with a refused row, and a webhook with a
    /// failing event. Waits until the bulk action has ended and the delivery has failed.
    pub(super) async fn complete(&self) -> Result<()> {
        // The mirror of this download does not exist.
        self.post("/api/v1/image-library/netboot/add", &json!({})).await?;
        self.put("/api/v1/networks/dc1-prod/reservations/10.20.3.9", &json!({ "note": "For the new firewall" })).await?;
        self.run(&["token", "create", "inventory", "--role", "viewer"]).await?;
        let password = user(self, USER, "viewer").await?;
        let view = [("list", "devices"), ("query", "site=dc1&sort=name"), ("name", "Servers of dc1"), ("shared", "true")];
        let saved = Person::signed_in(self, USER, &password).await?.send("/views", &view).await?;
        ensure!(saved.status == StatusCode::SEE_OTHER, "the view was not saved: {saved:?}");
        let lock = format!("/api/v1/devices/{}/lock", self.device("R640 no. 3").await?);
        self.post(&lock, &json!({ "reason": "It holds the only copy of the logs" })).await?;
        self.write_secret("hook", SECRET)?;
        // Nothing listens on this port.
        let webhook = json!({ "url": "http://127.0.0.1:9/hook", "events": ["device.*"], "secret": "hook" });
        self.put("/api/v1/webhooks/tickets", &webhook).await?;
        // The second device is not verified.
        let ids = [self.device("XL170r no. 2").await?, self.device("R640 no. 4").await?];
        let change = json!({ "action": "deploy", "venture": "infra", "role": "spare" });
        let bulk = self.create("/api/v1/bulk-actions", &json!({ "change": change, "ids": ids })).await?;
        let path = format!("/api/v1/bulk-actions/{bulk}");
        let has_ended = async || self.get(&path).await.ok()?["ended_at"].is_string().then_some(());
        wait_for("the bulk action has ended", PATIENCE, has_ended).await?;
        let fails = async || {
            let webhook = self.get("/api/v1/webhooks/tickets").await.ok()?;
            (webhook["delivery"]["failing_aggregates"].as_u64()? > 0).then_some(())
        };
        wait_for("a delivery fails", PATIENCE, fails).await
    }

    /// A window in which a user with this role has signed in.
    pub(super) async fn person(&self, browsers: &Browsers, role: &str, look: Look) -> Result<Page> {
        // Each window has a user of its own.
        let name = format!("{role}-{}", browsers.count());
        let password = user(self, &name, role).await?;
        let page = browsers.open(self, look).await?;
        sign_in(&page, &name, &password).await?;
        Ok(page)
    }

    /// The id of a device of the demo.
    pub(super) async fn device(&self, name: &str) -> Result<String> {
        let devices = self.get("/api/v1/devices").await?;
        let mut all = devices["items"].as_array().into_iter().flatten();
        let device = all.find(|device| device["name"] == name).with_context(|| format!("there is no device {name}"))?;
        Ok(device["id"].as_str().context("an id")?.to_owned())
    }

    /// Starts a deployment of this device of the demo through the API.
    pub(super) async fn deploy(&self, device: &str, ip: &str) -> Result<String> {
        let device = self.device(device).await?;
        let wanted = json!({ "device": device, "venture": "shop", "role": "web", "ip": ip });
        self.create("/api/v1/deployments", &wanted).await
    }

    /// Waits until a plugin of a deployment has this status.
    pub(super) async fn plugin_is(&self, deployment: &str, plugin: &str, status: &str) -> Result<()> {
        let path = format!("/api/v1/deployments/{deployment}");
        let stands = async || {
            let answer = self.get(&path).await.ok()?;
            answer["plugins"].as_array()?.iter().any(|run| run["plugin"] == plugin && run["status"] == status).then_some(())
        };
        wait_for(&format!("{plugin} is {status}"), PATIENCE, stands).await
    }

    /// Boots the server with this address from the network and expects these words in the answer.
    pub(super) async fn boots(&self, ip: &str, words: &str) -> Result<()> {
        let requested = async || self.request_at("/pxe/", ip).await.ok().filter(|answer| answer.contains(words)).map(drop);
        wait_for(&format!("{ip} gets {words:?}"), PATIENCE, requested).await
    }

    /// Reports for the server with this address that it is installed.
    pub(super) async fn is_installed(&self, ip: &str) -> Result<()> {
        let answer = self.request_at("/pxe/DONE/", ip).await?;
        ensure!(answer.contains("OK"), "{answer}");
        Ok(())
    }

    /// The service's answer to a server with this address; the service trusts a proxy on this machine.
    async fn request_at(&self, path: &str, ip: &str) -> Result<String> {
        let request = reqwest::Client::new().get(self.url(path)).header("X-Forwarded-For", ip);
        Ok(request.send().await?.error_for_status()?.text().await?)
    }
}
