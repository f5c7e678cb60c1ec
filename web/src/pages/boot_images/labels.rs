//! Texts about files: their kinds and sizes.

use bootledger_aggregates::boot_image::FileKind;

/// Text for a kind of file.
pub(super) fn kind(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Kernel => "Kernel",
        FileKind::Initrd => "Initial RAM disk",
        FileKind::BootIpxe => "iPXE script",
        FileKind::Kickstart => "Installer answer file",
        FileKind::Other => "Other",
        FileKind::Grub => "GRUB configuration",
    }
}

/// All kinds of files, as the options of a select.
pub(super) fn kinds() -> Vec<(String, String)> {
    let all = [FileKind::BootIpxe, FileKind::Grub, FileKind::Kernel, FileKind::Initrd, FileKind::Kickstart, FileKind::Other];
    all.map(|of| (of.as_str().to_owned(), format!("{} ({of})", kind(of)))).to_vec()
}

/// A size in bytes, formatted for people.
pub(super) fn size(bytes: u64) -> String {
    let tenths = |unit: u64| format!("{}.{}", bytes / unit, bytes % unit * 10 / unit);
    match bytes {
        ..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", tenths(1024)),
        1_048_576..1_073_741_824 => format!("{} MiB", tenths(1_048_576)),
        _ => format!("{} GiB", tenths(1_073_741_824)),
    }
}
