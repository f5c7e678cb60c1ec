//! `make prove`: a bare virtual server becomes an installed Debian that boots its own disk, gets its role from Puppet, and then
//! gets another role, without any manual step. `make test` leaves this out, because it takes half an hour without KVM.
//!
//! It uses Debian's own installer, the recipe that ships with the product, a mirror of Debian's packages made by
//! `scripts/debian-mirror`, Kea, BIND, and Debian's Puppet in the installed system. `target/prove/transcript.md` gets the times
//! of all steps.

use crate::support::debian::{Debian, WebServer, define_site};
use crate::support::dns::{DnsServer, KEY, Software};
use crate::support::lab::{Firmware, Lab, Vm, VmOptions};
use crate::support::service::{Service, wait_for};
use crate::vm_deploys::{Kind, site, zones};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};

const MAC: &str = "52:54:00:00:0e:01";

/// The limit for one step of an installation. Unpacking the base system takes longest.
const PATIENCE: Duration = Duration::from_mins(45);

#[tokio::test]
async fn a_bare_server_becomes_an_installed_debian_and_then_another_one() -> Result<()> {
    let lab = Lab::new().await?;
    let debian = Debian::full()?;
    let zones = zones(&lab);
    let dns = DnsServer::start(Software::Bind, &zones.each_ref().map(String::as_str)).await?;
    let tftp = ["--tftp-listen".to_owned(), format!("{}:69", lab.host_address())];
    let service = Service::start_with(lab.host_address(), lab.program()?, tftp.to_vec()).await?;
    service.write_secret("tsig-lab", KEY.1)?;
    let mirror = debian.serve(lab.host_address(), lab.folder())?;
    let first_boot = first_boot(&service, &lab).await?;
    define(&service, &lab, &debian, &dns, &mirror, &first_boot).await?;

    let configuration = lab.folder().join("served.conf");
    let agent = service.dhcp_agent("lab", "kea", &configuration).await?;
    agent.fetch_first().await?;
    let kea = Kind::Kea.start(&lab, &configuration).await?;
    let mut keeper = agent.keep(&kea.check_command(), &kea.reload_command())?;

    let device = json!({ "site": "lab", "rack": "r1", "macs": [MAC], "serial": "VM-1", "venture": "shop", "role": "web" });
    let device = service.register(&device).await?;

    let mut transcript = Transcript::new(&debian)?;
    let run = Run { lab: &lab, service: &service, mirror: &mirror, device: &device };
    let first = run.install("web", &mut transcript).await?;
    assert_eq!(dns.dig(&[&first.hostname, "A"])?, first.ip);
    let second = run.install("db", &mut transcript).await?;
    keeper.kill().await?;

    // Nothing of the first role is left except in the log.
    ensure!(first.hostname != second.hostname, "{first:?} {second:?}");
    assert_eq!(dns.dig(&[&second.hostname, "A"])?, second.ip);
    assert_eq!(dns.dig(&["-x", &second.ip])?, format!("{}.", second.hostname));
    assert_eq!(dns.dig(&[&first.hostname, "A"])?, "", "the first role's name is still in DNS");
    ensure!(!tokio::fs::read_to_string(&configuration).await?.contains(&first.hostname), "Kea still knows {}", first.hostname);
    let classifier = service.text(&format!("/puppet/nodes/{}", first.hostname)).await;
    ensure!(!classifier.is_ok_and(|text| text.contains("role::")), "the first name still has classes");
    service.run(&["verify"]).await?;
    service.run(&["rebuild", "--compare"]).await?;
    let written = transcript.write()?;
    println!("{written}");
    Ok(())
}

/// The values that an installation was assigned.
#[derive(Debug)]
struct Installed {
    hostname: String,
    ip: String,
}

struct Run<'a> {
    lab: &'a Lab,
    service: &'a Service,
    mirror: &'a WebServer,
    device: &'a str,
}

impl Run<'_> {
    /// Deploys the server for a role and follows it until Puppet ends the deployment.
    async fn install(&self, role: &str, transcript: &mut Transcript) -> Result<Installed> {
        let service = self.service;
        transcript.begin(role);
        let deployment = json!({ "device": self.device, "venture": "shop", "role": role });
        let deployment = service.post("/api/v1/deployments", &deployment).await?;
        let text = |field: &str| -> Result<String> { Ok(deployment[field].as_str().context("a text")?.to_owned()) };
        let given = Installed { hostname: text("hostname")?, ip: text("ip")? };
        let path = format!("/api/v1/deployments/{}", text("id")?);
        service.reaches(&path, "in_progress", Duration::from_mins(2)).await?;
        transcript.stage("DNS, DHCP and role are prepared, and confirmed by Kea");

        self.mirror.forget()?;
        let options = VmOptions {
            reboots: true,
            memory_megabytes: 1024,
            firmware: Firmware::Bios,
            empty_disk_gigabytes: Some(6),
            idle_card: None,
        };
        let mut server = self.lab.boot_vm(MAC, &options)?;
        let followed = self.follow(&mut server, &path, &given, role, transcript).await;
        let followed = followed.with_context(|| format!("the server's console:\n{}", server.console()));
        server.power_off().await?;
        std::fs::copy(self.lab.folder().join("mirror.log"), self.lab.folder().join(format!("mirror-{role}.log")))?;
        followed?;
        Ok(given)
    }

    async fn follow(
        &self,
        server: &mut Vm,
        path: &str,
        given: &Installed,
        role: &str,
        transcript: &mut Transcript,
    ) -> Result<()> {
        for (text, stage) in [
            ("Configuring (net0", "firmware"),
            ("Linux version", "iPXE: script, kernel and initial file system"),
            ("Detecting network hardware", "kernel, and the installer's start"),
            ("Configuring the network with DHCP", "installer: network"),
        ] {
            server.wait_for_console(text, PATIENCE).await?;
            transcript.stage(stage);
        }
        for (request, stage) in [
            ("debian-installer/binary-amd64/Packages", "installer: answers read, mirror verified"),
            ("/InRelease", "installer: components loaded, disk partitioned"),
            ("/linux-image-", "installer: base system"),
            ("/openssh-server", "installer: kernel"),
            ("/grub-pc_", "installer: packages"),
        ] {
            self.mirror.wait_for_request(request, PATIENCE).await?;
            transcript.stage(stage);
        }
        let installed = async || self.service.get(path).await.ok()?["installed_at"].is_string().then_some(());
        wait_for("the installer says DONE", PATIENCE, installed).await?;
        transcript.stage("installer: boot loader, last steps, DONE");
        let shown = server.wait_for_console("first boot: ", PATIENCE).await?;
        let line = shown.lines().find(|line| line.contains("first boot: ")).unwrap_or_default().to_owned();
        ensure!(line.contains(&format!("{} has {}", given.hostname, given.ip)), "{line}");
        transcript.stage("first boot from the disk");
        server.wait_for_console(&format!("this is {role} of shop at lab"), PATIENCE).await?;
        self.service.reaches(path, "done", PATIENCE).await?;
        let deployment = self.service.get(path).await?;
        ensure!(deployment["ended_by"] == format!("Puppet for {}", given.hostname), "{deployment}");
        transcript.stage("Puppet's first run, which ends the deployment");
        transcript.note(&format!("{} has {}; ended by {}.", given.hostname, given.ip, deployment["ended_by"]));
        Ok(())
    }
}

/// What a system fetches during its installation: Puppet's code, our node classifier, and the script that runs at the first
/// boot.
async fn first_boot(service: &Service, lab: &Lab) -> Result<WebServer> {
    let folder = lab.folder().join("first-boot");
    std::fs::create_dir_all(&folder)?;
    let token = service.run(&["token", "create", "puppet", "--puppet-reports"]).await?.trim().to_owned();
    let reports = service.url("/puppet/reports").replace("http://", &format!("http://puppet:{token}@"));
    let write = |name: &str, text: String| std::fs::write(folder.join(name), text);
    for role in ["web", "db"] {
        let class = format!(
            "class role::{role} {{\n  file {{ '/etc/role': content => \"${{bootledger_role}}\\n\" }}\n  \
             notify {{ \"this is ${{bootledger_role}} of ${{bootledger_venture}} at ${{bootledger_site}}\": }}\n}}\n"
        );
        write(&format!("{role}.pp"), class)?;
    }
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/bootledger-enc"), folder.join("bootledger-enc"))?;
    let script = format!(
        "#!/bin/sh\n\
         echo \"first boot: $(hostname -f) has $(hostname -I)\"\n\
         export BOOTLEDGER_URL={} HOME=/root\n\
         touch /etc/puppet/site.pp\n\
         exec puppet apply --color false --certname \"$(hostname -f)\" --node_terminus exec \\\n  \
         --external_nodes /usr/local/bin/bootledger-enc --reports http --reporturl {reports} /etc/puppet/site.pp\n",
        service.url("")
    );
    write("first-boot", script)?;
    let unit = "[Unit]\nDescription=What is done at the first boot\nWants=network-online.target\nAfter=network-online.target ssh.service\n\n\
                [Service]\nType=oneshot\nExecStart=/usr/local/sbin/first-boot\nStandardOutput=journal+console\n\
                StandardError=journal+console\nTimeoutStartSec=30min\n\n[Install]\nWantedBy=multi-user.target\n";
    write("first-boot.service", unit.to_owned())?;
    WebServer::start(&folder, lab.host_address(), lab.folder().join("first-boot.log"))
}

async fn define(
    service: &Service,
    lab: &Lab,
    debian: &Debian,
    dns: &DnsServer,
    mirror: &WebServer,
    first_boot: &WebServer,
) -> Result<()> {
    let mut site = site(lab);
    let key = json!({ "name": KEY.0, "algorithm": "hmac-sha256", "secret": "tsig-lab" });
    site["dns_updates"] = json!({ "primary": "127.0.0.1", "port": dns.port(), "key": key });
    let mut settings = debian.settings(mirror)?;
    settings["packages"] = json!(["puppet-agent", "curl", "wget"]);
    settings["kernel_package"] = json!("linux-image-cloud-amd64");
    let get = |name: &str, file: &str| format!("wget -q -O {file} {}", first_boot.url(name));
    let modules = "/etc/puppet/code/environments/production/modules/role/manifests";
    settings["late_commands"] = json!([
        format!("mkdir -p {modules}"),
        get("web.pp", &format!("{modules}/web.pp")),
        get("db.pp", &format!("{modules}/db.pp")),
        format!("{} && chmod 755 /usr/local/bin/bootledger-enc", get("bootledger-enc", "/usr/local/bin/bootledger-enc")),
        format!("{} && chmod 700 /usr/local/sbin/first-boot", get("first-boot", "/usr/local/sbin/first-boot")),
        get("first-boot.service", "/etc/systemd/system/first-boot.service"),
        "systemctl enable first-boot.service",
    ]);
    site["settings"] = settings;
    define_site(service, lab, "kea", &site).await?;
    debian.define(service, "puppet").await?;
    for role in ["web", "db"] {
        let role_spec = json!({ "puppet_classes": [format!("role::{role}")] });
        service.put(&format!("/api/v1/ventures/shop/roles/{role}"), &role_spec).await?;
    }
    Ok(())
}

/// The times of all steps, written for people.
struct Transcript {
    text: String,
    begun: Instant,
    before: Instant,
}

impl Transcript {
    fn new(debian: &Debian) -> Result<Self> {
        let mut transcript = Self { text: String::new(), begun: Instant::now(), before: Instant::now() };
        let stand_ins = debian.stand_ins()?;
        if !stand_ins.is_empty() {
            let names = stand_ins.join(", ");
            transcript.line(&format!("Components of the installer that were replaced by stand-ins: {names}."));
        }
        Ok(transcript)
    }

    fn begin(&mut self, role: &str) {
        self.begun = Instant::now();
        self.before = self.begun;
        for line in ["", &format!("### The role {role}"), "", "| stage | took | after |", "|---|---:|---:|"] {
            self.line(line);
        }
    }

    /// Records that a stage has just ended.
    fn stage(&mut self, name: &str) {
        let now = Instant::now();
        let line = format!("| {name} | {} s | {} s |", (now - self.before).as_secs(), (now - self.begun).as_secs());
        eprintln!("{line}");
        self.line(&line);
        self.before = now;
    }

    fn note(&mut self, text: &str) {
        for line in ["", text] {
            self.line(line);
        }
    }

    fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn write(self) -> Result<String> {
        let folder = crate::support::target().join("prove");
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("transcript.md"), &self.text)?;
        Ok(self.text)
    }
}
