//! The processor architectures that DHCP clients report (option 93, RFC 4578), and the boot loaders that each can run,
//! in one table.
//!
//! The numbers are from IANA's registry "Processor Architecture Types" (RFC 5970,
//! <https://www.iana.org/assignments/dhcpv6-parameters>), which EDK II has in `MdePkg/Include/IndustryStandard/Dhcp.h`. A
//! family is listed if iPXE is built for it (its `src/arch`, and `.github/workflows/build.yml`). For all other numbers there is
//! no iPXE: NEC's PC98 (1), Itanium (2), Alpha, ARC and Intel's lean client (3 to 5), `XScale` (8), EFI byte code over HTTP
//! (17), PowerPC (12 to 14), U-Boot with files of its own (21 to 24), 128-bit RISC-V (29, 30), s390 (31, 32), MIPS (33, 34),
//! Sunway (35, 36), 32-bit `LoongArch` (37, 38), Raspberry Pi's own boot (41).

use std::fmt;

/// A kind of firmware: the processors that run the same loader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// The family's name in DHCP configurations.
    pub name: &'static str,
    /// The name in DHCP configurations for clients that boot over HTTP.
    pub http_name: &'static str,
    /// The family's name in messages.
    pub title: &'static str,
    /// The architecture numbers of clients that fetch over TFTP.
    pub tftp: &'static [u16],
    /// The architecture numbers of clients that fetch over HTTP.
    pub http: &'static [u16],
    /// The loader's name in the oldest release of Debian's package `ipxe` that has one; otherwise a name of the same form.
    pub standard: &'static str,
    /// All names to look for, the best first: the standard name, and those of iPXE's release and of its build.
    pub files: &'static [&'static str],
}

/// Every family that iPXE is built for. `snponly.efi` uses the firmware's own network driver, which works with more cards, so
/// it comes before `ipxe.efi`. Most firmware sends 9 in place of 7, because it followed an early draft of RFC 4578; a PC that
/// boots over HTTP without UEFI (20) starts the same program as over PXE.
pub const FAMILIES: [Family; 8] = [
    Family {
        name: "bios",
        http_name: "bios-http",
        title: "PC with BIOS",
        tftp: &[0],
        http: &[20],
        standard: "undionly.kpxe",
        files: &[
            "undionly.kpxe",
            "undionly.kkpxe",
            "x86_64/undionly.kpxe",
            "bin-x86_64-pcbios/undionly.kpxe",
            "bin/undionly.kpxe",
        ],
    },
    Family {
        name: "uefi",
        http_name: "uefi-http",
        title: "UEFI, x86-64",
        tftp: &[7, 9],
        http: &[16],
        standard: "snponly.efi",
        files: &[
            "snponly.efi",
            "ipxe.efi",
            "ipxe-amd64.efi",
            "x86_64/snponly.efi",
            "x86_64/ipxe.efi",
            "bin-x86_64-efi/snponly.efi",
            "bin-x86_64-efi/ipxe.efi",
        ],
    },
    Family {
        name: "ia32",
        http_name: "ia32-http",
        title: "UEFI, 32-bit x86",
        tftp: &[6],
        http: &[15],
        standard: "ipxe-i386.efi",
        files: &[
            "snponly-i386.efi",
            "ipxe-i386.efi",
            "i386/snponly.efi",
            "i386/ipxe.efi",
            "bin-i386-efi/snponly.efi",
            "bin-i386-efi/ipxe.efi",
        ],
    },
    Family {
        name: "arm32",
        http_name: "arm32-http",
        title: "UEFI, 32-bit ARM",
        tftp: &[10],
        http: &[18],
        standard: "ipxe-arm32.efi",
        files: &[
            "snponly-arm32.efi",
            "ipxe-arm32.efi",
            "arm32/snponly.efi",
            "arm32/ipxe.efi",
            "bin-arm32-efi/snponly.efi",
            "bin-arm32-efi/ipxe.efi",
        ],
    },
    Family {
        name: "arm64",
        http_name: "arm64-http",
        title: "UEFI, 64-bit ARM",
        tftp: &[11],
        http: &[19],
        standard: "ipxe-arm64.efi",
        files: &[
            "snponly-arm64.efi",
            "ipxe-arm64.efi",
            "arm64/snponly.efi",
            "arm64/ipxe.efi",
            "bin-arm64-efi/snponly.efi",
            "bin-arm64-efi/ipxe.efi",
        ],
    },
    Family {
        name: "riscv32",
        http_name: "riscv32-http",
        title: "UEFI, 32-bit RISC-V",
        tftp: &[25],
        http: &[26],
        standard: "ipxe-riscv32.efi",
        files: &[
            "snponly-riscv32.efi",
            "ipxe-riscv32.efi",
            "riscv32/snponly.efi",
            "riscv32/ipxe.efi",
            "bin-riscv32-efi/snponly.efi",
            "bin-riscv32-efi/ipxe.efi",
        ],
    },
    Family {
        name: "riscv64",
        http_name: "riscv64-http",
        title: "UEFI, 64-bit RISC-V",
        tftp: &[27],
        http: &[28],
        standard: "ipxe-riscv64.efi",
        files: &[
            "snponly-riscv64.efi",
            "ipxe-riscv64.efi",
            "riscv64/snponly.efi",
            "riscv64/ipxe.efi",
            "bin-riscv64-efi/snponly.efi",
            "bin-riscv64-efi/ipxe.efi",
        ],
    },
    Family {
        name: "loong64",
        http_name: "loong64-http",
        title: "UEFI, 64-bit LoongArch",
        tftp: &[39],
        http: &[40],
        standard: "ipxe-loong64.efi",
        files: &[
            "snponly-loong64.efi",
            "ipxe-loong64.efi",
            "loong64/snponly.efi",
            "loong64/ipxe.efi",
            "bin-loong64-efi/snponly.efi",
            "bin-loong64-efi/ipxe.efi",
        ],
    },
];

/// The loader of each family, in the order of [`FAMILIES`]; `None` for those that have none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer([Option<String>; FAMILIES.len()]);

impl Offer {
    /// Builds an offer with `find`, which gets the names of each family, the best first.
    pub fn of(find: impl Fn(&[&str]) -> Option<String>) -> Self {
        Self(FAMILIES.map(|family| find(family.files)))
    }

    /// The standard name for every family: the loaders that another TFTP server is assumed to have.
    pub fn standard() -> Self {
        Self(FAMILIES.map(|family| Some(family.standard.to_owned())))
    }

    /// An offer without any loaders.
    pub fn nothing() -> Self {
        Self(FAMILIES.map(|_| None))
    }

    /// The families that have a loader, with its name.
    pub fn loaders(&self) -> impl Iterator<Item = (Family, &str)> {
        FAMILIES.into_iter().zip(&self.0).filter_map(|(family, file)| Some((family, file.as_deref()?)))
    }

    /// The families that have none.
    pub fn missing(&self) -> impl Iterator<Item = Family> {
        FAMILIES.into_iter().zip(&self.0).filter_map(|(family, file)| file.is_none().then_some(family))
    }
}

/// Writes, for example, `UEFI, 64-bit ARM (architectures 11 and 19, ipxe-arm64.efi)`.
impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.tftp.iter().chain(self.http).map(u16::to_string).collect();
        write!(f, "{} (architectures {}; {})", self.title, numbers.join(", "), self.standard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_and_no_name_is_of_two_families() {
        let numbers: Vec<u16> = FAMILIES.iter().flat_map(|family| family.tftp.iter().chain(family.http)).copied().collect();
        let mut sorted = numbers.clone();
        sorted.sort_unstable();
        // iPXE for EFI: 6, 7 (and 9), 10, 11, 25, 27, 39; for BIOS 0; and the number of each over HTTP.
        assert_eq!(sorted, [0, 6, 7, 9, 10, 11, 15, 16, 18, 19, 20, 25, 26, 27, 28, 39, 40]);
        let mut files: Vec<&str> = FAMILIES.iter().flat_map(|family| family.files).copied().collect();
        let count = files.len();
        files.sort_unstable();
        files.dedup();
        assert_eq!(files.len(), count, "a file is looked for on behalf of one family only");
        assert!(FAMILIES.iter().all(|family| family.files.contains(&family.standard)));
    }

    #[test]
    fn an_offer_says_what_there_is_and_what_is_missing() {
        let debian_12 = Offer::of(|files| {
            let there = ["undionly.kpxe", "snponly.efi"];
            files.iter().find(|file| there.contains(file)).map(|file| (*file).to_owned())
        });
        let loaders: Vec<_> = debian_12.loaders().map(|(family, file)| (family.name, file)).collect();
        assert_eq!(loaders, [("bios", "undionly.kpxe"), ("uefi", "snponly.efi")]);
        let missing: Vec<_> = debian_12.missing().map(|family| family.to_string()).collect();
        assert_eq!(missing.len(), 6);
        assert_eq!(missing[2], "UEFI, 64-bit ARM (architectures 11, 19; ipxe-arm64.efi)");
        assert_eq!((Offer::standard().missing().count(), Offer::nothing().loaders().count()), (0, 0));
    }
}
