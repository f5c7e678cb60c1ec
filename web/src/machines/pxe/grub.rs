//! The configuration for a GRUB of the signed boot chain: the counterpart of the iPXE script at `/pxe/`.
//!
//! Debian's signed GRUB requests `/grub/grub.cfg` from the server that it was loaded from; others look in other folders. The
//! answer is always the configuration for the client, by its address, so the folder does not matter. A GRUB without a
//! configuration shows a prompt and waits for an operator, so it always gets one: if there is nothing to boot, the
//! configuration shows the reason on the server's console and restarts the server, because the reason may no longer apply then.

use super::boot_client::BootClient;
use super::recorder::Served;
use super::service::BootService;
use super::table::Lookup;
use super::{local_disk, render};
use crate::http::application::Application;
use crate::images::serve::{Content, Source};
use crate::images::store::Contents;
use crate::images::target::Target;
use bootledger_aggregates::boot_image::FileKind;
use bootledger_aggregates::deployment::installer::{LOCAL_DISK, NextBoot};
use bootledger_aggregates::values::sha256::Sha256;
use bytes::Bytes;
use std::fmt::Write;
use std::sync::Arc;

/// Maximum size of a configuration that is served. A file that is not a template may have any size in the store.
const LARGEST: u64 = 1024 * 1024;

/// A configuration, and the record to write once the server has it.
#[derive(Clone, Debug)]
pub(super) struct Configuration {
    /// The text of the configuration.
    pub(super) bytes: Bytes,
    /// The record of a deployment's file; `None` if no deployment is concerned.
    pub(super) record: Option<Served>,
}

/// Whether a GRUB requests its configuration by this name, without a leading slash. `x86_64-efi/grub.cfg` is not such a name:
/// Debian's GRUB requests it first, to find out whether it exists.
pub(super) fn is_configuration(name: &str) -> bool {
    let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
    file == "grub.cfg" && !folder.ends_with("-efi")
}

/// The configuration for a client.
pub(super) async fn configuration(service: &BootService, asker: BootClient) -> Configuration {
    let application = &service.application;
    let found = asker.find(&service.table);
    let target = match &found {
        Lookup::Target(target) => target,
        Lookup::Nothing => return Configuration { bytes: Bytes::from_static(local_disk::GRUB.as_bytes()), record: None },
        _ => return says(&asker.problem(&found).1),
    };
    if target.identity.next_boot == NextBoot::Disk {
        let bytes = Bytes::from_static(local_disk::GRUB_WITHIN.as_bytes());
        let record = LOCAL_DISK.parse().ok().map(|name| served(application, target, name, local_disk::grub_sha256(), asker));
        return Configuration { bytes, record };
    }
    let image = &target.image;
    let Some((name, file)) = image.file_of_kind(FileKind::Grub) else {
        return says(&format!(
            "the boot image {}, revision {}, has no file of kind grub, so a server that loads a signed GRUB cannot boot it; \
             cancel the deployment, and add the file to the image or choose the boot chain ipxe for the server",
            image.name, image.revision
        ));
    };
    match render::file(service, target, name, file).await {
        Ok(content) => match bytes_of(application, &content).await {
            Ok(bytes) => {
                let record = served(application, target, name.clone(), content.sha256, asker);
                Configuration { bytes, record: Some(record) }
            }
            Err(why) => {
                tracing::error!("a booting server is not served {name} of the boot image {}: {why:#}", image.name);
                says(&format!("{name} of the boot image {} cannot be served; the service's log says why", image.name))
            }
        },
        Err(error) => {
            tracing::error!("a booting server is not served: {error}");
            says(&error.to_string())
        }
    }
}

async fn bytes_of(application: &Application, content: &Content) -> anyhow::Result<Bytes> {
    match &content.source {
        Source::Memory(bytes) => Ok(bytes.clone()),
        Source::Stored(_) if content.size > LARGEST => Err(anyhow::anyhow!("it has more than {LARGEST} bytes")),
        Source::Stored(_) => {
            let contents = Contents::new(Arc::clone(&application.files));
            Ok(contents.read_whole(content.sha256, content.size).await?)
        }
    }
}

fn served(
    application: &Application,
    target: &Target,
    file: bootledger_aggregates::values::name::Name,
    sha256: Sha256,
    asker: BootClient,
) -> Served {
    let then_disk = target.boots_disk_after(&file);
    let (deployment, at) = (target.identity.deployment, (application.now)());
    Served { deployment, file, sha256, client: asker.client, at, then_disk }
}

/// A configuration that shows a sentence and restarts the server.
fn says(sentence: &str) -> Configuration {
    let mut text = "# Bootledger: nothing is served to this server now.\n".to_owned();
    for line in ["Bootledger:", sentence, "This server restarts in one minute."] {
        let _ = writeln!(text, "echo {}", quoted(line));
    }
    text.push_str("sleep 60\nreboot\n");
    Configuration { bytes: text.into(), record: None }
}

/// A text as one word of GRUB's language: between single quotes only the quote itself has a meaning.
fn quoted(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_ascii() && !c.is_ascii_control() && c != '\'' { c } else { ' ' }).collect();
    format!("'{plain}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_that_a_grub_looks_in_has_its_configuration() {
        for name in [
            "grub/grub.cfg", // Debian, Ubuntu
            "grub.cfg",      // Fedora, RHEL: in the loader's folder
            "boot/grub/grub.cfg",
            "EFI/debian/grub.cfg",
            "debian-installer/amd64/grub/grub.cfg", // Debian's grubnetx64-installer.efi
        ] {
            assert!(is_configuration(name), "{name}");
        }
        for name in
            ["grub/x86_64-efi/grub.cfg", "grub/arm64-efi/grub.cfg", "grub/x86_64-efi/command.lst", "grub.cfg/x", "mygrub.cfg", ""]
        {
            assert!(!is_configuration(name), "{name}");
        }
    }

    #[test]
    fn a_sentence_cannot_end_its_quotes_or_its_line() {
        let said = says("it's \"here\"; reboot\nhalt $x \u{201c}\u{7}").bytes;
        let text = std::str::from_utf8(&said).expect("text");
        assert!(text.contains("echo 'it s \"here\"; reboot halt $x   '\n"), "{text}");
        assert_eq!(text.lines().count(), 6, "{text}");
    }
}
