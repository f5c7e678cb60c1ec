//! Which clients with a live deployment get a boot file, and which one: the one place for every format.
//!
//! Only a client that boots from the network gets a boot file, and with it the next server and, over HTTP, the vendor class.
//! An iPXE gets its script. Firmware gets an iPXE that it can run, by its architecture: over TFTP from the site's next
//! server, or over HTTP where it says that it boots so. Where a site has no next server, there is no TFTP.
//!
//! Every other client gets an address and options only: an installer or a running system uses DHCP as well, and may take a
//! boot file for something else. Debian's installer fetches one that is a URL as its preseed file, and fails.

use crate::application::Application;
use crate::boot::loaders::Loaders;
use crate::boot::loaders::architecture::{FAMILIES, Family, Offer};
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

/// Where clients find what they boot, as far as the service decides it: the same for every site that says nothing else.
#[derive(Clone, Debug)]
pub struct BootSource {
    base_url: BootUrl,
    supply: Supply,
}

/// Which boot loaders there are.
#[derive(Clone, Debug)]
enum Supply {
    /// Those of the service's folders.
    Folders(Loaders),
    /// The service has no folder of them.
    Nothing,
    /// All, by their standard names.
    Standard,
}

impl BootSource {
    /// What the service has.
    pub(crate) fn of(application: &Application) -> Self {
        let supply = application.loaders.clone().map_or(Supply::Nothing, Supply::Folders);
        Self { base_url: application.base_url.clone(), supply }
    }

    /// What a service at this URL has with these folders.
    pub fn with(base_url: &BootUrl, loaders: Loaders) -> Self {
        Self { base_url: base_url.clone(), supply: Supply::Folders(loaders) }
    }

    /// The loaders for firmware that fetches over TFTP: what the service has, also where the site's next server is another TFTP
    /// server, so that every instance of the service names the same. A service that has none leaves them to that other server,
    /// which is taken to have every loader by its standard name.
    fn over_tftp(&self) -> Offer {
        match &self.supply {
            Supply::Folders(loaders) => loaders.offer().clone(),
            Supply::Nothing | Supply::Standard => Offer::standard(),
        }
    }

    /// The loaders for firmware that fetches over HTTP, which it does from the service.
    fn over_http(&self) -> Offer {
        match &self.supply {
            Supply::Folders(loaders) => loaders.offer().clone(),
            Supply::Nothing => Offer::nothing(),
            Supply::Standard => Offer::standard(),
        }
    }
}

impl BootSource {
    /// Whether the signed chain that begins with this shim goes on over HTTP. Debian's, which is the standard one, does not.
    fn goes_on_over_http(&self, shim: &str) -> bool {
        match &self.supply {
            Supply::Folders(loaders) => loaders.goes_on_over_http(shim),
            Supply::Nothing | Supply::Standard => false,
        }
    }

    /// Whether any firmware that boots over HTTP is given the signed chain.
    pub(crate) fn has_signed_over_http(&self) -> bool {
        SIGNED.iter().any(|(_, shim)| self.goes_on_over_http(shim))
    }

    /// The kinds of firmware that the service has no boot loader for. Without a folder, over TFTP another server may have it.
    pub(crate) fn missing(&self) -> impl Iterator<Item = Family> {
        let offer = self.over_http();
        offer.missing().collect::<Vec<_>>().into_iter()
    }
}

/// A service at this URL, with every loader by its standard name.
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

/// What is served instead of an iPXE to servers of the signed chain, by the family's name: Debian's `shim-signed` under the name
/// that firmware knows it by. shim then fetches `grubx64.efi` or `grubaa64.efi` from beside it. Over TFTP they are named whether or
/// not the service has them, since an iPXE would be refused, and a missing shim shows in the log. Over HTTP they are named only
/// where the chain goes on over HTTP, which Debian's does not: without an answer for it, the firmware goes on with its next boot
/// entry. A BIOS verifies nothing and keeps its iPXE, as does firmware of an architecture that has no shim.
const SIGNED: [(&str, &str); 2] = [("uefi", "shimx64.efi"), ("arm64", "shimaa64.efi")];

/// The first loader of each family for servers of a boot chain; `is_of_use` says whether a shim is.
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

/// The boot files of a site's servers with this boot chain, in the order in which they are tried. The source's URL counts where
/// the site has no boot URL. An architecture without a loader has no boot file. An iPXE that runs already gets its script,
/// whatever the chain.
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
    // Without a folder, the service has nothing to fetch over HTTP.
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
