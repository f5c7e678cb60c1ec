//! Clients of every kind and architecture, and which of them get a boot file.

use crate::support::lab::Options;

/// The boot file that a client with a live deployment must get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Boots {
    /// Nothing: an address and options only.
    Nothing,
    /// The script at `/pxe/`.
    Script,
    /// This file of the next server.
    Tftp(&'static str),
    /// This boot loader, over HTTP.
    Http(&'static str),
}

impl Boots {
    /// The same for a server of the signed boot chain: shim instead of each iPXE for UEFI, and nothing over HTTP, because
    /// Debian's signed GRUB does not support HTTP.
    pub(crate) fn signed(&self) -> Self {
        let shim = |loader: &'static str| match loader {
            "snponly.efi" => "shimx64.efi",
            "ipxe-arm64.efi" => "shimaa64.efi",
            other => other,
        };
        match self {
            Self::Tftp(loader) => Self::Tftp(shim(loader)),
            Self::Http(loader) if shim(loader) != *loader => Self::Nothing,
            other => other.clone(),
        }
    }
}

/// A client, by the options that it sends.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) options: Options,
    pub(crate) boots: Boots,
}

/// The processor architectures that IANA has numbered so far, and what the firmware of each can run. The list is repeated here,
/// because otherwise a wrong number in the service's table would look right in the test.
pub(crate) fn firmware(architecture: u16) -> Boots {
    match architecture {
        0 => Boots::Tftp("undionly.kpxe"),
        6 => Boots::Tftp("ipxe-i386.efi"),
        7 | 9 => Boots::Tftp("snponly.efi"),
        10 => Boots::Tftp("ipxe-arm32.efi"),
        11 => Boots::Tftp("ipxe-arm64.efi"),
        25 => Boots::Tftp("ipxe-riscv32.efi"),
        27 => Boots::Tftp("ipxe-riscv64.efi"),
        39 => Boots::Tftp("ipxe-loong64.efi"),
        15 => Boots::Http("ipxe-i386.efi"),
        16 => Boots::Http("snponly.efi"),
        18 => Boots::Http("ipxe-arm32.efi"),
        19 => Boots::Http("ipxe-arm64.efi"),
        20 => Boots::Http("undionly.kpxe"),
        26 => Boots::Http("ipxe-riscv32.efi"),
        28 => Boots::Http("ipxe-riscv64.efi"),
        40 => Boots::Http("ipxe-loong64.efi"),
        _ => Boots::Nothing,
    }
}

pub(crate) const LAST_ARCHITECTURE: u16 = 41;

/// The architectures that boot over HTTP and identify themselves that way.
const OVER_HTTP: [u16; 12] = [15, 16, 17, 18, 19, 20, 23, 24, 26, 28, 38, 40];

const VENDOR_CLASS: u8 = 60;
const CLIENT_IDENTIFIER: u8 = 61;
const USER_CLASS: u8 = 77;
const ARCHITECTURE: u8 = 93;

/// A client that sends these options in addition to those that every client sends. It requests every option that any client
/// might.
fn sample(name: impl Into<String>, own: &[(u8, &[u8])], boots: Boots) -> Sample {
    let requested = [1, 3, 6, 12, 13, 15, 17, 28, 42, 43, 51, 54, 60, 66, 67, 97, 119, 128, 150, 175, 209, 210];
    let mut options = Options::from([(55, requested.to_vec()), (57, 1472_u16.to_be_bytes().to_vec())]);
    options.extend(own.iter().map(|(code, value)| (*code, value.to_vec())));
    Sample { name: name.into(), options, boots }
}

/// Firmware, iPXE and every intermediate loader of one architecture.
fn of_architecture(architecture: u16) -> Vec<Sample> {
    let (bytes, boots) = (architecture.to_be_bytes(), firmware(architecture));
    let class = if OVER_HTTP.contains(&architecture) { "HTTPClient" } else { "PXEClient" };
    let class = format!("{class}:Arch:{architecture:05}:UNDI:003016");
    let (class, of_list) = (class.as_bytes(), [bytes, 6_u16.to_be_bytes()].concat());
    let name = |what: &str| format!("{what} of architecture {architecture}");
    vec![
        sample(name("firmware"), &[(VENDOR_CLASS, class), (ARCHITECTURE, &bytes)], boots.clone()),
        sample(name("firmware with a list"), &[(VENDOR_CLASS, class), (ARCHITECTURE, &of_list)], boots.clone()),
        sample(name("firmware without option 60"), &[(ARCHITECTURE, &bytes)], boots.clone()),
        sample(name("firmware without option 93"), &[(VENDOR_CLASS, class)], boots),
        sample(
            name("iPXE"),
            &[(VENDOR_CLASS, class), (ARCHITECTURE, &bytes), (USER_CLASS, b"iPXE"), (175, &[0xb1, 1, 1])],
            Boots::Script,
        ),
        sample(
            name("iPXE in the form of RFC 3004"),
            &[(VENDOR_CLASS, class), (ARCHITECTURE, &bytes), (USER_CLASS, b"\x04iPXE")],
            Boots::Script,
        ),
    ]
}

/// Well-known clients and unusual ones, with the reasons for what they get.
fn particular() -> Vec<Sample> {
    use Boots::{Http, Nothing, Script, Tftp};
    let pxe: &[u8] = b"PXEClient:Arch:00000:UNDI:002001";
    let bios: (u8, &[u8]) = (ARCHITECTURE, &[0, 0]);
    vec![
        // Installers and running systems do not boot over the network, and use a boot file for something else.
        sample("Debian's installer", &[(VENDOR_CLASS, b"d-i")], Nothing),
        sample("busybox", &[(VENDOR_CLASS, b"udhcp 1.36.1")], Nothing),
        sample("dhclient", &[(CLIENT_IDENTIFIER, b"\xff\0\0\0\x01\0\x01\0\x01\x2c\x01\x02\x03RT\0\0\x0c\x01")], Nothing),
        sample("systemd-networkd", &[(CLIENT_IDENTIFIER, b"\xff\x12\x34\x56\x78\0\x02\0\0\xab\x11abcdefgh")], Nothing),
        sample("NetworkManager", &[(CLIENT_IDENTIFIER, b"\x01RT\0\0\x0c\x01"), (12, b"h200")], Nothing),
        sample("dhcpcd", &[(VENDOR_CLASS, b"dhcpcd-9.4.1:Linux-6.1.0:x86_64:GenuineIntel"), (145, &[1])], Nothing),
        sample("Anaconda", &[(VENDOR_CLASS, b"anaconda-Linux 5.14.0 x86_64")], Nothing),
        sample("an initramfs", &[(VENDOR_CLASS, b"Linux ipconfig")], Nothing),
        sample("Windows", &[(VENDOR_CLASS, b"MSFT 5.0"), (12, b"h200"), (81, b"\0\0\0h200")], Nothing),
        sample("a system with a user class", &[(USER_CLASS, b"\x03web\x06iPXEen")], Nothing),
        sample("a system whose user class contains iPXE", &[(USER_CLASS, b"not-iPXE")], Nothing),
        sample("a client that says nothing", &[], Nothing),
        // A GRUB that itself uses DHCP, with `net_bootp`, boots from its own configuration and cannot run an iPXE script.
        sample("GRUB", &[(CLIENT_IDENTIFIER, b"\x01RT\0\0\x0c\x01")], Nothing),
        // Network cards of machines with BIOS.
        sample("Intel Boot Agent", &[(VENDOR_CLASS, pxe), bios, (94, &[1, 2, 1]), (97, &[0; 17])], Tftp("undionly.kpxe")),
        sample("Broadcom's PXE, which names option 43", &[(VENDOR_CLASS, pxe), bios, (43, &[1, 1, 0])], Tftp("undionly.kpxe")),
        // gPXE cannot run an iPXE script, and an iPXE with another user class cannot be recognized: both start our iPXE, like
        // firmware.
        sample("gPXE", &[(VENDOR_CLASS, pxe), bios, (USER_CLASS, b"gPXE"), (175, &[0xb1, 1, 1])], Tftp("undionly.kpxe")),
        sample("an iPXE that has another name", &[(ARCHITECTURE, &[0, 7]), (USER_CLASS, b"ours")], Tftp("snponly.efi")),
        sample("FlexBoot", &[(VENDOR_CLASS, pxe), bios, (USER_CLASS, b"iPXE")], Script),
        // Etherboot 5 starts only images of its own format, and sends nothing else that identifies it.
        sample("Etherboot", &[(VENDOR_CLASS, b"Etherboot-5.4")], Nothing),
        // A Raspberry Pi identifies itself as a PC; it ignores the boot file and loads its own files from the next server.
        sample("a Raspberry Pi", &[(VENDOR_CLASS, pxe), bios, (97, b"\0RPi4")], Tftp("undionly.kpxe")),
        sample("a Raspberry Pi's second message", &[bios], Tftp("undionly.kpxe")),
        // UEFI firmware.
        sample(
            "HPE's boot over HTTP",
            &[(VENDOR_CLASS, b"HTTPClient:Arch:00016:UNDI:003001"), (ARCHITECTURE, &[0, 16])],
            Http("snponly.efi"),
        ),
        sample("BlueField", &[(VENDOR_CLASS, b"NVIDIA/BF/PXE"), (ARCHITECTURE, &[0, 11])], Tftp("ipxe-arm64.efi")),
        sample("LinuxBoot", &[(VENDOR_CLASS, b"PXEClient:Arch:00007:UNDI:003000"), (ARCHITECTURE, &[0, 7])], Tftp("snponly.efi")),
        sample(
            "firmware whose option 60 is older than its option 93",
            &[(VENDOR_CLASS, pxe), (ARCHITECTURE, &[0, 7])],
            Tftp("snponly.efi"),
        ),
        sample("firmware that prefers HTTP of two ways", &[(ARCHITECTURE, &[0, 16, 0, 7])], Http("snponly.efi")),
        // U-Boot sends a number of its own when it looks for its own files, and UEFI's when it starts a UEFI program.
        sample("U-Boot", &[(VENDOR_CLASS, b"U-Boot.armv8"), (ARCHITECTURE, &[0, 22])], Nothing),
        sample(
            "U-Boot as UEFI",
            &[(VENDOR_CLASS, b"PXEClient:Arch:00011:UNDI:003000"), (ARCHITECTURE, &[0, 11])],
            Tftp("ipxe-arm64.efi"),
        ),
        sample("U-Boot without PXE", &[(VENDOR_CLASS, b"U-Boot.armv8")], Nothing),
        // Architectures that cannot be parsed, and one that has no loader.
        sample("PXE without an architecture", &[(VENDOR_CLASS, b"PXEClient")], Nothing),
        sample("Sun's firmware", &[(VENDOR_CLASS, b"SUNW.Sun-Fire-V240")], Nothing),
        sample("Apple's firmware", &[(VENDOR_CLASS, b"AAPLBSDPC/i386/MacPro4,1")], Nothing),
    ]
}

/// Firmware of one architecture, as EDK II sends it.
pub(crate) fn firmware_of(architecture: u16) -> Sample {
    of_architecture(architecture).swap_remove(0)
}

/// Every client of the matrix.
pub(crate) fn samples() -> Vec<Sample> {
    (0..=LAST_ARCHITECTURE).flat_map(of_architecture).chain(particular()).collect()
}

/// The firmware of a server and the iPXE that it starts, each with a client identifier of its own, as they appear before an
/// installer.
pub(crate) fn before_an_installer() -> [Sample; 2] {
    let class: &[u8] = b"PXEClient:Arch:00007:UNDI:003016";
    let (architecture, identifier): ((u8, &[u8]), &[u8]) =
        ((ARCHITECTURE, &[0, 7]), b"\0\x12\x34\x56\x78\x9a\xbc\xde\xf0UUIDUUID");
    [
        sample("firmware", &[(VENDOR_CLASS, class), architecture, (CLIENT_IDENTIFIER, identifier)], Boots::Tftp("snponly.efi")),
        sample(
            "iPXE",
            &[(VENDOR_CLASS, class), architecture, (USER_CLASS, b"iPXE"), (CLIENT_IDENTIFIER, b"\x01RT\0\0\x0c\x01")],
            Boots::Script,
        ),
    ]
}

/// What `NetworkManager`'s own client sends for an interface with a DUID.
pub(crate) fn network_manager() -> Sample {
    let requested = [1, 2, 6, 12, 15, 26, 28, 121, 3, 33, 42, 119, 249, 252, 17];
    let identifier: &[u8] = b"\xff\x1c\x2d\x3e\x4f\0\x04\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10";
    sample("NetworkManager", &[(55, &requested), (CLIENT_IDENTIFIER, identifier), (12, b"h200")], Boots::Nothing)
}
