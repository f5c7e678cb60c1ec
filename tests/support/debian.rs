//! Debian's own installer, and a small Debian mirror that it installs from. `scripts/debian-mirror` makes the mirror from
//! Debian's packages; it is served over HTTP beside the service under test.

use super::lab::Lab;
use super::process::wait_for;
use super::service::Service;
use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A folder that `scripts/debian-mirror` has filled.
pub(crate) struct Debian {
    folder: PathBuf,
}

impl Debian {
    /// Debian's installer and its components, prepared by `make test`.
    pub(crate) fn installer() -> Result<Self> {
        Self::at("lab/debian", "scripts/setup test")
    }

    /// The same with everything that a small system needs, prepared by `make prove`.
    pub(crate) fn full() -> Result<Self> {
        Self::at("lab/debian-full", "scripts/prove")
    }

    fn at(folder: &str, how: &str) -> Result<Self> {
        let folder = super::target().join(folder);
        ensure!(folder.join("mirror").is_dir(), "no {}; has `{how}` run?", folder.join("mirror").display());
        Ok(Self { folder })
    }

    /// The installer's components that came from `scripts/debian-stand-ins`, as text for people; empty if all are Debian's.
    pub(crate) fn stand_ins(&self) -> Result<Vec<String>> {
        let Ok(folder) = fs::read_dir(self.folder.join("stand-ins")) else { return Ok(vec![]) };
        let mut names: Vec<String> = Vec::new();
        for entry in folder {
            let name = entry?.file_name().to_string_lossy().into_owned();
            names.extend(name.split_once('_').map(|(package, _)| package.to_owned()));
        }
        names.sort();
        Ok(names)
    }

    /// Serves the mirror on a free port of this address and logs its requests to a file in the folder `log`.
    pub(crate) fn serve(&self, address: Ipv4Addr, log: &Path) -> Result<WebServer> {
        WebServer::start(&self.folder.join("mirror"), address, log.join("mirror.log"))
    }

    /// Defines the boot image `debian-12` from the recipe that ships with the product.
    pub(crate) async fn define(&self, service: &Service, done_by: &str) -> Result<()> {
        let recipe: Value = serde_norway::from_str(&recipe("debian-12/recipe.yaml")?)?;
        let image = json!({
            "description": recipe["title"], "settings": recipe["settings"], "done_by": done_by, "in_progress_minutes": 240,
        });
        service.put("/api/v1/boot-images/debian-12", &image).await?;
        let files = "/api/v1/boot-images/debian-12/files";
        for (file, spec) in recipe["downloads"].as_object().context("downloads")? {
            let content = tokio::fs::read(self.folder.join("netboot").join(file)).await.context("the installer")?;
            let kind = spec["kind"].as_str().context("a kind")?;
            service.put_bytes(&format!("{files}/{file}?kind={kind}"), content).await?;
        }
        for (file, spec) in recipe["templates"].as_object().context("templates")? {
            let kind = spec["kind"].as_str().context("a kind")?;
            let template = self::recipe(&format!("debian-12/{}", spec["path"].as_str().context("a path")?))?;
            service.put_bytes(&format!("{files}/{file}?kind={kind}&template=true"), template).await?;
        }
        Ok(())
    }

    /// A site's settings for small systems installed from this mirror.
    pub(crate) fn settings(&self, mirror: &WebServer) -> Result<Value> {
        let key = fs::read(self.folder.join("archive.gpg")).context("the key of the mirror")?;
        Ok(json!({
            "user_name": "ops", "ssh_keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA ops"], "time_zone": "Europe/Warsaw",
            "mirror_url": mirror.url("").trim_end_matches('/'), "mirror_key": STANDARD.encode(key), "security_updates": false,
            "non_free_firmware": false, "recommends": false, "serial_console": "ttyS0,115200n8", "kernel_arguments": "panic=-1 no_timer_check",
        }))
    }
}

/// The lab's site, its network and its DHCP server, with a venture whose roles install Debian.
pub(crate) async fn define_site(service: &Service, lab: &Lab, dhcp: &str, site: &Value) -> Result<()> {
    service.put("/api/v1/sites/lab", site).await?;
    service.put("/api/v1/racks/r1", &json!({ "site": "lab" })).await?;
    let network = json!({ "cidr": lab.network(), "site": "lab", "racks": ["r1"], "gateway": lab.host_address() });
    service.put("/api/v1/networks/lab-net", &network).await?;
    service.put("/api/v1/dhcp-servers/dhcp-1", &json!({ "site": "lab", "kind": dhcp })).await?;
    service.put("/api/v1/boot-images/debian-12", &json!({ "description": "Debian's own installer" })).await?;
    service.put("/api/v1/ventures/shop", &json!({ "default_boot_image": "debian-12" })).await?;
    service.put("/api/v1/ventures/shop/roles/web", &json!({})).await?;
    Ok(())
}

/// A web server for files; stopped when dropped.
pub(crate) struct WebServer {
    server: Child,
    address: String,
    log: PathBuf,
}

impl WebServer {
    /// Serves a folder on a free port of this address.
    pub(crate) fn start(folder: &Path, address: Ipv4Addr, log: PathBuf) -> Result<Self> {
        let port = TcpListener::bind((address, 0))?.local_addr()?.port();
        let mut command = Command::new("busybox");
        command.args(["httpd", "-f", "-vv", "-p", &format!("{address}:{port}"), "-h"]).arg(folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::options().create(true).append(true).open(&log)?);
        let server = command.spawn().context("busybox cannot be started; has `scripts/setup test` run?")?;
        Ok(Self { server, address: format!("{address}:{port}"), log })
    }

    /// The URL of a path, which is given without the leading slash.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// Clears the log of requests.
    pub(crate) fn forget(&self) -> Result<()> {
        Ok(File::options().write(true).open(&self.log)?.set_len(0)?)
    }

    /// Waits until a path that contains these words is requested.
    pub(crate) async fn wait_for_request(&self, words: &str, limit: Duration) -> Result<()> {
        let requested = async || fs::read_to_string(&self.log).ok()?.contains(words).then_some(());
        wait_for(&format!("the server requests {words}"), limit, requested).await
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

/// A file of the recipe that ships with the product.
fn recipe(file: &str) -> Result<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("images/recipes").join(file);
    fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))
}
