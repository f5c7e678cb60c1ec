//! Debian's Puppet against the running service: it gets its classes from the ENC script and applies them, and its reports end a
//! deployment or show why it does not end.

use crate::support::service::{Service, wait_for};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::Command;

const NODE: &str = "h200.dc1.example";
const MAC: &str = "52:54:00:00:00:01";
/// The status and the type of the answer about a node that Bootledger does not classify, as the ENC script prints them.
const NOT_FOUND: &str = "404 application/problem+json";
/// The header that represents the booting server: the service trusts a proxy on this machine.
const SERVER: (&str, &str) = ("X-Forwarded-For", "10.0.0.20");

/// Long enough for a machine that is busy with other work.
const PATIENCE: Duration = Duration::from_mins(2);

/// Puppet with folders of its own. It gets its classes from this service and reports to it.
pub(crate) struct Puppet {
    folder: TempDir,
    url: String,
}

impl Puppet {
    /// Puppet with two classes: one that fails while a file is missing, and one that prints its node.
    pub(crate) fn new(service: &Service) -> Result<Self> {
        let puppet = Self { folder: tempfile::tempdir()?, url: service.url("") };
        for environment in ["production", "staging"] {
            let module = puppet.path(&format!("environments/{environment}/modules/role/manifests"));
            std::fs::create_dir_all(&module)?;
            let web = "class role::web(String $flag, Integer $workers) {\n\
                       exec { \"/usr/bin/test -e ${flag}\": }\n\
                       notify { \"web of ${bootledger_venture} with ${workers} workers in tier ${tier}\": }\n}\n";
            std::fs::write(module.join("web.pp"), web)?;
            let db = "class role::db { notify { \"db of ${bootledger_venture} in ${environment}\": } }\n";
            std::fs::write(module.join("db.pp"), db)?;
        }
        std::fs::write(puppet.path("site.pp"), "")?;
        Ok(puppet)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs `puppet` with the ENC script.
    async fn run(&self, arguments: &[&str]) -> Result<Output> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/bootledger-enc");
        let mut command = Command::new("puppet");
        command.args(arguments).args(["--color", "false", "--node_terminus", "exec"]).arg("--external_nodes").arg(script);
        for (option, folder) in [("confdir", ""), ("codedir", ""), ("vardir", "var"), ("logdir", "log"), ("rundir", "run")] {
            command.arg(format!("--{option}")).arg(self.path(folder));
        }
        command.env("BOOTLEDGER_URL", &self.url).env("BOOTLEDGER_ENC_CONF", self.path("none")).stdin(Stdio::null());
        command.kill_on_drop(true).output().await.context("puppet cannot be run: install puppet-agent, as scripts/setup does")
    }

    /// The classification that Puppet gets for a node, or its error when there is none.
    async fn node(&self, certname: &str) -> Result<Result<String, String>> {
        let output = self.run(&["node", "find", certname, "--render-as", "yaml"]).await?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) })
    }

    /// Applies the node's classes and sends the report with this token. Returns all output of Puppet.
    pub(crate) async fn apply(&self, node: &str, token: &str) -> Result<String> {
        let url = self.url.replace("http://", &format!("http://puppet:{token}@")) + "/puppet/reports";
        let site = self.path("site.pp");
        let arguments = ["apply", "--certname", node, "--reports", "http", "--reporturl", &url];
        let output = self.run(&[&arguments[..], &[site.to_str().context("a path")?]].concat()).await?;
        Ok(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
    }
}

async fn define_catalogue(service: &Service, flag: &Path) -> Result<()> {
    let site = json!({
        "next_server": "10.0.0.2", "domain": "dc1.example", "zones": ["dc1.example", "10.in-addr.arpa"],
        "hostname_template": "h<200,699>.dc1.example",
    });
    service.put("/api/v1/sites/dc1", &site).await?;
    service.put("/api/v1/networks/prod", &json!({ "cidr": "10.0.0.0/24", "site": "dc1", "gateway": "10.0.0.1" })).await?;
    service.put("/api/v1/dhcp-servers/kea-1", &json!({ "site": "dc1", "kind": "kea" })).await?;
    service.put("/api/v1/boot-images/debian", &json!({ "done_by": "puppet" })).await?;
    let script = "#!ipxe\necho installs {{ hostname }}\n";
    service.put_bytes("/api/v1/boot-images/debian/files/boot.ipxe?kind=boot_ipxe&template=true", script).await?;
    service
        .put("/api/v1/ventures/group", &json!({ "puppet_parameters": { "tier": 3 }, "puppet_environment": "staging" }))
        .await?;
    service.put("/api/v1/ventures/shop", &json!({ "parent": "group", "default_boot_image": "debian" })).await?;
    let web =
        json!({ "puppet_classes": { "role::web": { "flag": flag, "workers": 4 } }, "puppet_parameters": { "tier": "0777" } });
    service.put("/api/v1/ventures/shop/roles/web", &web).await?;
    service.put("/api/v1/ventures/shop/roles/db", &json!({ "puppet_classes": ["role::db"] })).await?;
    Ok(())
}

/// Deploys the device with this role and plays the DHCP server. Returns the deployment's path once it is in progress.
async fn deploy(service: &Service, device: &str, role: &str) -> Result<String> {
    let wanted = json!({ "device": device, "venture": "shop", "role": role, "ip": SERVER.1, "hostname": NODE });
    let path = service.start_deployment(&wanted).await?;
    service.confirm_entry(&path, PATIENCE).await?;
    Ok(path)
}

/// Waits until the booting server gets this answer; the boot table may need a moment to follow.
async fn boot(service: &Service, path: &str, wanted: &str) -> Result<()> {
    let requested = async || {
        let answer = reqwest::Client::new().get(service.url(path)).header(SERVER.0, SERVER.1).send().await.ok()?;
        answer.text().await.ok()?.contains(wanted).then_some(())
    };
    wait_for(&format!("{path} answers {wanted}"), PATIENCE, requested).await
}

/// Waits until a deployment meets a condition; the views may not show the last change yet.
async fn reaches(service: &Service, path: &str, what: &str, is: impl Fn(&Value) -> bool) -> Result<Value> {
    let reached = async || service.get(path).await.ok().filter(&is);
    match wait_for(&format!("the deployment {what}"), PATIENCE, reached).await {
        Ok(deployment) => Ok(deployment),
        Err(error) => Err(error.context(service.get(path).await?.to_string())),
    }
}

#[tokio::test]
async fn puppet_applies_a_new_role_and_ends_its_deployment_when_that_succeeds() -> Result<()> {
    let service = Service::start(Ipv4Addr::LOCALHOST).await?;
    let puppet = Puppet::new(&service)?;
    let flag = puppet.path("flag");
    define_catalogue(&service, &flag).await?;
    let token = service.run(&["token", "create", "puppet", "--puppet-reports"]).await?.trim().to_owned();

    let reported = puppet.node(NODE).await?.expect_err("no device has the name");
    ensure!(reported.contains(NOT_FOUND) && reported.contains(NODE), "{reported}");
    let device = service.register(&json!({ "site": "dc1", "macs": [MAC], "venture": "shop", "role": "db" })).await?;

    let path = deploy(&service, &device, "web").await?;
    let reported = puppet.node(NODE).await?.map_err(anyhow::Error::msg)?;
    for part in ["environment: staging", "role::web:", "bootledger_role: web", "bootledger_venture: shop", "tier: '0777'"] {
        ensure!(reported.contains(part), "the node lacks {part:?}:\n{reported}");
    }
    ensure!(!reported.contains("role::db"), "{reported}");

    // The old system is still running: it has the new role, but it is not the new server.
    boot(&service, "/pxe/", "echo installs h200").await?;
    std::fs::write(&flag, "")?;
    let said = puppet.apply(NODE, &token).await?;
    ensure!(said.contains("web of shop with 4 workers in tier 0777") && !said.contains("Unable to submit report"), "{said}");
    let deployment = service.get(&path).await?;
    ensure!(deployment["status"] == "in_progress", "a run before the server was installed ended its deployment: {deployment}");

    // The server is installed: from now on it boots its disk.
    boot(&service, "/pxe/DONE/", "OK").await?;
    boot(&service, "/pxe/", "sanboot").await?;
    boot(&service, "/pxe/DONE/", "OK").await?;
    let installed = |deployment: &Value| deployment["status"] == "in_progress" && deployment["installed_at"].is_string();
    reaches(&service, &path, "is installed", installed).await?;

    // A failed run is shown with the agent's message.
    std::fs::remove_file(&flag)?;
    puppet.apply(NODE, &token).await?;
    let failed = |deployment: &Value| {
        let message = deployment["puppet_failure"]["messages"][0].as_str().unwrap_or_default();
        deployment["status"] == "in_progress" && message.contains("/usr/bin/test -e")
    };
    reaches(&service, &path, "shows why Puppet failed", failed).await?;
    let page = service.text("/deployments").await?;
    ensure!(page.contains("/usr/bin/test -e"), "{page}");
    puppet.apply(NODE, &token).await?;
    let lines = service.get(&format!("{path}/events?limit=1000")).await?;
    let failures =
        lines["items"].as_array().context("items")?.iter().filter(|line| line["event_type"] == "PuppetRunFailed").count();
    assert_eq!(failures, 1, "the same failure again is no news: {lines}");

    // Reports without a valid token end nothing.
    std::fs::write(&flag, "")?;
    let wrong = format!("{}0", &token[..token.len() - 1]);
    let wrong = if wrong == token { format!("{}1", &token[..token.len() - 1]) } else { wrong };
    let said = puppet.apply(NODE, &wrong).await?;
    ensure!(said.contains("Unable to submit report") && said.contains("401"), "{said}");
    ensure!(service.get(&path).await?["status"] == "in_progress", "a report with a wrong token ended the deployment");

    // The first successful run ends the deployment.
    puppet.apply(NODE, &token).await?;
    let done = |deployment: &Value| deployment["status"] == "done";
    let deployment = reaches(&service, &path, "is done", done).await?;
    ensure!(deployment["ended_by"] == "Puppet for h200.dc1.example" && deployment["puppet_failure"].is_null(), "{deployment}");
    boot(&service, "/pxe/", "sanboot").await?;

    // After the change of role, Puppet gets the new role and nothing of the old one.
    let path = deploy(&service, &device, "db").await?;
    let reported = puppet.node(NODE).await?.map_err(anyhow::Error::msg)?;
    ensure!(reported.contains("role::db") && !reported.contains("role::web") && reported.contains("tier: 3"), "{reported}");
    boot(&service, "/pxe/DONE/", "OK").await?;
    let said = puppet.apply(NODE, &token).await?;
    ensure!(said.contains("db of shop in staging"), "{said}");
    reaches(&service, &path, "is done", done).await?;

    service.post(&format!("/api/v1/devices/{device}/decommission"), &json!({ "reason": "old" })).await?;
    let reported = puppet.node(NODE).await?.expect_err("it is out of use");
    for fact in [NOT_FOUND, &device, "decommissioned"] {
        ensure!(reported.contains(fact), "{fact}: {reported}");
    }
    service.run(&["verify"]).await?;
    service.run(&["rebuild", "--compare"]).await?;
    Ok(())
}

/// What a short script can get wrong: invalid names, and a service that is down, slow, or not Bootledger at all.
#[tokio::test]
async fn the_enc_script_returns_only_bootledgers_data_of_the_node() -> Result<()> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/bootledger-enc");
    let folder = tempfile::tempdir()?;
    let configuration = folder.path().join("enc.conf");
    let run = async |url: &str, arguments: &[&str]| -> Result<(bool, String)> {
        std::fs::write(&configuration, format!("# where Bootledger is\nBOOTLEDGER_URL={url}\nBOOTLEDGER_ENC_TIMEOUT=1\n"))?;
        let mut command = Command::new(&script);
        command.args(arguments).env_remove("BOOTLEDGER_URL").env("BOOTLEDGER_ENC_CONF", &configuration);
        let output = command.output().await?;
        Ok((output.status.success(), String::from_utf8(output.stdout)?))
    };
    let service = Service::start(Ipv4Addr::LOCALHOST).await?;
    let url = service.url("");
    for name in
        ["", "-o/tmp/x", "a/../b", "a b", "a?at=1", "a%2e", "A.example", "a\nb", "..", ".a", "a.", "ä.example", "$(id).example"]
    {
        let (good, said) = run(&url, &[name]).await?;
        // The script itself refuses the name. A message about an answer of Bootledger has the name without quotes.
        ensure!(!good && said.starts_with(&format!("bootledger-enc: \"{name}\" ")), "{name:?}: {said}");
    }
    for arguments in [&[][..], &["a.example", "b.example"]] {
        ensure!(!run(&url, arguments).await?.0, "{arguments:?}");
    }
    let (good, said) = run(&url, &[NODE]).await?;
    ensure!(!good && said.contains(NOT_FOUND) && said.contains(NODE), "{said}");
    // This path answers 200 with something else.
    let (good, said) = run(&service.url("/api/docs?x="), &[NODE]).await?;
    ensure!(!good && said.contains("text/html"), "{said}");
    let silent = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let away = silent.local_addr()?;
    let (good, said) = run(&format!("http://{away}"), &[NODE]).await?;
    ensure!(!good && said.contains(&format!("http://{away} ")) && said.contains(NODE), "{said}");
    drop(silent);
    ensure!(!run(&format!("http://{away}"), &[NODE]).await?.0);
    ensure!(!run("", &[NODE]).await?.0, "no address was given");
    Ok(())
}
