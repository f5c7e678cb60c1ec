//! Every URL of the service that the files of a deployment make its server fetch exists for that server. For every recipe that
//! ships, with its settings empty and filled in, the test reads the script and all files that it leads to as their readers do,
//! and requests each URL as the booting server requests it.

use crate::harness::{Harness, identity, name};
use actix_web::http::Method;
use bootledger_aggregates::boot_image::{BootFile, FileKind, NetworkBoot};
use bootledger_aggregates::settings::ResolvedSettings;
use bootledger_aggregates::values::setting::{SettingSpec, SettingType};
use bootledger_boot_loaders::Loaders;
use bootledger_images::library::Library;
use bootledger_images::recipe::Recipe;
use bootledger_web::images::settings::Declared;
use bootledger_web::images::target::{Image, Target};
use bootledger_web::images::template::examine;
use bootledger_web::machines::pxe::tftp::Files;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const CLIENT: &str = "10.0.0.20";
const BASE: &str = "http://boot.example:8080";

/// The characters that end a URL in the languages of these files.
const ENDS: [char; 14] = [' ', '\t', '\r', '\n', '"', '\'', '`', '<', '>', '|', ')', '}', '\\', ','];

/// An image with a recipe's own files unchanged, and a stand-in for each file that its vendor publishes.
async fn image(harness: &Harness, recipe: &Recipe) -> Arc<Image> {
    let mut files = BTreeMap::new();
    for (file, own) in &recipe.files {
        let uses = if own.template {
            let text = std::str::from_utf8(&own.content).expect("text");
            examine(text, own.kind, &recipe.settings).unwrap_or_else(|error| panic!("{file} of {}: {error}", recipe.name))
        } else {
            bootledger_web::images::template::Uses::default()
        };
        let stored = harness.stored(own.kind, own.template, own.content.to_vec()).await;
        files.insert(file.clone(), BootFile { settings: uses.settings, needs: uses.needs, ..stored });
    }
    for (file, download) in &recipe.downloads {
        // A file that an operator prepares contains a URL of the service, as the recipe's notes explain.
        let content = if file.as_str() == "proxmox.iso" { format!("{BASE}/pxe/answer.toml") } else { format!("\u{1}{file}") };
        files.insert(file.clone(), harness.stored(download.kind, false, content).await);
    }
    let (name, settings) = (recipe.name.clone(), recipe.settings.clone());
    Arc::new(Image { name, revision: 1, files, network_boot: NetworkBoot::UntilDone, settings })
}

/// Values of the settings: of all of them, or only of the required ones. A choice gets its option with this number.
fn given(declared: &Declared, every: bool, choice: usize) -> ResolvedSettings {
    let value = |spec: &SettingSpec| match spec.kind {
        SettingType::Text => json!("sample"),
        SettingType::Number => json!(7),
        SettingType::Boolean => json!(choice.is_multiple_of(2)),
        SettingType::List => json!(["one", "two"]),
        SettingType::Choice => json!(spec.choices.iter().cycle().nth(choice)),
        SettingType::Secret => json!({ "secret": "boot-sample" }),
    };
    let wanted = declared.iter().filter(|(_, spec)| spec.kind == SettingType::Choice || spec.required || every);
    let values = wanted.map(|(name, spec)| (name.to_string(), json!({ "value": value(spec), "from": "device" })));
    serde_json::from_value(Value::Object(values.collect())).expect("settings")
}

/// The service's URLs that a text contains in full.
fn written_out(text: &str) -> BTreeSet<String> {
    let begins = text.match_indices(BASE).map(|(at, _)| &text[at..]);
    begins.map(|rest| rest.split(ENDS).next().unwrap_or_default().trim_end_matches(['.', ';']).to_owned()).collect()
}

/// The URLs that a text at `address` refers to without containing them in full.
fn meant(text: &str, address: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let beside = address.rsplit_once('/').map_or(address, |(folder, _)| folder);
    // cmd.exe: a variable for the folder of the files.
    if let Some(folder) = text.split("FILES=").nth(1).and_then(|rest| rest.split(ENDS).next()) {
        let named = text.split("%FILES%").skip(1).map(|rest| rest.split(ENDS).next().unwrap_or_default());
        found.extend(named.map(|file| format!("{folder}{file}")));
    }
    // ESXi's loader: names below a prefix.
    let line = |key: &str| text.lines().find_map(|line| line.strip_prefix(key));
    if let Some(prefix) = line("prefix=") {
        let names = ["kernel=", "modules="].into_iter().filter_map(line).flat_map(|names| names.split(" --- "));
        found.extend(names.map(|name| format!("{prefix}/{}", name.trim())));
    }
    // cloud-init: the fixed file names in a folder.
    for folder in text.split("ds=nocloud-net;s=").skip(1).filter_map(|rest| rest.split(ENDS).next()) {
        found.extend(["user-data", "meta-data", "vendor-data"].map(|file| format!("{folder}{file}")));
    }
    // Debian's installer: a script in the same folder as its answer file.
    let scripts = text.lines().filter_map(|line| line.strip_prefix("d-i preseed/run string ")).flat_map(str::split_whitespace);
    found.extend(scripts.map(|script| format!("{beside}/{script}")));
    // iPXE: a URL without a scheme is relative to the script.
    if text.starts_with("#!ipxe") {
        for line in text.lines() {
            let mut words = line.split_whitespace();
            if words.next().is_some_and(|command| ["kernel", "initrd", "imgfetch", "module", "chain"].contains(&command)) {
                let mut words = words.skip_while(|word| word.starts_with("--name"));
                let named = line.contains(" --name ");
                let address = if named { words.nth(1) } else { words.next() }.unwrap_or_default();
                if !address.contains("://") && !address.contains("${") {
                    found.insert(format!("{beside}/{address}"));
                }
            }
        }
    }
    found
}

/// Sends a request for a URL as the server does, and returns the answer.
async fn request(harness: &Harness, address: &str) -> (u16, Vec<u8>) {
    let path = address.strip_prefix(BASE).unwrap_or(address);
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    // The installer uploads its log, which a GET cannot do; a HEAD shows whether the path exists.
    let method = if path.ends_with("/log") { Method::HEAD } else { Method::GET };
    let query = match query {
        // The query that an installer adds.
        _ if path.ends_with("/progress") && !query.contains("stage=") => "?stage=sample".to_owned(),
        "" => String::new(),
        some => format!("?{some}"),
    };
    let answer = harness.request(method, &format!("{path}{query}"), CLIENT, &[]).await;
    (answer.status.as_u16(), answer.body)
}

/// Follows everything that a deployment's server fetches, beginning with its script and GRUB's configuration. Returns the URLs,
/// and the failures.
async fn walk(harness: &Harness, files: &Files) -> (BTreeSet<String>, Vec<String>) {
    let mut waiting = vec![format!("{BASE}/pxe/")];
    let (mut seen, mut wrong) = (BTreeSet::new(), vec![]);
    // GRUB fetches from the server that it was loaded from, over TFTP.
    let client = CLIENT.parse().expect("an address");
    let opened = files.open(client, b"/grub/grub.cfg").await.expect("a configuration");
    let bytes = opened.read(0, opened.size()).await.expect("bytes");
    let configuration = String::from_utf8_lossy(&bytes);
    for line in configuration.lines() {
        let mut words = line.split_whitespace();
        if let (Some("linux" | "initrd"), Some(file)) = (words.next(), words.next()) {
            if let Err(error) = files.open(client, file.as_bytes()).await {
                wrong.push(format!("{file} over TFTP: {error}"));
            }
            seen.insert(file.to_owned());
        }
    }
    waiting.extend(written_out(&configuration));
    // DONE ends the deployment, so a server reports it after everything else.
    while let Some(last) = waiting.len().checked_sub(1) {
        let next = waiting.iter().rposition(|address| !address.contains("/DONE")).unwrap_or(last);
        let address = waiting.remove(next);
        if !seen.insert(address.clone()) {
            continue;
        }
        let (status, body) = request(harness, &address).await;
        if status != 200 {
            wrong.push(format!("{address}: {status} {}", String::from_utf8_lossy(&body)));
        }
        let text = String::from_utf8_lossy(&body);
        waiting.extend(written_out(&text).into_iter().chain(meant(&text, &address)));
    }
    (seen, wrong)
}

fn served() -> (Harness, Files) {
    let mut harness = Harness::new();
    harness.domain.secrets.lock().expect("secrets").insert("boot-sample".to_owned(), "hidden".to_owned());
    let folder = harness.folder.path().join("loaders");
    std::fs::create_dir(&folder).expect("a folder");
    let loaders = Loaders::at(&folder).expect("loaders");
    harness.application.loaders = Some(loaders.clone());
    let files = Files::of(loaders, harness.boot());
    (harness, files)
}

#[actix_web::test]
async fn every_address_that_a_recipe_makes_a_server_fetch_is_there_for_it() {
    let library = Library::embedded().expect("the library");
    let mut wrong = vec![];
    for recipe in library.recipes() {
        let (harness, files) = served();
        let image = image(&harness, recipe).await;
        let choices = recipe.settings.values().map(|spec| spec.choices.len()).max().unwrap_or_default().max(2);
        let mut seen = BTreeSet::new();
        for (choice, every) in (0..choices).map(|choice| (choice, true)).chain([(0, false)]) {
            // A URL that is the same for all servers contains no token.
            let by_address = every || recipe.name.as_str() == "proxmox-ve-9";
            let usual = harness.target(CLIENT, by_address).await;
            let mut place = (*usual.place).clone();
            if every {
                place.dns_servers = vec!["10.0.0.2".parse().expect("an address")];
            }
            let settings = given(&recipe.settings, every, choice);
            let target = Arc::new(Target::new(identity(CLIENT), Arc::clone(&image), Arc::new(place), settings));
            harness.load(&[&target]);
            let (found, missing) = walk(&harness, &files).await;
            seen.extend(found);
            let which = format!("{}, choice {choice}, {}", recipe.name, if every { "all set" } else { "least set" });
            wrong.extend(missing.into_iter().map(|missing| format!("{which}: {missing}")));
        }
        // The script, at least one file that it loads, and the end of the installation.
        let done = seen.iter().any(|address| address.contains("/DONE"));
        assert!(done && seen.len() >= 4, "{} is not read as its readers do: {seen:#?}", recipe.name);
        let read = |end: &str| seen.iter().any(|address| address.ends_with(end));
        match recipe.name.as_str() {
            "ubuntu-24.04" => assert!(read("/vendor-data"), "{seen:#?}"),
            "esxi-8" => assert!(read("/imgpayld.tgz"), "{seen:#?}"),
            "windows-server-2022" => assert!(read("/install.wim") && read("/unattend.xml"), "{seen:#?}"),
            "debian-12" => assert!(read("/late.sh") && seen.contains("/pxe/_kernel"), "{seen:#?}"),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{} addresses:\n{}", wrong.len(), wrong.join("\n"));
}

#[actix_web::test]
async fn a_url_that_does_not_exist_is_found_in_every_file() {
    for (file, kind, text) in [
        ("boot.ipxe", FileKind::BootIpxe, "#!ipxe\nkernel {{ files_url }}/none\nboot\n"),
        ("boot.ipxe", FileKind::BootIpxe, "#!ipxe\nkernel --name linux none\nboot\n"),
        ("preseed.cfg", FileKind::Kickstart, "late wget {{ files_url|shell }}/none && done\n"),
        ("preseed.cfg", FileKind::Kickstart, "set \"FILES={{ files_url }}\"\r\ncurl \"%FILES%/none\"\r\n"),
        ("preseed.cfg", FileKind::Kickstart, "prefix={{ files_url }}\nkernel=vmlinuz\nmodules=initrd.img --- none\n"),
        ("preseed.cfg", FileKind::Kickstart, "ds=nocloud-net;s={{ files_url }}/none\n"),
        ("grub.cfg", FileKind::Grub, "linux /pxe/none\n"),
    ] {
        let (harness, files) = served();
        let usual = harness.target(CLIENT, true).await;
        let mut image = (*usual.image).clone();
        image.files.insert(name(file), harness.stored(kind, true, text).await);
        let target = Target::new(identity(CLIENT), Arc::new(image), Arc::clone(&usual.place), usual.settings.clone());
        harness.load(&[&Arc::new(target)]);
        let (_, wrong) = walk(&harness, &files).await;
        assert!(wrong.iter().any(|wrong| wrong.contains("none")), "{text}: {wrong:?}");
    }
}
