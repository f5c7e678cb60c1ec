//! Which clients with a live deployment get a boot file, and which one. This is the only place that decides it,
//! for every format.
//!
//! Only a client that boots from the network gets a boot file, and with it the next server and, over HTTP, the vendor class. An
//! iPXE gets its script. Firmware gets an iPXE that it can run, by its architecture: over TFTP from the site's next server, or
//! over HTTP if the firmware reports that it boots over HTTP. A site without a next server has no TFTP.
//!
//! Every other client gets only an address and options: an installer or a running system uses DHCP as well, and may
//! misinterpret a boot file. Debian's installer fetches one that is a URL as its preseed file, and fails.

use crate::http::application::Application;
use bootledger_aggregates::site::{BootUrl, SiteSpec};
use bootledger_aggregates::values::boot_chain::BootChain;
use bootledger_boot_loaders::Loaders;
use bootledger_boot_loaders::architecture::{FAMILIES, Family, Offer};

/// BOOTP's field for the boot file has 128 bytes, the last of them zero (RFC 951). A longer name goes into option 67.
const FIELD: usize = 127;

/// The beginning of the user class (option 77) of an iPXE. iPXE sends the bare text; RFC 3004 requires the length before each
/// class, which an embedded script may have added.
pub(crate) const IPXE: [&str; 2] = ["iPXE", "\u{4}iPXE"];

/// The vendor class (option 60) of UEFI firmware that boots over HTTP. The answer must contain it too
/// (UEFI specification, 24.7.2).
pub(crate) const HTTP_CLIENT: &str = "HTTPClient";

/// The vendor class (option 60) of firmware that boots over TFTP (RFC 4578, 2.4).
const PXE_CLIENT: &str = "PXEClient";

/// A kind of client that boots from the network, as identified by its request. A client of no kind gets no boot file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// An iPXE, identified by its user class, on any architecture.
    Ipxe,
    /// Firmware of one of these architectures that fetches over TFTP.
    Firmware(&'static [u16]),
    /// Firmware of one of these architectures that fetches over HTTP.
    HttpFirmware(&'static [u16]),
}

/// How firmware reports its architecture. Option 93 takes precedence (RFC 4578, 2.1: a list, of which the first applies);
/// option 60 is used only for firmware that leaves option 93 out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Architecture {
    /// The first two bytes of option 93.
    pub(crate) bytes: [u8; 2],
    /// The beginning of option 60, such as `PXEClient:Arch:00007`.
    pub(crate) vendor_class: String,
}

/// A kind of client and its boot file. If a client is of several kinds, the first one applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BootFile {
    /// The name of the kind, in formats that need one.
    pub(crate) name: &'static str,
    /// The clients that get the boot file.
    pub(crate) client: Client,
    /// A URL, or the name of a file on the next server.
    pub(crate) file: String,
}

/// Where clients find what they boot, as far as the service decides it. It applies to every site without settings of its own.
#[derive(Clone, Debug)]
pub struct BootSource {
    base_url: BootUrl,
    supply: Supply,
}

/// The boot loaders that are available.
#[derive(Clone, Debug)]
enum Supply {
    /// The loaders in the service's folders.
    Folders(Loaders),
    /// The service has no folder of loaders.
    Nothing,
    /// All loaders, by their standard names.
    Standard,
}

impl BootSource {
    /// The boot source of this service.
    pub(crate) fn of(application: &Application) -> Self {
        let supply = application.loaders.clone().map_or(Supply::Nothing, Supply::Folders);
        Self { base_url: application.base_url.clone(), supply }
    }

    /// The boot source of a service at this URL with these folders.
    pub fn with(base_url: &BootUrl, loaders: Loaders) -> Self {
        Self { base_url: base_url.clone(), supply: Supply::Folders(loaders) }
    }

    /// The loaders for firmware that fetches over TFTP. These are the service's loaders even if the site's next server is
    /// another TFTP server, so that every instance of the service names the same. A service without loaders leaves them to that
    /// other server, which is assumed to have every loader by its standard name.
    fn over_tftp(&self) -> Offer {
        match &self.supply {
            Supply::Folders(loaders) => loaders.offer().clone(),
            Supply::Nothing | Supply::Standard => Offer::standard(),
        }
    }

    /// The loaders for firmware that fetches over HTTP, always from the service.
    fn over_http(&self) -> Offer {
        match &self.supply {
            Supply::Folders(loaders) => loaders.offer().clone(),
            Supply::Nothing => Offer::nothing(),
            Supply::Standard => Offer::standard(),
        }
    }
}

impl BootSource {
    /// Whether the signed chain that begins with this shim can continue over HTTP. Debian's chain, the standard one, cannot.
    fn goes_on_over_http(&self, shim: &str) -> bool {
        match &self.supply {
            Supply::Folders(loaders) => loaders.goes_on_over_http(shim),
            Supply::Nothing | Supply::Standard => false,
        }
    }

    /// Whether any firmware that boots over HTTP gets the signed chain.
    pub(crate) fn has_signed_over_http(&self) -> bool {
        SIGNED.iter().any(|(_, shim)| self.goes_on_over_http(shim))
    }

    /// The kinds of firmware that the service has no boot loader for. If it has no folder, another server may have it for TFTP.
    pub(crate) fn missing(&self) -> impl Iterator<Item = Family> {
        let offer = self.over_http();
        offer.missing().collect::<Vec<_>>().into_iter()
    }
}

/// The boot source of a service at this URL with every loader by its standard name.
impl From<BootUrl> for BootSource {
    fn from(base_url: BootUrl) -> Self {
        Self { base_url, supply: Supply::Standard }
    }
}

impl From<&BootUrl> for BootSource {
    fn from(base_url: &BootUrl) -> Self {
        base_url.clone().into()
    }
}

/// The loaders that servers of the signed chain get instead of an iPXE, by the family's name: Debian's `shim-signed` under the
/// name that firmware knows. shim then fetches `grubx64.efi` or `grubaa64.efi` from the same folder. Over TFTP they are named
/// even if the service does not have them, because firmware would refuse an iPXE, and a missing shim appears in the log. Over
/// HTTP they are named only if the chain can continue over HTTP, which Debian's cannot: without an answer, the firmware
/// continues with its next boot entry. A BIOS verifies nothing and keeps its iPXE, as does firmware of an architecture that
/// has no shim.
const SIGNED: [(&str, &str); 2] = [("uefi", "shimx64.efi"), ("arm64", "shimaa64.efi")];

/// The first loader of each family for servers of a boot chain; `is_of_use` reports whether a shim can be used.
fn first_loaders(offer: &Offer, chain: BootChain, is_of_use: impl Fn(&str) -> bool) -> Vec<(Family, String)> {
    let unsigned = |family: &Family| offer.loaders().find(|(known, _)| known == family).map(|(_, file)| file.to_owned());
    let signed = |family: &Family| SIGNED.iter().find(|(name, _)| *name == family.name).map(|(_, file)| *file);
    let loader = |family: Family| {
        let file = match signed(&family).filter(|_| chain == BootChain::Signed) {
            Some(shim) => is_of_use(shim).then(|| shim.to_owned()),
            None => unsigned(&family),
        };
        Some((family, file?))
    };
    FAMILIES.into_iter().filter_map(loader).collect()
}

/// The boot files of a site's servers with this boot chain, in the order in which they are tried. If the site has no boot
/// URL, the source's URL is used. An architecture without a loader has no boot file. An iPXE that already runs gets its
/// script, on any chain.
pub(crate) fn boot_files(site: &SiteSpec, source: &BootSource, chain: BootChain) -> Vec<BootFile> {
    let boot_url = site.boot_url.as_ref().unwrap_or(&source.base_url).as_str();
    let mut files = vec![BootFile { name: "ipxe", client: Client::Ipxe, file: format!("{boot_url}/pxe/") }];
    if site.next_server.is_some() {
        files.extend(first_loaders(&source.over_tftp(), chain, |_| true).into_iter().map(|(family, file)| BootFile {
            name: family.name,
            client: Client::Firmware(family.tftp),
            file,
        }));
    }
    // Without a folder, the service has no loaders that firmware could fetch over HTTP.
    let over_http = match &source.supply {
        Supply::Nothing => vec![],
        _ => first_loaders(&source.over_http(), chain, |shim| source.goes_on_over_http(shim)),
    };
    files.extend(over_http.into_iter().map(|(family, file)| BootFile {
        name: family.http_name,
        client: Client::HttpFirmware(family.http),
        file: format!("{boot_url}/boot/loaders/{file}"),
    }));
    files
}

impl BootFile {
    /// The boot file, if BOOTP's own field has room for it.
    pub(crate) fn field(&self) -> Option<&str> {
        (self.file.len() <= FIELD).then_some(self.file.as_str())
    }

    /// The boot file, if only option 67 (RFC 2132, 9.5) has room for it.
    pub(crate) fn option(&self) -> Option<&str> {
        (self.file.len() > FIELD).then_some(self.file.as_str())
    }

    /// Whether the answer must contain the vendor class for clients that boot over HTTP.
    pub(crate) fn over_http(&self) -> bool {
        matches!(self.client, Client::HttpFirmware(_))
    }
}

impl Client {
    /// How firmware of this kind reports its architecture; empty for an iPXE, which is identified by [`IPXE`].
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

/// Formats bytes as hexadecimal digits, with a separator between them.
pub(crate) fn hexadecimal(bytes: impl AsRef<[u8]>, between: &str) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(between)
}
