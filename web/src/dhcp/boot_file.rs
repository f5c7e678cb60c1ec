//! Which boot file a client with a live deployment is told: the one place for every format.
//!
//! An iPXE is told its script. Firmware is told an iPXE that it can run, by its architecture (option 93, RFC 4578): over
//! TFTP from the site's next server, or over HTTP where it says that it boots so. Where there is no next server, there is
//! no TFTP.

use bootledger_aggregates::site::{BootUrl, SiteSpec};

/// BOOTP's field for the boot file has 128 bytes, the last of them zero (RFC 951). What is longer goes into option 67.
const FIELD: usize = 127;

/// What an iPXE says of itself as its user class (option 77).
pub(crate) const IPXE: &str = "iPXE";

/// What UEFI firmware that boots over HTTP calls itself in option 60, and must be called in return (UEFI specification,
/// 24.7.2).
pub(crate) const HTTP_CLIENT: &str = "HTTPClient";

/// A client, by what it says of itself in its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    /// An iPXE, by its user class, whatever its architecture.
    Ipxe,
    /// Firmware of one of these architectures, which fetches over TFTP.
    Firmware(&'static [u16]),
    /// Firmware of one of these architectures, which fetches over HTTP.
    HttpFirmware(&'static [u16]),
    /// Whoever is none of these: an installer, a system, or an iPXE that was built to call itself something else.
    Other,
}

/// A kind of client and what it is told. The first kind that a client is of counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BootFile {
    /// Its name in formats that need one.
    pub(crate) name: &'static str,
    /// Who is told.
    pub(crate) asker: Asker,
    /// A URL, or a file's name on the next server.
    pub(crate) file: String,
}

/// The architectures and their boot loaders in Debian's package `ipxe`. 9 stands for 7 in most firmware, which followed an
/// early draft of RFC 4578.
const BIOS: (&[u16], &str) = (&[0], "undionly.kpxe");
const UEFI: (&[u16], &str) = (&[7, 9], "snponly.efi");
const UEFI_HTTP: (&[u16], &str) = (&[16], "snponly.efi");

/// The boot files of a site, in the order in which they are tried. `base_url` counts where the site has no boot URL.
pub(crate) fn boot_files(site: &SiteSpec, base_url: &BootUrl) -> Vec<BootFile> {
    let boot_url = site.boot_url.as_ref().unwrap_or(base_url).as_str();
    let script = || format!("{boot_url}/pxe/");
    let mut files = vec![BootFile { name: "ipxe", asker: Asker::Ipxe, file: script() }];
    if site.next_server.is_some() {
        for (name, (architectures, loader)) in [("bios", BIOS), ("uefi", UEFI)] {
            files.push(BootFile { name, asker: Asker::Firmware(architectures), file: loader.to_owned() });
        }
    }
    let (architectures, loader) = UEFI_HTTP;
    let file = format!("{boot_url}/boot/loaders/{loader}");
    files.push(BootFile { name: "uefi-http", asker: Asker::HttpFirmware(architectures), file });
    files.push(BootFile { name: "other", asker: Asker::Other, file: script() });
    files
}

impl BootFile {
    /// The boot file where BOOTP's own field has room for it.
    pub(crate) fn field(&self) -> Option<&str> {
        (self.file.len() <= FIELD).then_some(self.file.as_str())
    }

    /// The boot file where only option 67 (RFC 2132, 9.5) has room for it.
    pub(crate) fn option(&self) -> Option<&str> {
        (self.file.len() > FIELD).then_some(self.file.as_str())
    }

    /// Whether the answer must say that it is for a client that boots over HTTP.
    pub(crate) fn over_http(&self) -> bool {
        matches!(self.asker, Asker::HttpFirmware(_))
    }
}
