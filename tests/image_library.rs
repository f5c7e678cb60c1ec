//! Boot images from the library as operators add them: in the background, from the command line, interrupted, resumed and
//! updated, from a real HTTP server and a vendor that signs with GnuPG. No image is ever half added.

#[allow(dead_code, reason = "this story uses only a part of it")]
#[path = "../images/tests/obtain/server.rs"]
mod server;
#[allow(dead_code, reason = "this story uses only a part of it")]
#[path = "../images/tests/obtain/vendor.rs"]
mod vendor;

use crate::support::service::{Service, wait_for};
use anyhow::{Context, Result, ensure};
use bootledger_images::merge::{Change, Outcome};
use bootledger_images::recipe::Status;
use serde_json::{Value, json};
use server::{Reply, Server, file, status};
use sha2::Digest;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use vendor::Vendor;

const PATIENCE: Duration = Duration::from_mins(1);
const SCRIPT: &str = "#!ipxe\nkernel {{ kernel_url }}\nboot\n";

/// A mirror whose files can be changed, and which pauses in the middle of the kernel for as long as a test wants.
struct Mirror {
    server: Server,
    files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    hangs: Arc<Mutex<bool>>,
    vendor: Vendor,
}

impl Mirror {
    async fn start() -> Self {
        let vendor = Vendor::new("vendor@example.org", "0");
        let files: Arc<Mutex<BTreeMap<String, Vec<u8>>>> = Arc::default();
        let hangs: Arc<Mutex<bool>> = Arc::default();
        let (site, hang) = (Arc::clone(&files), Arc::clone(&hangs));
        let server = Server::start(move |request| {
            let Some(content) = site.lock().expect("files").get(&request.path).cloned() else { return status(404) };
            let reply = file(request, &content, &hex::encode(sha2::Sha256::digest(&content)));
            let hang = *hang.lock().expect("a flag") && request.path == "/linux";
            if hang { Reply { cut: Some(reply.body.len() / 2), hang, ..reply } } else { reply }
        })
        .await;
        let mirror = Self { server, files, hangs, vendor };
        mirror.publish(b"the first kernel, of some length");
        mirror
    }

    fn publish(&self, kernel: &[u8]) {
        let sums = format!("{}  linux\n", hex::encode(sha2::Sha256::digest(kernel)));
        let signature = self.vendor.detached(sums.as_bytes(), true);
        let mut files = self.files.lock().expect("files");
        for (path, content) in [("/linux", kernel.to_vec()), ("/SHA256SUMS", sums.into_bytes()), ("/SHA256SUMS.gpg", signature)] {
            files.insert(path.to_owned(), content);
        }
    }

    fn hang(&self, hang: bool) {
        *self.hangs.lock().expect("a flag") = hang;
    }

    fn url(&self) -> String {
        self.server.url.to_string()
    }
}

/// A folder with an operator's own recipes.
fn recipes(mirror: &Mirror) -> Result<TempDir> {
    let folder = tempfile::tempdir()?;
    write_recipe(folder.path(), &mirror.url(), "")?;
    std::fs::create_dir(folder.path().join("keys"))?;
    std::fs::write(folder.path().join("keys/vendor.asc"), mirror.vendor.key())?;
    Ok(folder)
}

fn write_recipe(folder: &Path, mirror: &str, more: &str) -> Result<()> {
    let recipe = format!(
        r#"
title: Test system
version: "1"
architecture: amd64
status: not_yet_run
mirror: {mirror}
templates:
  boot.ipxe: {{ kind: boot_ipxe, path: boot.ipxe }}
downloads:
  linux: {{ kind: kernel, url: "{{mirror}}/linux", folder: [linux], checksum: {{ list: sums, path: linux }} }}
checksums:
  sums: {{ url: "{{mirror}}/SHA256SUMS", format: sha256sums, verified_by: {{ keys: [vendor.asc], signature: "{{mirror}}/SHA256SUMS.gpg" }} }}
"#
    );
    std::fs::create_dir_all(folder.join("test"))?;
    std::fs::write(folder.join("test/recipe.yaml"), recipe)?;
    std::fs::write(folder.join("test/boot.ipxe"), format!("{SCRIPT}{more}"))?;
    Ok(())
}

async fn service(recipes: &TempDir, allow: bool) -> Result<Service> {
    let mut options = vec!["--image-recipes".to_owned(), recipes.path().display().to_string()];
    if allow {
        options.extend(["--image-mirror-allow".to_owned(), "127.0.0.0/8".to_owned()]);
    }
    Service::start_with(Ipv4Addr::LOCALHOST, env!("CARGO_BIN_EXE_bootledger").into(), options).await
}

async fn add(service: &Service, order: Value) -> Result<String> {
    service.create("/api/v1/image-library/test/add", &order).await
}

/// Waits until a download has this status and returns the download.
async fn becomes(service: &Service, id: &str, wanted: &str) -> Result<Value> {
    let path = format!("/api/v1/image-downloads/{id}");
    let found = async || service.get(&path).await.ok().filter(|download| download["status"] == wanted);
    let download = wait_for(&format!("the download is {wanted}"), PATIENCE, found).await;
    if download.is_err() {
        eprintln!("the download: {}", service.get(&path).await?);
    }
    download
}

/// Waits until half of the kernel has arrived.
async fn half_way(service: &Service, id: &str) -> Result<()> {
    let path = format!("/api/v1/image-downloads/{id}");
    let arrived = async || {
        let download = service.get(&path).await.ok()?;
        download["progress"]["bytes"].as_u64().filter(|bytes| *bytes > 0).map(drop)
    };
    wait_for("half of the kernel", PATIENCE, arrived).await
}

async fn image(service: &Service, name: &str) -> Option<Value> {
    service.get(&format!("/api/v1/boot-images/{name}")).await.ok()
}

/// The line of `bootledger image update` about a file, as the program writes this outcome.
fn line(file: &str, outcome: Outcome) -> String {
    Change { what: format!("file {file}"), outcome }.to_string()
}

#[tokio::test]
async fn an_image_is_added_in_the_background_and_appears_as_a_whole() -> Result<()> {
    let mirror = Mirror::start().await;
    let recipes = recipes(&mirror)?;
    let service = service(&recipes, true).await?;
    mirror.hang(true);
    let id = add(&service, json!({})).await?;
    half_way(&service, &id).await?;
    ensure!(image(&service, "test").await.is_none(), "half of an image can be seen");
    let page = service.text(&format!("/boot-images/_downloads/{id}")).await?;
    ensure!(page.contains("<progress") && page.contains("Cancel") && page.contains("<noscript>"), "{page}");
    service.post(&format!("/api/v1/image-downloads/{id}/cancel"), &json!({})).await?;
    becomes(&service, &id, "cancelled").await?;
    ensure!(image(&service, "test").await.is_none(), "something of a cancelled download was added");
    mirror.hang(false);
    service.post(&format!("/api/v1/image-downloads/{id}/resume"), &json!({})).await?;
    becomes(&service, &id, "done").await?;
    ensure!(mirror.server.requests("/linux").last().is_some_and(|request| request.from.is_some()), "it was not resumed");
    let found = image(&service, "test").await.context("the image")?;
    let recipe = &found["spec"]["recipe"];
    ensure!(recipe["name"] == "test" && recipe["verified"] == "signature", "{found}");
    let kernel = service.text("/api/v1/boot-images/test/files/linux").await?;
    ensure!(kernel == "the first kernel, of some length", "{kernel}");
    let page = service.text("/boot-images/test").await?;
    ensure!(page.contains("Verified by signature"), "{page}");
    let listed = service.get("/api/v1/image-library/test").await?;
    ensure!(listed["images"][0]["image"] == "test" && listed["images"][0]["outdated"] == false, "{listed}");
    Ok(())
}

#[tokio::test]
async fn a_killed_service_says_that_its_download_was_interrupted_and_resumes_it() -> Result<()> {
    let mirror = Mirror::start().await;
    let recipes = recipes(&mirror)?;
    let mut service = service(&recipes, true).await?;
    mirror.hang(true);
    let id = add(&service, json!({"as": "other"})).await?;
    half_way(&service, &id).await?;
    service.kill_and_restart().await?;
    becomes(&service, &id, "interrupted").await?;
    let page = service.text(&format!("/boot-images/_downloads/{id}")).await?;
    ensure!(page.contains("class=\"note warn\"") && page.contains("/resume\""), "{page}");
    ensure!(image(&service, "other").await.is_none(), "something of it was added");
    mirror.hang(false);
    service.post(&format!("/api/v1/image-downloads/{id}/resume"), &json!({})).await?;
    becomes(&service, &id, "done").await?;
    ensure!(image(&service, "other").await.is_some(), "the image is missing");
    Ok(())
}

#[tokio::test]
async fn mirrors_that_are_the_service_itself_or_its_neighbours_are_refused() -> Result<()> {
    let mirror = Mirror::start().await;
    let recipes = recipes(&mirror)?;
    let service = service(&recipes, false).await?;
    for refused in
        ["http://169.254.169.254/latest", "http://127.0.0.1:8080/", "http://[::1]/", "http://0x7f000001/", "ftp://a/", "x"]
    {
        let answer = add(&service, json!({"mirror": refused})).await;
        ensure!(answer.is_err_and(|error| error.to_string().contains("422")), "{refused} was not refused");
    }
    let id =
        add(&service, json!({"mirror": format!("http://localhost:{}/", mirror.server.url.port().context("a port")?)})).await?;
    let failed = becomes(&service, &id, "failed").await?;
    ensure!(failed["message"].as_str().is_some_and(|message| message.contains("--image-mirror-allow")), "{failed}");
    ensure!(mirror.server.requests("/SHA256SUMS").is_empty(), "the service downloaded the file itself");
    Ok(())
}

#[tokio::test]
async fn the_command_line_adds_updates_and_keeps_what_the_operator_changed() -> Result<()> {
    let mirror = Mirror::start().await;
    let recipes = recipes(&mirror)?;
    let service = service(&recipes, true).await?;
    let own = recipes.path().to_str().context("a path")?.to_owned();
    let run = async |arguments: &[&str]| {
        let all = [&["image"], arguments, &["--image-recipes", own.as_str()]].concat();
        service.run(&all).await
    };
    let listed = run(&["list"]).await?;
    ensure!(listed.lines().any(|line| line.starts_with("test ") && line.contains(Status::NotYetRun.title())), "{listed}");
    let shown = run(&["show", "test"]).await?;
    ensure!(shown.lines().any(|line| line.contains("{mirror}/linux") && line.contains(" sums")), "{shown}");
    let added = run(&["add", "test", "--as", "mine"]).await?;
    ensure!(added.contains("mine") && added.contains("signature"), "{added}");
    let mine = image(&service, "mine").await.context("the image")?;
    ensure!(mine["spec"]["recipe"]["name"] == "test" && mine["spec"]["recipe"]["verified"] == "signature", "{mine}");
    ensure!(run(&["add", "test", "--as", "mine"]).await.is_err(), "it was added twice");
    let unchanged = run(&["update", "mine"]).await?;
    ensure!(!unchanged.contains("file linux") && !unchanged.contains("file boot.ipxe"), "{unchanged}");
    ensure!(image(&service, "mine").await.context("the image")?["revision"] == mine["revision"], "an update without a change");
    mirror.publish(b"the second kernel");
    let would = run(&["update", "mine", "--dry-run"]).await?;
    ensure!(would.contains(&line("linux", Outcome::Changed)), "{would}");
    ensure!(service.text("/api/v1/boot-images/mine/files/linux").await?.starts_with("the first"), "a dry run changed something");
    ensure!(run(&["update"]).await?.contains(&line("linux", Outcome::Changed)), "the update names no file");
    ensure!(service.text("/api/v1/boot-images/mine/files/linux").await? == "the second kernel", "the update");
    let path = "/api/v1/boot-images/mine/files/boot.ipxe?kind=boot_ipxe&template=true";
    service.put_bytes(path, "#!ipxe\necho mine\n").await?;
    ensure!(run(&["update", "mine"]).await?.contains(&line("boot.ipxe", Outcome::Own)), "the operator's change");
    write_recipe(recipes.path(), &mirror.url(), "# new\n")?;
    let conflict = run(&["update", "mine"]).await?;
    ensure!(conflict.contains(&line("boot.ipxe", Outcome::Conflict)), "{conflict}");
    ensure!(service.text("/api/v1/boot-images/mine/files/boot.ipxe").await?.contains("mine"), "the operator's change is lost");
    let replaced = run(&["update", "mine", "--replace"]).await?;
    ensure!(replaced.contains(&line("boot.ipxe", Outcome::Replaced)), "{replaced}");
    ensure!(service.text("/api/v1/boot-images/mine/files/boot.ipxe").await?.contains("# new"), "--replace");
    Ok(())
}

#[tokio::test]
async fn files_come_from_a_folder_without_internet() -> Result<()> {
    let mirror = Mirror::start().await;
    let recipes = recipes(&mirror)?;
    let service = service(&recipes, true).await?;
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("linux"), b"a kernel from a folder")?;
    let (own, from) = (recipes.path().to_str().context("a path")?, folder.path().to_str().context("a path")?);
    let added = service.run(&["image", "add", "test", "--from", from, "--image-recipes", own]).await?;
    ensure!(added.contains("--mirror"), "the warning names no option that verifies the files: {added}");
    let found = image(&service, "test").await.context("the image")?;
    ensure!(found["spec"]["recipe"]["verified"] == "none", "{found}");
    ensure!(service.text("/api/v1/boot-images/test/files/linux").await? == "a kernel from a folder", "the kernel");
    ensure!(mirror.server.requests("/linux").is_empty(), "it was downloaded");
    let page = service.text("/boot-images/test").await?;
    ensure!(page.contains("Not verified"), "{page}");
    Ok(())
}
