//! What a signed GRUB gets, over HTTP and over TFTP: its configuration by the client's address, the files of its boot image,
//! and the records of both.

use crate::harness::{Harness, identity, name};
use crate::records::recorded;
use actix_web::http::Method;
use bootledger_aggregates::boot_image::{FileKind, NetworkBoot};
use bootledger_aggregates::deployment::installer::NextBoot;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_boot_loaders::{LoaderError, Loaders};
use bootledger_web::images::target::{Identity, Image, Target};
use bootledger_web::machines::pxe::table::Entry;
use bootledger_web::machines::pxe::tftp::{Files, Opened};
use sha2::Digest;
use std::net::IpAddr;
use std::sync::Arc;

const CLIENT: &str = "10.0.0.20";

const GRUB: &str =
    "echo '{{ hostname }} ({{ filetype }})'\nlinux /pxe/_kernel url={{ kickstart_url }}\ninitrd /pxe/_initrd\nboot\n";

/// A target of the sample image, with this GRUB configuration if any.
async fn target(harness: &Harness, grub: Option<&str>, next_boot: NextBoot, ip_only_done: bool) -> Arc<Target> {
    let usual = harness.target(CLIENT, ip_only_done).await;
    let mut image = Image { network_boot: NetworkBoot::Once, ..(*usual.image).clone() };
    if let Some(grub) = grub {
        image.files.insert(name("grub.cfg"), harness.stored(FileKind::Grub, true, grub.to_owned()).await);
    }
    let identity = Identity { next_boot, ..identity(CLIENT) };
    Arc::new(Target::new(identity, Arc::new(image), Arc::clone(&usual.place), usual.settings.clone()))
}

/// A service with a folder of loaders, and what it serves over TFTP.
fn served() -> (Harness, Files) {
    let mut harness = Harness::new();
    let folder = harness.folder.path().join("loaders");
    std::fs::create_dir_all(folder.join("http")).expect("a folder");
    for (file, content) in [
        ("shimx64.efi", "shim"),
        ("grubx64.efi", "a GRUB with TFTP"),
        ("snponly.efi", "an iPXE"),
        ("grub.cfg", "a left-over of another installation"),
        ("http/shimx64.efi", "shim"),
        ("http/grubx64.efi", "GET %s HTTP/1.1 User-Agent: GRUB"),
    ] {
        std::fs::write(folder.join(file), content).expect("a file");
    }
    let loaders = Loaders::at(&folder).expect("loaders");
    harness.application.loaders = Some(loaders.clone());
    let files = Files::of(loaders, harness.boot());
    (harness, files)
}

fn client(text: &str) -> IpAddr {
    text.parse().expect(text)
}

async fn whole(opened: &Opened) -> String {
    String::from_utf8(opened.read(0, opened.size()).await.expect("bytes").to_vec()).expect("text")
}

async fn text(files: &Files, from: &str, file: &str) -> String {
    let opened = files.open(client(from), file.as_bytes()).await.unwrap_or_else(|error| panic!("{file}: {error}"));
    whole(&opened).await
}

#[actix_web::test]
async fn a_grub_gets_the_configuration_of_its_servers_deployment_from_every_folder() {
    let (harness, files) = served();
    let target = target(&harness, Some(GRUB), NextBoot::Network, true).await;
    harness.load(&[&target]);
    let token = harness.token(target.identity.deployment);
    let expected = format!(
        "echo 'h200.dc1.example (grub)'\nlinux /pxe/_kernel url=http://boot.example:8080/pxe/t/{token}/preseed.cfg\ninitrd /pxe/_initrd\nboot\n"
    );
    for file in ["/grub/grub.cfg", "grub/grub.cfg", "/grub.cfg", "/boot/grub/grub.cfg", "/EFI/debian/grub.cfg"] {
        assert_eq!(text(&files, CLIENT, file).await, expected, "{file}");
        assert_eq!(text(&files, "::ffff:10.0.0.20", file).await, expected, "{file}");
    }
    for path in ["/grub/grub.cfg", "/boot/loaders/grub.cfg", "/boot/loaders//grub/grub.cfg"] {
        let answer = harness.get(path, CLIENT).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (200, expected.as_str()), "{path}");
    }
    assert_eq!(harness.get("/pxe/_grub", CLIENT).await.text(), expected);
    // The files that GRUB looks for first do not exist, so that it goes on to the configuration.
    for file in ["/grub/x86_64-efi/grub.cfg", "/grub/x86_64-efi/command.lst", "/grub/grub.cfg-01-52-54-00-12-34-56"] {
        assert!(matches!(files.open(client(CLIENT), file.as_bytes()).await, Err(LoaderError::Missing)), "{file}");
    }
}

#[actix_web::test]
async fn a_server_without_a_deployment_starts_its_disk_and_one_that_restarts_too() {
    let (harness, files) = served();
    harness.load(&[]);
    let nothing = text(&files, CLIENT, "/grub/grub.cfg").await;
    assert!(nothing.contains("no deployment is in progress") && nothing.contains("chainloader"), "{nothing}");
    assert_eq!(harness.get("/grub/grub.cfg", CLIENT).await.text(), nothing);
    let target = target(&harness, Some(GRUB), NextBoot::Disk, true).await;
    harness.load(&[&target]);
    let within = text(&files, CLIENT, "/grub/grub.cfg").await;
    assert!(within.contains("a deployment is in progress") && within.contains("chainloader"), "{within}");
    assert_eq!(text(&files, "10.0.0.21", "/grub/grub.cfg").await, nothing, "another server's deployment is not served");
    // The record is of the disk, as for an iPXE.
    files.open(client(CLIENT), b"/grub/grub.cfg").await.expect("a configuration").given().await;
    let hash = Sha256::new(sha2::Sha256::digest(&within).into());
    assert_eq!(recorded(&harness, 1).await, [("local-disk".to_owned(), hash)]);
}

#[actix_web::test]
async fn a_grub_configuration_in_a_folder_of_loaders_is_served_to_no_server() {
    const OWN: &str = "menuentry 'A menu of our own' { exit }\n";
    let (harness, files) = served();
    let folder = harness.folder.path().join("loaders");
    for file in ["grub.cfg", "grub/grub.cfg", "EFI/debian/grub.cfg"] {
        let path = folder.join(file);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, OWN).expect("a file");
    }
    let target = target(&harness, Some(GRUB), NextBoot::Network, true).await;
    harness.load(&[&target]);
    for (over_tftp, over_http) in [
        ("/grub/grub.cfg", "/grub/grub.cfg"),
        ("/grub/grub.cfg", "/boot/loaders/grub/grub.cfg"),
        ("/grub.cfg", "/boot/loaders/grub.cfg"),
        ("/EFI/debian/grub.cfg", "/boot/loaders//EFI/debian/grub.cfg"),
    ] {
        // An installed server may have this address, and starts its disk with the service's own configuration.
        let nothing = text(&files, "10.0.0.21", over_tftp).await;
        assert!(nothing.contains("no deployment is in progress"), "{over_tftp}: {nothing}");
        assert_eq!(harness.get(over_http, "10.0.0.21").await.text(), nothing, "{over_http}");
        let installs = text(&files, CLIENT, over_tftp).await;
        assert!(installs.contains("linux /pxe/_kernel"), "{over_tftp}: {installs}");
        assert_eq!(harness.get(over_http, CLIENT).await.text(), installs, "{over_http}");
    }
    // The same for a deployment whose server restarts, that cannot be served, or that the table does not know at the moment.
    let restarts = self::target(&harness, Some(GRUB), NextBoot::Disk, true).await;
    harness.load(&[&restarts]);
    assert!(text(&files, CLIENT, "/grub.cfg").await.contains("a deployment is in progress"));
    let without = self::target(&harness, None, NextBoot::Network, true).await;
    harness.load(&[&without]);
    assert!(text(&files, CLIENT, "/grub.cfg").await.contains("has no file of kind grub"));
    let (unknown, files) = served();
    assert!(text(&files, CLIENT, "/grub.cfg").await.contains("is not available yet"));
    assert!(unknown.get("/boot/loaders/grub.cfg", CLIENT).await.text().contains("is not available yet"));
}

#[actix_web::test]
async fn a_grub_that_cannot_be_served_shows_why_and_restarts_but_never_boots_the_disk() {
    let (harness, files) = served();
    let shown = async || {
        let said = text(&files, CLIENT, "/grub/grub.cfg").await;
        assert!(said.contains("\nreboot\n"), "{said}");
        assert!(!said.contains("chainloader") && !said.contains("exit"), "{said}");
        assert_eq!(harness.get("/grub/grub.cfg", CLIENT).await.text(), said);
        said
    };
    let mut texts = vec![shown().await];
    let without = target(&harness, None, NextBoot::Network, true).await;
    harness.load(&[&without]);
    texts.push(shown().await);
    harness
        .table
        .load(vec![Entry::Unusable { ip: "10.0.0.20".parse().expect("an address"), deployment: without.identity.deployment }], 2);
    texts.push(shown().await);
    let failing = target(&harness, Some("{{ hostname[9].x }}"), NextBoot::Network, true).await;
    harness.load(&[&failing]);
    texts.push(shown().await);
    assert!(texts[1].contains("debian-13, revision 6") && texts[3].contains("grub.cfg"), "{texts:?}");
    insta::assert_snapshot!("texts_of_a_grub_that_cannot_be_served", texts.join("\n"));
}

#[actix_web::test]
async fn files_of_a_boot_image_come_over_tftp_by_the_rules_of_http() {
    let (harness, files) = served();
    let target = target(&harness, Some(GRUB), NextBoot::Network, false).await;
    harness.load(&[&target]);
    let token = harness.token(target.identity.deployment);
    let kernel = files.open(client(CLIENT), b"/pxe/_kernel").await.expect("the kernel");
    let over_http = harness.get("/pxe/_kernel", CLIENT).await.body;
    assert_eq!(kernel.size(), over_http.len() as u64);
    for (from, to) in [(0, 1), (0, kernel.size()), (70_000, 70_001), (99_000, kernel.size()), (5, 5)] {
        let range = usize::try_from(from).expect("small")..usize::try_from(to).expect("small");
        assert_eq!(kernel.read(from, to).await.expect("a part"), over_http[range], "{from}..{to}");
    }
    assert_eq!(text(&files, CLIENT, "pxe/initrd.img").await, "an initrd");
    // Answer files may hold secrets, and this network requires the token.
    let by_token = format!("pxe/t/{token}/preseed.cfg");
    assert!(text(&files, "203.0.113.9", &by_token).await.starts_with("host h200.dc1.example\n"));
    for (from, file, words) in [
        (CLIENT, "pxe/preseed.cfg", "requires the deployment's token"),
        (CLIENT, "pxe/none", "has no file none"),
        (CLIENT, "pxe/a/b", "request a file by its name"),
        (CLIENT, "pxe/t/0123/vmlinuz", "no deployment in progress has this token"),
        ("10.0.0.21", "pxe/vmlinuz", "no deployment is in progress for 10.0.0.21"),
        ("2001:db8::1", "pxe/vmlinuz", "over IPv4"),
    ] {
        match files.open(client(from), file.as_bytes()).await {
            Err(LoaderError::Refused(said)) => assert!(said.contains(words), "{file}: {said}"),
            Err(other) => panic!("{file}: {other:?}"),
            Ok(_) => panic!("{file} was served to {from}"),
        }
    }
}

#[actix_web::test]
async fn only_what_a_client_acknowledges_counts_as_served_and_loaders_count_for_a_deployment() {
    let (harness, files) = served();
    let target = target(&harness, Some(GRUB), NextBoot::Network, true).await;
    harness.load(&[&target]);
    for file in ["shimx64.efi", "/grub/grub.cfg", "/pxe/_kernel"] {
        drop(files.open(client(CLIENT), file.as_bytes()).await.expect(file));
    }
    let mut expected = vec![];
    for file in ["/shimx64.efi", "grubx64.efi", "/grub/grub.cfg", "/pxe/_kernel"] {
        let opened = files.open(client(CLIENT), file.as_bytes()).await.expect(file);
        let content = opened.read(0, opened.size()).await.expect("bytes");
        opened.given().await;
        opened.given().await;
        let recorded = if file == "/pxe/_kernel" { "vmlinuz" } else { file.rsplit('/').next().expect("a name") };
        expected.push((recorded.to_owned(), Sha256::new(sha2::Sha256::digest(&content).into())));
    }
    // Nothing is recorded for a server without a deployment.
    files.open(client("10.0.0.21"), b"shimx64.efi").await.expect("shim").given().await;
    expected.sort();
    assert_eq!(recorded(&harness, expected.len()).await, expected);
}

#[actix_web::test]
async fn loaders_over_http_are_recorded_for_a_deployment() {
    let (harness, _files) = served();
    let target = target(&harness, None, NextBoot::Network, true).await;
    harness.load(&[&target]);
    for _ in 0..2 {
        harness.request(Method::HEAD, "/boot/loaders/snponly.efi", CLIENT, &[]).await;
        assert_eq!(harness.get("/boot/loaders/snponly.efi", CLIENT).await.text(), "an iPXE");
        harness.get("/boot/loaders/snponly.efi", "10.0.0.21").await;
    }
    let hash = Sha256::new(sha2::Sha256::digest("an iPXE").into());
    assert_eq!(recorded(&harness, 1).await, [("snponly.efi".to_owned(), hash)]);
}

#[actix_web::test]
async fn a_shim_whose_grub_has_no_http_is_not_served_over_http_where_it_would_end_at_a_prompt() {
    let (harness, files) = served();
    harness.load(&[]);
    for method in [Method::HEAD, Method::GET] {
        let answer = harness.request(method.clone(), "/boot/loaders/shimx64.efi", CLIENT, &[]).await;
        assert_eq!(answer.status, 404, "{method}");
        assert_eq!(harness.request(method, "/boot/loaders/http/shimx64.efi", CLIENT, &[]).await.status, 200);
    }
    let refused = harness.get("/boot/loaders/shimx64.efi", CLIENT).await;
    assert!(refused.text().contains("grubx64.efi") && refused.text().contains("PXE"), "{}", refused.text());
    // shim requests the second loader with two slashes.
    assert_eq!(harness.get("/boot/loaders/http//grubx64.efi", CLIENT).await.status, 200);
    assert_eq!(text(&files, CLIENT, "shimx64.efi").await, "shim", "TFTP has it");
}
