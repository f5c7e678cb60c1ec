//! The whole chain without a manual step: after one API call, a UEFI server restarts through its management controller, is
//! installed and gets its role, by way of BIND, Kea, TFTP, iPXE and Puppet. Each of them is down, slow, and refuses in turn.

use crate::puppet::Puppet;
use crate::support::bmc::{Chassis, IpmiSim, PASSWORD};
use crate::support::dns::{DnsServer, KEY, Software};
use crate::support::lab::{DhcpServer, Firmware, Lab, Vm, VmOptions};
use crate::support::service::{Service, wait_for};
use crate::vm_deploys::{Kind, MAC, PATIENCE, define_catalogue, site, zones};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use tokio::process::Child;
use tokio::sync::Mutex;

const NODE: &str = "h200.lab.example";

#[tokio::test]
async fn a_uefi_server_is_deployed_without_manual_steps() -> Result<()> {
    let lab = Lab::new().await?;
    let (dns, bmc) = (bind(&lab).await?, IpmiSim::start().await?);
    let (service, puppet) = service(&lab, &dns).await?;
    let (vm, chassis) = (Mutex::default(), bmc.chassis());
    let story = async {
        let (_kea, _keeper) = kea(&service, &lab).await?;
        let deployment = deploy(&service, &bmc).await?;
        service.reaches(&deployment, "in_progress", PATIENCE).await?;
        installed(&service, &deployment).await?;
        ensure!(restarts(&bmc) == ["set power 0", "set power 1"], "{:?}", bmc.orders());
        assert_eq!(dns.dig(&[NODE, "A"])?, lab.server_address(1).to_string());
        assert_eq!(dns.dig(&["-x", &lab.server_address(1).to_string()])?, format!("{NODE}."));
        std::fs::write(puppet.path("flag"), "")?;
        let said = puppet.apply(NODE, &puppet_token(&service).await?).await?;
        ensure!(said.contains("web of shop with 4 workers in tier 2"), "{said}");
        service.reaches(&deployment, "done", PATIENCE).await?;
        let sent = service.measured("bootledger_tftp_transfers_total{outcome=\"sent\"}").await?;
        ensure!(sent == 1, "{sent} files were sent over TFTP");
        service.run(&["verify"]).await?;
        Ok(())
    };
    with_board(&lab, &chassis, &vm, story).await
}

#[tokio::test]
async fn a_deployment_names_each_system_that_is_down_slow_or_refusing_and_continues_by_itself() -> Result<()> {
    let lab = Lab::new().await?;
    let (mut dns, mut bmc) = (bind(&lab).await?, IpmiSim::start().await?);
    let (mut service, puppet) = service(&lab, &dns).await?;
    let (vm, chassis) = (Mutex::default(), bmc.chassis());
    let story = async {
        // The DNS primary: down, silent, and with another key.
        dns.stop()?;
        let (kea, mut keeper) = kea(&service, &lab).await?;
        keeper.kill().await?;
        let deployment = deploy(&service, &bmc).await?;
        let primary = format!("127.0.0.1:{}", dns.port());
        message(&service, &deployment, "dns", "waiting", &format!("{primary} does not accept DNS updates")).await?;
        let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, dns.port()))?;
        message(&service, &deployment, "dns", "waiting", &format!("{primary} does not accept DNS updates")).await?;
        drop(silent);
        service.write_secret("tsig-lab", "bm90IHRoZSBrZXkgdGhhdCB0aGUgc2VydmVyIGhhcyE=")?;
        dns.resume().await?;
        message(&service, &deployment, "dns", "waiting", "has another secret for the key").await?;
        service.write_secret("tsig-lab", KEY.1)?;

        // The DHCP server: without an agent; with an agent whose check fails; with a slow reload. The controller is down from
        // here on.
        bmc.stop()?;
        message(&service, &deployment, "dhcp", "waiting", "dhcp-1").await?;
        let (refuse, slow) = (lab.folder().join("refuse"), lab.folder().join("slow"));
        for file in [&refuse, &slow] {
            std::fs::write(file, "")?;
        }
        let _keeper = keeper_with_faults(&service, &lab, &kea, &refuse, &slow).await?;
        message(&service, &deployment, "dhcp", "waiting", "out of order").await?;
        std::fs::remove_file(&refuse)?;
        wait_for("the DHCP server is loading", PATIENCE, async || lab.folder().join("loading").exists().then_some(())).await?;
        ensure!(service.get(&deployment).await?["status"] == "open", "nothing is confirmed before it is loaded");
        std::fs::remove_file(&slow)?;
        service.reaches(&deployment, "in_progress", PATIENCE).await?;

        // The management controller: down, with another password, slow. An order that never reached it is sent again later.
        message(&service, &deployment, "reboot", "failed", "127.0.0.1").await?;
        service.write_secret("bmc", "admin:open-barley\n")?;
        bmc.resume().await?;
        message(&service, &deployment, "reboot", "failed", "refused user admin: wrong name or password").await?;
        ensure!(bmc.orders().is_empty(), "{:?}", bmc.orders());
        bmc.hold()?;
        service.write_secret("bmc", &format!("admin:{PASSWORD}\n"))?;
        wait_for("the controller switches it off", PATIENCE, async || (restarts(&bmc) == ["set power 0"]).then_some(())).await?;
        bmc.release()?;

        // The service itself: suspended while the firmware requests its loader, and killed while the server installs.
        wait_for("the server is switched on", PATIENCE, async || (restarts(&bmc).len() == 2).then_some(())).await?;
        console(&vm, "Start PXE over IPv4").await?;
        service.signal("STOP")?;
        // Longer than the firmware waits for an answer before it retries.
        tokio::time::sleep(Duration::from_secs(5)).await;
        service.signal("CONT")?;
        console(&vm, "installer: started").await?;
        service.kill_and_restart().await?;
        installed(&service, &deployment).await?;
        ensure!(restarts(&bmc) == ["set power 0", "set power 1"], "{:?}", bmc.orders());

        // Puppet's first run fails.
        let token = puppet_token(&service).await?;
        puppet.apply(NODE, &token).await?;
        wait_for("the failed run is shown", PATIENCE, async || {
            let failure = service.get(&deployment).await.ok()?["puppet_failure"]["messages"][0].clone();
            failure.as_str()?.contains("/usr/bin/test -e").then_some(())
        })
        .await?;
        std::fs::write(puppet.path("flag"), "")?;
        puppet.apply(NODE, &token).await?;
        service.reaches(&deployment, "done", PATIENCE).await?;
        assert_eq!(dns.dig(&[NODE, "A"])?, lab.server_address(1).to_string());
        service.run(&["verify"]).await?;
        service.run(&["rebuild", "--compare"]).await?;
        Ok(())
    };
    with_board(&lab, &chassis, &vm, story).await
}

/// Runs a test's steps while a virtual server follows the controller's orders.
async fn with_board(lab: &Lab, chassis: &Chassis, vm: &Mutex<Option<Vm>>, story: impl Future<Output = Result<()>>) -> Result<()> {
    let message = tokio::select! {
        message = story => message,
        Err(error) = board(lab, chassis, vm) => Err(error),
    };
    let shown = vm.lock().await.as_ref().map(Vm::console).unwrap_or_default();
    message.with_context(|| format!("the server's console:\n{shown}"))
}

/// Carries out the controller's power orders on the virtual server.
async fn board(lab: &Lab, chassis: &Chassis, vm: &Mutex<Option<Vm>>) -> Result<Infallible> {
    let (mut done, mut interval) = (0, tokio::time::interval(Duration::from_millis(50)));
    loop {
        interval.tick().await;
        let message = chassis.orders();
        let mut vm = vm.lock().await;
        for order in &message[done..] {
            match order.as_str() {
                "set power 0" => drop(vm.take()),
                "set power 1" => {
                    let options = VmOptions { firmware: Firmware::UefiPxe, ..VmOptions::default() };
                    *vm = Some(lab.boot_vm(MAC, &options)?);
                }
                _ => {}
            }
        }
        done = message.len();
        if let Some(server) = vm.as_mut()
            && server.has_ended()?
        {
            chassis.switched_off()?;
        }
    }
}

async fn console(vm: &Mutex<Option<Vm>>, text: &str) -> Result<()> {
    let shows = async || vm.lock().await.as_ref()?.console().contains(text).then_some(());
    wait_for(&format!("the console shows {text:?}"), PATIENCE, shows).await
}

async fn bind(lab: &Lab) -> Result<DnsServer> {
    let zones = zones(lab);
    DnsServer::start(Software::Bind, &zones.each_ref().map(String::as_str)).await
}

/// A service with a catalogue whose site updates this primary, and whose role's deployments are ended by Puppet.
async fn service(lab: &Lab, dns: &DnsServer) -> Result<(Service, Puppet)> {
    let tftp = ["--tftp-listen".to_owned(), format!("{}:69", lab.host_address())];
    let service = Service::start_with(lab.host_address(), lab.program()?, tftp.to_vec()).await?;
    service.write_secret("tsig-lab", KEY.1)?;
    service.write_secret("bmc", &format!("admin:{PASSWORD}\n"))?;
    define_catalogue(&service, lab, Kind::Kea).await?;
    let mut site = site(lab);
    let key = json!({ "name": KEY.0, "algorithm": "hmac-sha256", "secret": "tsig-lab" });
    site["dns_updates"] = json!({ "primary": "127.0.0.1", "port": dns.port(), "key": key });
    service.put("/api/v1/sites/lab", &site).await?;
    service.put("/api/v1/boot-images/installer", &json!({ "done_by": "puppet" })).await?;
    let puppet = Puppet::new(&service)?;
    let classes = json!({ "role::web": { "flag": puppet.path("flag"), "workers": 4 } });
    let web = json!({ "puppet_classes": classes, "puppet_parameters": { "tier": 2 } });
    service.put("/api/v1/ventures/shop/roles/web", &web).await?;
    Ok((service, puppet))
}

async fn puppet_token(service: &Service) -> Result<String> {
    Ok(service.run(&["token", "create", "puppet", "--puppet-reports"]).await?.trim().to_owned())
}

/// Starts Kea and the agent that keeps it.
async fn kea(service: &Service, lab: &Lab) -> Result<(DhcpServer, Child)> {
    let configuration = lab.folder().join("served.conf");
    let agent = service.dhcp_agent("lab", "kea", &configuration).await?;
    agent.fetch_first().await?;
    let kea = Kind::Kea.start(lab, &configuration).await?;
    let keeper = agent.keep(&kea.check_command(), &kea.reload_command())?;
    Ok((kea, keeper))
}

/// Starts the agent with a check that fails while one file exists, and a reload that waits while another does.
async fn keeper_with_faults(service: &Service, lab: &Lab, kea: &DhcpServer, refuse: &Path, slow: &Path) -> Result<Child> {
    let script = |name: &str, text: String| -> Result<String> {
        let path = lab.folder().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n"))?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
        Ok(path.display().to_string())
    };
    let (loading, refuse, slow) = (lab.folder().join("loading"), refuse.display(), slow.display());
    let check = format!("[ -e '{refuse}' ] && {{ echo out of order >&2; exit 1; }}\nexec {} \"$@\"", kea.check_command());
    let reload =
        format!("touch '{}'\nwhile [ -e '{slow}' ]; do sleep 0.1; done\nexec {}", loading.display(), kea.reload_command());
    let (check, reload) = (script("check", check)?, script("reload", reload)?);
    service.dhcp_agent("lab", "kea", &lab.folder().join("served.conf")).await?.keep(&check, &reload)
}

/// Registers the server with its controller, starts its deployment, and returns the deployment's path.
async fn deploy(service: &Service, bmc: &IpmiSim) -> Result<String> {
    let scope = json!({ "networks": ["127.0.0.1/32"], "protocols": ["ipmi"], "ports": [bmc.port], "sites": ["lab"] });
    service.put("/api/v1/secrets/bmc", &scope).await?;
    let management = json!({
        "address": "127.0.0.1", "protocol": "ipmi", "credentials": "bmc", "port": bmc.port, "boot_mode": "uefi",
    });
    let device = json!({
        "site": "lab", "rack": "r1", "macs": [MAC], "serial": "VM-1", "venture": "shop", "role": "web", "management": management,
    });
    let device = service.register(&device).await?;
    service.start_deployment(&json!({ "device": device })).await
}

/// The power orders; one off and one on are a restart.
fn restarts(bmc: &IpmiSim) -> Vec<String> {
    bmc.orders().into_iter().filter(|message| message.starts_with("set power")).collect()
}

/// Waits until the server has reported that it is installed.
async fn installed(service: &Service, deployment: &str) -> Result<()> {
    let installed = async || service.get(deployment).await.ok()?["installed_at"].is_string().then_some(());
    wait_for("the server says that it is installed", PATIENCE, installed).await
}

/// Waits until the deployment shows a plugin with this status, since when, and a reason with these words.
async fn message(service: &Service, deployment: &str, name: &str, status: &str, words: &str) -> Result<()> {
    let plugin = async || -> Option<Value> {
        let plugins = service.get(deployment).await.ok()?["plugins"].as_array()?.clone();
        plugins.into_iter().find(|plugin| plugin["plugin"] == name)
    };
    let message = async || {
        let plugin = plugin().await?;
        let said = plugin["reason"].as_str()?.contains(words) && plugin["since"].is_string();
        (plugin["status"] == status && said).then_some(())
    };
    match wait_for(&format!("{name} is {status} with {words:?}"), PATIENCE, message).await {
        Ok(()) => Ok(()),
        Err(error) => Err(error.context(format!("{:?}", plugin().await))),
    }
}
