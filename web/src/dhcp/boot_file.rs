//! Which clients with a live deployment get a boot file, and which one: the one place for every format.
//!
//! Only a client that boots from the network gets a boot file, and with it the next server and, over HTTP, the vendor class.
//! An iPXE gets its script. Firmware gets an iPXE that it can run, by its architecture: over TFTP from the site's next
//! server, or over HTTP where it says that it boots so. Where a site has no next server, there is no TFTP.
//!
//! Every other client gets an address and options only: an installer or a running system uses DHCP as well, and may take a
//! boot file for something else. Debian's installer fetches one that is a URL as its preseed file, and fails.

use bootledger_aggregates::site::{BootUrl, SiteSpec};
use bootledger_aggregates::values::boot_chain::BootChain;

/// BOOTP's field for the boot file has 128 bytes, the last of them zero (RFC 951). What is longer goes into option 67.
const FIELD: usize = 127;

/// How the user class (option 77) of an iPXE begins. iPXE sends the bare text; RFC 3004 wants a class to follow its length,
/// which an embedded script may have set so.
pub(crate) const IPXE: [&str; 2] = ["iPXE", "\u{4}iPXE"];

/// What UEFI firmware that boots over HTTP calls itself in option 60, and must be called in return (UEFI specification,
/// 24.7.2).
pub(crate) const HTTP_CLIENT: &str = "HTTPClient";

/// What firmware that boots over TFTP calls itself in option 60 (RFC 4578, 2.4).
const PXE_CLIENT: &str = "PXEClient";

/// A kind of client that boots from the network, by what its request says. Every client that is none of these gets no boot
/// file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// An iPXE, by its user class, whatever its architecture.
    Ipxe,
    /// Firmware of one of these architectures, which fetches over TFTP.
    Firmware(&'static [u16]),
    /// Firmware of one of these architectures, which fetches over HTTP.
    HttpFirmware(&'static [u16]),
}

/// How firmware says which architecture it has. Option 93 counts (RFC 4578, 2.1: a list, of which the first is meant); what
/// option 60 says counts only for firmware that leaves option 93 out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Architecture {
    /// The first two bytes of option 93.
    pub(crate) bytes: [u8; 2],
    /// The beginning of option 60, like `PXEClient:Arch:00007`.
    pub(crate) vendor_class: String,
}

/// A kind of client and its boot file. The first kind that a client is of counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BootFile {
    /// Its name in formats that need one.
    pub(crate) name: &'static str,
    /// The clients that get it.
    pub(crate) client: Client,
    /// A URL, or a file's name on the next server.
    pub(crate) file: String,
}

/// A boot loader of Debian's package `ipxe`, with the architectures (IANA's "Processor Architecture Types") that run it and
/// the names of these kinds of client.
struct Loader {
    file: &'static str,
    tftp: (&'static str, &'static [u16]),
    http: Option<(&'static str, &'static [u16])>,
}

/// 9 stands for 7 in most firmware, which followed an early draft of RFC 4578. The package of Debian 12 has no iPXE for ARM,
/// later ones have; none has one for 32-bit UEFI (6 and 15).
const LOADERS: [Loader; 3] = [
    Loader { file: "undionly.kpxe", tftp: ("bios", &[0]), http: None },
    Loader { file: "snponly.efi", tftp: ("uefi", &[7, 9]), http: Some(("uefi-http", &[16])) },
    Loader { file: "ipxe-arm64.efi", tftp: ("arm64", &[11]), http: Some(("arm64-http", &[19])) },
];

/// What is served instead of a loader to servers of the signed chain: Debian's `shim-signed` under the name that firmware
/// knows it by. shim then fetches `grubx64.efi` or `grubaa64.efi` from beside it. A BIOS verifies nothing and keeps its iPXE, as
/// does firmware of an architecture that has no shim; where its Secure Boot is on, it refuses that.
const SIGNED: [(&str, &str); 2] = [("snponly.efi", "shimx64.efi"), ("ipxe-arm64.efi", "shimaa64.efi")];

/// The loader that firmware of this chain starts where that of the other chain starts `file`.
fn first_of(chain: BootChain, file: &'static str) -> &'static str {
    let signed = SIGNED.iter().find(|(unsigned, _)| chain == BootChain::Signed && *unsigned == file);
    signed.map_or(file, |(_, signed)| signed)
}

/// The boot files of a site's servers with this boot chain, in the order in which they are tried. `base_url` counts where the
/// site has no boot URL. An iPXE that runs already gets its script, whatever the chain.
pub(crate) fn boot_files(site: &SiteSpec, base_url: &BootUrl, chain: BootChain) -> Vec<BootFile> {
    let boot_url = site.boot_url.as_ref().unwrap_or(base_url).as_str();
    let mut files = vec![BootFile { name: "ipxe", client: Client::Ipxe, file: format!("{boot_url}/pxe/") }];
    if site.next_server.is_some() {
        files.extend(LOADERS.map(|Loader { file, tftp: (name, architectures), .. }| BootFile {
            name,
            client: Client::Firmware(architectures),
            file: first_of(chain, file).to_owned(),
        }));
    }
    files.extend(LOADERS.into_iter().filter_map(|Loader { file, http, .. }| {
        let (name, architectures) = http?;
        let file = format!("{boot_url}/boot/loaders/{}", first_of(chain, file));
        Some(BootFile { name, client: Client::HttpFirmware(architectures), file })
    }));
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
        matches!(self.client, Client::HttpFirmware(_))
    }
}

impl Client {
    /// How firmware of this kind says so; empty for an iPXE, which is known by [`IPXE`].
    pub(crate) fn architectures(self) -> Vec<Architecture> {
        let (class, architectures) = match self {
            Self::Ipxe => return vec![],
            Self::Firmware(architectures) => (PXE_CLIENT, architectures),
            Self::HttpFirmware(architectures) => (HTTP_CLIENT, architectures),
        };
        let one = |architecture: &u16| Architecture {
            bytes: architecture.to_be_bytes(),
            vendor_class: format!("{class}:Arch:{architecture:05}"),
        };
        architectures.iter().map(one).collect()
    }
}

/// Bytes in hexadecimal, with this between them.
pub(crate) fn hexadecimal(bytes: impl AsRef<[u8]>, between: &str) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(between)
}
