//! Settings of boot images from the catalogue to the served file: which value takes precedence, what is missing, and that a
//! secret is only in the file that needs it.

use crate::support::service::{Service, wait_for};
use anyhow::{Context, Result, ensure};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::time::Duration;

/// The secret. Only the rendered file may contain it, in any encoding.
const SECRET: &str = "Xy7-hush.$6$salt/hash";
const TEMPLATE: &str = "disk {{ settings.disk|shell }}\nzone {{ settings.time_zone }}\nkeys {{ settings.ssh_keys|json }}\n\
    root {{ settings.root_password_hash|shell }}\nupper {{ settings.root_password_hash|upper }}\n";
/// The header that represents the booting server: the service trusts a proxy on this machine.
const SERVER: (&str, &str) = ("X-Forwarded-For", "10.0.0.20");
const PATIENCE: Duration = Duration::from_mins(3);

async fn service() -> Result<Service> {
    let service = Service::start(Ipv4Addr::LOCALHOST).await?;
    let site = json!({
        "next_server": "10.0.0.2", "domain": "dc1.example", "zones": ["dc1.example", "10.in-addr.arpa"],
        "hostname_template": "h<200,699>.dc1.example", "settings": { "time_zone": "Europe/Berlin", "disk": "/dev/site" },
    });
    service.define(&site, &json!({ "cidr": "10.0.0.0/24", "site": "dc1", "gateway": "10.0.0.1" })).await?;
    service.put("/api/v1/dhcp-servers/kea-1", &json!({ "site": "dc1", "kind": "kea" })).await?;
    let image = json!({ "settings": {
        "disk": { "type": "text", "default": "auto", "description": "Disk to install on" },
        "time_zone": { "type": "text", "default": "Etc/UTC" },
        "ssh_keys": { "type": "list" },
        "root_password_hash": { "type": "secret", "required": true, "description": "crypt(3) hash of root's password" },
    } });
    service.put("/api/v1/boot-images/debian", &image).await?;
    service.put_bytes("/api/v1/boot-images/debian/files/answers?kind=kickstart&template=true", TEMPLATE).await?;
    Ok(service)
}

/// Creates a verified device of shop/web with this MAC and returns its path.
async fn device(service: &Service, mac: &str) -> Result<String> {
    let device = json!({ "site": "dc1", "macs": [mac], "venture": "shop", "role": "web" });
    Ok(format!("/api/v1/devices/{}", service.register(&device).await?))
}

fn id(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// The effective value and source of each setting for the image, as `name=value from source`.
async fn counting(service: &Service, device: &str) -> Result<Vec<String>> {
    let found = service.get(&format!("{device}/settings?image=debian")).await?;
    let settings = found["settings"].as_array().context("settings")?;
    Ok(settings.iter().map(|one| format!("{}={} from {}", one["name"], one["value"], one["from"]).replace('"', "")).collect())
}

/// The answer to the booting server for a path.
async fn fetched(service: &Service, path: &str) -> Result<(StatusCode, String)> {
    let answer = reqwest::Client::new().get(service.url(path)).header(SERVER.0, SERVER.1).send().await?;
    Ok((answer.status(), answer.text().await?))
}

/// Starts a deployment and returns its path.
async fn deploy(service: &Service, device: &str) -> Result<String> {
    let wanted = json!({ "device": id(device), "boot_image": "debian", "ip": SERVER.1, "hostname": "h200.dc1.example" });
    service.start_deployment(&wanted).await
}

/// iPXE has no quoting, so a value can end a command of the script and begin another one.
#[tokio::test]
async fn a_value_that_would_change_the_boot_script_is_refused_when_the_deployment_starts_and_not_before() -> Result<()> {
    let service = service().await?;
    let device = device(&service, "52:54:00:00:00:01").await?;
    service.write_secret("boot-root", SECRET)?;
    let script =
        "#!ipxe\necho {{ hostname }} {{ settings.disk }} {{ settings.time_zone|replace(';', '') }}\nimgfetch {{ done_url }}\n";
    service.put_bytes("/api/v1/boot-images/debian/files/boot.ipxe?kind=boot_ipxe&template=true", script).await?;
    let venture = |disk: &str| json!({ "settings": { "root_password_hash": { "secret": "boot-root" }, "disk": disk, "time_zone": "a ; b" } });
    for (disk, sign) in
        [("sda ; reboot", "has ; in its value"), ("${net0/mac}", "has ${ in its value"), ("sda # a note", "has # in its value")]
    {
        service.put("/api/v1/ventures/shop", &venture(disk)).await?;
        let refused = deploy(&service, &device).await.expect_err(disk).to_string();
        for words in [
            "setting_changes_script",
            sign,
            "the setting disk of the boot image debian",
            "the template boot.ipxe",
            "venture shop",
        ] {
            ensure!(refused.contains(words), "{words}: {refused}");
        }
    }
    service.put("/api/v1/ventures/shop", &venture("disk;by-id#1")).await?;
    deploy(&service, &device).await?;
    Ok(())
}

#[tokio::test]
async fn the_nearest_setting_is_rendered_and_a_deployment_keeps_what_it_was_started_with() -> Result<()> {
    let service = service().await?;
    let device = device(&service, "52:54:00:00:00:01").await?;
    let refused = deploy(&service, &device).await.expect_err("a required setting has no value").to_string();
    ensure!(refused.contains("setting_missing") && refused.contains("crypt(3) hash of root's password"), "{refused}");
    let secret = json!({ "settings": { "root_password_hash": { "secret": "boot-root" }, "disk": "/dev/venture" } });
    let refused = service.put("/api/v1/ventures/shop", &secret).await.expect_err("there is no such secret").to_string();
    ensure!(refused.contains("secret_missing") && refused.contains("boot-root"), "{refused}");
    service.write_secret("boot-root", SECRET)?;
    service.put("/api/v1/ventures/shop", &secret).await?;
    let role = json!({ "settings": { "disk": "/dev/role", "ssh_keys": ["ssh-ed25519 AAAA a@b", "it's"] } });
    service.put("/api/v1/ventures/shop/roles/web", &role).await?;
    service.patch(&device, &json!({ "settings": { "disk": "/dev/my disk", "other": 7 } })).await?;
    service.patch(&device, &json!({ "settings": { "other": null } })).await?;
    let found = counting(&service, &device).await?;
    assert_eq!(
        found,
        [
            "disk=/dev/my disk from device",
            "root_password_hash={secret:boot-root} from venture shop",
            "ssh_keys=[ssh-ed25519 AAAA a@b,it's] from role shop/web",
            "time_zone=Europe/Berlin from site dc1",
        ]
    );
    let path = deploy(&service, &device).await?;
    service.confirm_entry(&path, PATIENCE).await?;

    // The script is served by address and contains the URL with the token.
    let script = wait_for("the script is served", PATIENCE, async || {
        let (status, text) = fetched(&service, "/pxe/").await.ok()?;
        (status == StatusCode::OK && text.contains("/DONE/")).then_some(text)
    });
    let script = script.await?;
    let token = script.split("/pxe/t/").nth(1).and_then(|rest| rest.split('/').next()).context("a token")?.to_owned();
    let answers = format!("/pxe/t/{token}/answers");
    let expected = format!(
        "disk '/dev/my disk'\nzone Europe/Berlin\nkeys [\"ssh-ed25519 AAAA a@b\",\"it's\"]\nroot '{SECRET}'\nupper {}\n",
        SECRET.to_uppercase()
    );
    let (status, text) = fetched(&service, &answers).await?;
    assert_eq!((status, text.as_str()), (StatusCode::OK, expected.as_str()));
    let (status, _) = fetched(&service, "/pxe/answers").await?;
    assert_eq!(status, StatusCode::FORBIDDEN, "a file with a secret takes the token");

    // A later change of a setting applies to the next deployment.
    service.patch(&device, &json!({ "settings": { "disk": null } })).await?;
    service.put("/api/v1/ventures/shop/roles/web", &json!({})).await?;
    assert_eq!(counting(&service, &device).await?[0], "disk=/dev/venture from venture shop");
    assert_eq!(fetched(&service, &answers).await?.1, expected);
    nothing_has_the_secret(&service, &device, &path).await?;
    secret_goes(&service, &path, &answers).await
}

/// No event, page, answer of the API or line of the log contains the secret.
async fn nothing_has_the_secret(service: &Service, device: &str, deployment: &str) -> Result<()> {
    let recorded = wait_for("the served file is recorded", PATIENCE, async || {
        let pool = service.database().pool(1).await.ok()?;
        let events: Vec<String> =
            sqlx::query_scalar("SELECT payload::text || metadata::text FROM events").fetch_all(&pool).await.ok()?;
        events.iter().any(|event| event.contains("BootFileServed") && event.contains("answers")).then_some(events)
    });
    let mut all = recorded.await?;
    let (device, deployment_id) = (id(device), id(deployment));
    let preview = format!("/boot-images/debian/preview?server={deployment_id}&file=answers");
    for path in [
        deployment.to_owned(),
        format!("/api/v1/devices/{device}"),
        format!("/api/v1/devices/{device}/settings"),
        "/api/v1/boot-targets".to_owned(),
        "/api/v1/events".to_owned(),
        "/readyz".to_owned(),
        "/metrics".to_owned(),
        format!("/deployments/{deployment_id}"),
        format!("/deployments/{deployment_id}/served/answers"),
        preview.clone(),
        format!("/devices/{device}"),
        format!("/devices/{device}/settings"),
        format!("/devices/{device}/history"),
        "/boot-images/debian".to_owned(),
        "/ventures/shop".to_owned(),
        "/ventures/shop/edit".to_owned(),
        "/timeline".to_owned(),
    ] {
        all.push(service.text(&path).await.with_context(|| path.clone())?);
    }
    all.push(service.log()?);
    for text in &all {
        for form in [SECRET, &SECRET.to_uppercase(), "Xy7-hush", "XY7-HUSH"] {
            ensure!(!text.contains(form), "{}", text.get(..3000).unwrap_or(text));
        }
    }
    for path in [preview, format!("/deployments/{deployment_id}/served/answers")] {
        let page = service.text(&path).await?;
        ensure!(
            page.contains("root ••••••") || page.contains("root &#39;••••••&#39;") || page.contains("root '••••••'"),
            "{page}"
        );
        ensure!(page.contains("zone Europe/Berlin"), "{page}");
    }
    let served = service.text(&format!("/deployments/{deployment_id}/served/answers")).await?;
    ensure!(served.contains("note good"), "the keyed hash is the recorded one: {served}");
    Ok(())
}

/// A missing secret ends nothing: the file waits, and the operator sees the reason.
async fn secret_goes(service: &Service, deployment: &str, answers: &str) -> Result<()> {
    service.write_secret("boot-root", "")?;
    let (status, text) = fetched(service, answers).await?;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{text}");
    let page = service.text(&format!("/deployments/{}", id(deployment))).await?;
    ensure!(page.contains("are not served: the file of secret boot-root cannot be used: it is empty"), "{page}");
    let ready = service.get("/readyz").await?;
    let listed = ready["secrets"].as_array().context("secrets")?;
    ensure!(
        listed.iter().any(|one| one["name"] == "boot-root" && one["used_by"] == "setting root_password_hash of venture shop"),
        "{listed:?}"
    );
    service.write_secret("boot-root", "another")?;
    ensure!(fetched(service, answers).await?.1.contains("root another\n"), "the next request reads the new one");
    Ok(())
}

#[tokio::test]
async fn a_csv_is_refused_completely_where_one_row_lacks_a_setting_and_sets_those_of_each_row() -> Result<()> {
    let service = service().await?;
    let csv =
        "mac;network;venture;role;boot_image\n52:54:00:00:00:01;prod;shop;web;debian\n52:54:00:00:00:02;prod;shop;web;debian\n";
    let refused = service.import(csv.to_owned(), "first").await.expect_err("no row has a password").to_string();
    ensure!(refused.matches("setting_missing").count() == 2 && refused.contains("boot_image"), "{refused}");
    let own = device(&service, "52:54:00:00:00:02").await?;
    service.write_secret("boot-root", SECRET)?;
    service.write_secret("boot-own", "other")?;
    service.patch(&own, &json!({ "settings": { "root_password_hash": { "secret": "boot-own" } } })).await?;
    let site = service.get("/api/v1/sites/dc1").await?;
    let mut spec = site["spec"].clone();
    spec["settings"]["root_password_hash"] = json!({ "secret": "boot-root" });
    service.put("/api/v1/sites/dc1", &spec).await?;
    service.import(csv.to_owned(), "second").await?;
    let found = service.get("/api/v1/deployments").await?;
    let mut sources: Vec<String> = found["items"]
        .as_array()
        .context("deployments")?
        .iter()
        .map(|one| format!("{} {}", one["mac"], one["settings"]["root_password_hash"]["from"]).replace('"', ""))
        .collect();
    sources.sort();
    assert_eq!(sources, ["52:54:00:00:00:01 site dc1", "52:54:00:00:00:02 device"]);
    service.run(&["rebuild", "--compare"]).await?;
    Ok(())
}

#[tokio::test]
async fn a_catalogue_file_declares_sets_and_replaces_settings_together_with_the_templates_that_use_them() -> Result<()> {
    let service = Service::start(Ipv4Addr::LOCALHOST).await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("catalogue.yaml");
    let catalogue = |declared: &str, used: &str| {
        format!(
            "sites: {{ dc1: {{ domain: dc1.example, settings: {{ time_zone: Europe/Berlin, ntp_servers: [10.0.0.3], quiet: true }} }} }}\n\
             boot_images:\n  debian:\n    network_boot: once\n    settings:\n      {declared}: {{ type: text, description: A disk }}\n\
             \x20   files:\n      preseed.cfg: {{ kind: kickstart, template: true, text: \"{{{{ settings.{used} }}}}\" }}\n\
             ventures: {{ shop: {{ settings: {{ disk: /dev/sda }}, roles: {{ web: {{ settings: {{ vlan: 12 }} }} }} }} }}\n\
             devices: [{{ site: dc1, macs: [\"52:54:00:00:00:01\"], settings: {{ disk: /dev/sdb }} }}]\n"
        )
    };
    let (file_name, files) = (file.to_str().context("a path")?, folder.path().to_str().context("a path")?);
    std::fs::write(&file, catalogue("disk", "disk"))?;
    service.run(&["import", "--catalogue", file_name, "--files", files]).await?;
    let image = service.get("/api/v1/boot-images/debian").await?;
    assert_eq!(image["files"]["preseed.cfg"]["settings"], json!(["disk"]));
    assert_eq!(image["spec"]["network_boot"], "once");
    let devices = service.get("/api/v1/devices").await?;
    assert_eq!(devices["items"][0]["settings"], json!({ "disk": "/dev/sdb" }));
    std::fs::write(&file, catalogue("disk", "disc"))?;
    let refused = service
        .run(&["import", "--catalogue", file_name, "--files", files])
        .await
        .expect_err("an undeclared setting")
        .to_string();
    for fact in ["boot image debian", "files.preseed.cfg", " disc", " disk"] {
        ensure!(refused.contains(fact), "{fact}: {refused}");
    }
    std::fs::write(&file, catalogue("target_disk", "target_disk"))?;
    service.run(&["import", "--catalogue", file_name, "--files", files]).await?;
    let image = service.get("/api/v1/boot-images/debian").await?;
    assert_eq!(image["spec"]["settings"], json!({ "target_disk": { "type": "text", "description": "A disk" } }));
    Ok(())
}

#[tokio::test]
async fn a_password_is_not_stored_as_a_plain_value_and_only_administrators_define_scopes_of_secrets() -> Result<()> {
    let service = service().await?;
    service.write_secret("boot-root", SECRET)?;
    let device = device(&service, "52:54:00:00:00:01").await?;
    let plain = json!({ "settings": { "root_password_hash": "plain-7316" } });
    let of_site = json!({ "domain": "dc1.example", "settings": plain["settings"] });
    let refused = [
        service.patch(&device, &plain).await,
        service.put("/api/v1/ventures/shop", &plain).await,
        service.put("/api/v1/ventures/shop/roles/web", &plain).await,
        service.put("/api/v1/sites/dc1", &of_site).await,
    ];
    for refused in refused {
        let refused = refused.expect_err("a plain value").to_string();
        ensure!(refused.contains("setting_not_secret") && refused.contains("settings.root_password_hash"), "{refused}");
    }
    ensure!(!service.run(&["export"]).await?.contains("plain-7316"), "a refused value is in no event");

    let operator = service.run(&["token", "create", "--role", "operator", "ops"]).await?;
    let operator = operator.split_whitespace().find(|word| word.starts_with("bl_")).context("a token")?;
    let patch = async |settings: Value| -> Result<StatusCode> {
        let request = reqwest::Client::new().patch(service.url(&device)).bearer_auth(operator);
        Ok(request.json(&json!({ "settings": settings })).send().await?.status())
    };
    assert_eq!(patch(json!({ "root_password_hash": { "secret": "boot-root" } })).await?, StatusCode::FORBIDDEN);
    assert_eq!(patch(json!({ "disk": "/dev/sdb" })).await?, StatusCode::OK);
    Ok(())
}
