//! Many clients leave addresses and names empty at the same moment: none is refused while a free one exists, and none is
//! assigned twice.

use crate::support::process::Process;
use crate::support::service::{Service, wait_for};
use anyhow::{Context, Result, ensure};
use futures::future::{BoxFuture, FutureExt, join_all};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

/// How long the deployments of a bulk action may take to start.
const PATIENCE: Duration = Duration::from_mins(1);

/// A request that starts deployments; its result has the status and the body.
type Deploying = BoxFuture<'static, Result<(StatusCode, String)>>;

fn mac(number: usize) -> String {
    format!("52:54:00:00:{:02x}:{:02x}", number / 256, number % 256)
}

/// A service with a site whose network has this many free addresses, and the ids of this many verified servers.
async fn data_centre(addresses: usize, servers: usize) -> Result<(Service, Vec<String>)> {
    let service = Service::start(Ipv4Addr::LOCALHOST).await?;
    let site = json!({
        "next_server": "10.0.0.2", "domain": "dc1.example", "zones": ["dc1.example", "10.in-addr.arpa"],
        "hostname_template": "h<200,699>.dc1.example",
    });
    service.put("/api/v1/sites/dc1", &site).await?;
    service.put("/api/v1/racks/r01", &json!({ "site": "dc1" })).await?;
    let network = json!({
        "cidr": "10.0.0.0/24", "site": "dc1", "gateway": "10.0.0.1", "racks": ["r01"],
        "margin_bottom": 10, "margin_top": 254 - 10 - addresses,
    });
    service.define(&site, &network).await?;
    service.put("/api/v1/ventures/shop", &json!({ "default_boot_image": "debian" })).await?;
    let mut devices = vec![];
    for number in 0..servers {
        let device = json!({ "site": "dc1", "rack": "r01", "macs": [mac(number)], "venture": "shop", "role": "web" });
        devices.push(service.register(&device).await?);
    }
    Ok((service, devices))
}

/// Another instance on the same database, reached with the first instance's token.
struct Instance {
    url: String,
    token: String,
    client: Client,
}

impl Instance {
    fn of(process: &Process, token: &str) -> Self {
        Self {
            url: process.url(""),
            token: token.to_owned(),
            client: Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client"),
        }
    }

    fn sent(request: RequestBuilder) -> Deploying {
        async move {
            let answer = request.send().await?;
            Ok((answer.status(), answer.text().await?))
        }
        .boxed()
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    fn form(&self, path: &str, fields: &[(&str, &str)]) -> Deploying {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        let request = self.post(path).header("Content-Type", "application/x-www-form-urlencoded").header("Accept", "text/html");
        Self::sent(request.body(body.finish()))
    }

    /// Deploys through the API.
    fn api(&self, device: &str) -> Deploying {
        Self::sent(self.post("/api/v1/deployments").json(&json!({ "device": device })))
    }

    /// Deploys on the page, with address and name emptied.
    fn page(&self, device: &str, mac: &str) -> Deploying {
        let fields = [("venture", "shop"), ("role", "web"), ("boot_image", "debian"), ("mac", mac), ("ip", ""), ("hostname", "")];
        self.form(&format!("/devices/{device}/deploy"), &fields)
    }

    /// Deploys on the page, with all suggested values unchanged.
    async fn page_untouched(&self, device: &str) -> Result<Deploying> {
        let path = format!("/devices/{device}/deploy");
        let request = self.client.get(format!("{}{path}", self.url)).bearer_auth(&self.token).header("Accept", "text/html");
        let page = request.send().await?.error_for_status()?.text().await?;
        let value = |name: &str| -> Result<String> {
            let input = page.split('<').find(|tag| tag.starts_with("input") && tag.contains(&format!("name=\"{name}\"")));
            let input = input.with_context(|| format!("the form has no {name}"))?;
            Ok(input.split("value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned())
        };
        let hidden = [value("suggested_mac")?, value("suggested_ip")?, value("suggested_hostname")?];
        let (ip, hostname) = (value("ip")?, value("hostname")?);
        ensure!(
            !ip.is_empty() && ip == hidden[1] && hostname == hidden[2],
            "the form suggests nothing: {ip} {hostname} {hidden:?}"
        );
        let fields = [
            ("venture", "shop"),
            ("role", "web"),
            ("boot_image", "debian"),
            ("mac", &hidden[0]),
            ("ip", &ip),
            ("hostname", &hostname),
            ("suggested_mac", &hidden[0]),
            ("suggested_ip", &hidden[1]),
            ("suggested_hostname", &hidden[2]),
        ];
        Ok(self.form(&path, &fields))
    }

    /// Deploys several servers from the list.
    fn bulk(&self, devices: &[String]) -> Deploying {
        let mut fields = vec![("what", "deploy"), ("list", "/devices")];
        fields.extend(devices.iter().map(|device| ("do", device.as_str())));
        self.form("/devices/bulk/do", &fields)
    }

    /// Deploys new servers from a CSV file.
    fn csv(&self, macs: impl IntoIterator<Item = String>) -> Deploying {
        let rows: Vec<String> = macs.into_iter().map(|mac| format!("{mac},shop,web,debian,prod\n")).collect();
        let rows = rows.concat();
        let request = self.post("/api/v1/imports").header("Content-Type", "text/csv");
        Self::sent(request.body(format!("mac,venture,role,boot_image,network\n{rows}")))
    }
}

/// The distinct addresses and names of all deployments, and the number of deployments.
async fn given(service: &Service) -> Result<(BTreeSet<String>, BTreeSet<String>, usize)> {
    let all = service.get("/api/v1/deployments?limit=1000").await?;
    let all = all["items"].as_array().context("no deployments")?;
    let of = |name: &str| all.iter().filter_map(|deployment| deployment[name].as_str()).map(str::to_owned).collect();
    Ok((of("ip"), of("hostname"), all.len()))
}

#[tokio::test]
async fn sixty_four_parallel_clients_of_every_kind_share_exactly_as_many_addresses() -> Result<()> {
    // 20 + 12 + 12 by API and page, 2 x 6 in bulk, 2 x 4 by CSV: 64.
    let (service, devices) = data_centre(64, 56).await?;
    let other = Process::start(Ipv4Addr::LOCALHOST, service.database().url()).await?;
    let instances = [Instance::of(&service, service.token()), Instance::of(&other, service.token())];
    let instance = |number: usize| &instances[number % 2];
    let mut clients = vec![];
    for (number, device) in devices.iter().enumerate() {
        match number {
            0..20 => clients.push(instance(number).api(device)),
            20..32 => clients.push(instance(number).page(device, &mac(number))),
            32..44 => clients.push(instance(number).page_untouched(device).await?),
            _ => {}
        }
    }
    clients.push(instance(0).bulk(&devices[44..50]));
    clients.push(instance(1).bulk(&devices[50..56]));
    clients.push(instance(0).csv((100..104).map(mac)));
    clients.push(instance(1).csv((104..108).map(mac)));
    for (status, text) in join_all(clients).await.into_iter().collect::<Result<Vec<_>>>()? {
        ensure!(status.is_success() || status == StatusCode::SEE_OTHER, "{status}: {text}");
    }
    // The two bulk actions start their deployments in the background.
    let (ips, hostnames, count) = wait_for("64 deployments are started", PATIENCE, async || {
        given(&service).await.ok().filter(|(_, _, count)| *count == 64)
    })
    .await?;
    ensure!((ips.len(), hostnames.len(), count) == (64, 64, 64), "{count} deployments, {ips:?}, {hostnames:?}");
    Ok(())
}

#[tokio::test]
async fn with_one_address_too_few_exactly_one_client_is_refused_for_a_full_network() -> Result<()> {
    let (service, devices) = data_centre(23, 24).await?;
    let other = Process::start(Ipv4Addr::LOCALHOST, service.database().url()).await?;
    let instances = [Instance::of(&service, service.token()), Instance::of(&other, service.token())];
    let clients = devices.iter().enumerate().map(|(number, device)| instances[number % 2].api(device));
    let answers = join_all(clients).await.into_iter().collect::<Result<Vec<_>>>()?;
    let refused: Vec<&(StatusCode, String)> = answers.iter().filter(|(status, _)| !status.is_success()).collect();
    ensure!(refused.len() == 1 && refused[0].1.contains("network_full"), "{refused:?}");
    let (ips, hostnames, count) = given(&service).await?;
    ensure!((ips.len(), hostnames.len(), count) == (23, 23, 23), "{count} deployments, {ips:?}, {hostnames:?}");
    Ok(())
}

#[tokio::test]
async fn an_entered_address_in_use_is_refused_with_its_holder_and_a_suggested_one_is_replaced() -> Result<()> {
    let (service, devices) = data_centre(8, 3).await?;
    let instance = Instance::of(&service, service.token());
    let suggested = instance.page_untouched(&devices[1]).await?;
    let taken: Value = service.post("/api/v1/deployments", &json!({ "device": devices[0], "ip": "10.0.0.11" })).await?;
    ensure!(taken["ip"] == "10.0.0.11", "{taken}");
    let (status, text) = suggested.await?;
    ensure!(status == StatusCode::SEE_OTHER, "{status}: {text}");
    let all = service.get("/api/v1/deployments").await?;
    let second = all["items"].as_array().context("no deployments")?.iter().find(|of| of["device"] == devices[1].as_str());
    let second = second.context("no second deployment")?;
    ensure!(second["ip"] == "10.0.0.12", "{second}");
    let id = second["id"].as_str().context("no id")?;
    let page = service.text(&format!("/deployments/{id}?instead_of_ip=10.0.0.11")).await?;
    // One note names the address that another device took, and the one that was chosen.
    let mut paragraphs = page.split("<p>").skip(1).filter_map(|rest| rest.split("</p>").next());
    ensure!(paragraphs.any(|text| text.contains("10.0.0.11") && text.contains("10.0.0.12")), "{page}");

    let wanted = instance.post("/api/v1/deployments").json(&json!({ "device": devices[2], "ip": "10.0.0.11" }));
    let (status, text) = Instance::sent(wanted).await?;
    let holder = format!("device {}", devices[0]);
    ensure!(
        status == StatusCode::UNPROCESSABLE_ENTITY && text.contains("ip_claimed") && text.contains(&holder),
        "{status}: {text}"
    );
    Ok(())
}
