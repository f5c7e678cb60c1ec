//! The disk of a virtual server that "has an operating system": a boot sector, or a UEFI application, that prints a text on the
//! console and halts.

/// The text on the console once a server has booted its own disk.
pub(crate) const LOCAL_DISK_BOOTED: &str = "local disk booted";

const SECTOR: usize = 512;

/// Code for a 16-bit processor, loaded at 0x7c00: writes the text behind it to the first serial port.
///
/// It uses no BIOS service, so the text arrives complete however the console is wired. It ends in `hlt` with interrupts off, so
/// a server that has "booted" uses no processor time.
const CODE: [u8; 34] = [
    0xfa, //             cli
    0xfc, //             cld
    0x31, 0xc0, //       xor ax, ax
    0x8e, 0xd8, //       mov ds, ax
    0xbe, 0x22, 0x7c, // mov si, 0x7c22    the text, right behind this code
    0xac, //             next: lodsb
    0x84, 0xc0, //       test al, al
    0x74, 0x11, //       jz halt
    0x88, 0xc4, //       mov ah, al
    0xba, 0xfd, 0x03, // mov dx, 0x3fd     line status register
    0xec, //             wait: in al, dx
    0xa8, 0x20, //       test al, 0x20     is there room for a byte?
    0x74, 0xfb, //       jz wait
    0xb2, 0xf8, //       mov dl, 0xf8      data register, 0x3f8
    0x88, 0xe0, //       mov al, ah
    0xee, //             out dx, al
    0xeb, 0xea, //       jmp next
    0xf4, //             halt: hlt
    0xeb, 0xfd, //       jmp halt
];

/// A disk image of one megabyte that boots.
pub(super) fn bootable_disk() -> Vec<u8> {
    let text = format!("\r\n{LOCAL_DISK_BOOTED}\r\n\0");
    let mut disk = vec![0; 1024 * 1024];
    disk[..CODE.len()].copy_from_slice(&CODE);
    disk[CODE.len()..CODE.len() + text.len()].copy_from_slice(text.as_bytes());
    disk[SECTOR - 2..SECTOR].copy_from_slice(&[0x55, 0xaa]);
    disk
}

/// Code for a UEFI application (x86-64, position-independent): writes the text behind it to the console, and halts.
const UEFI_CODE: [u8; 21] = [
    0x48, 0x83, 0xec, 0x28, //                   sub rsp, 40
    0x48, 0x8b, 0x4a, 0x40, //                   mov rcx, [rdx + 0x40]   the system table's ConOut
    0x48, 0x8d, 0x15, 0x06, 0x00, 0x00, 0x00, // lea rdx, [rip + 6]      the text, right behind this code
    0xff, 0x51, 0x08, //                         call [rcx + 8]          OutputString
    0xf4, //                                     halt: hlt
    0xeb, 0xfd, //                               jmp halt
];

/// The file that UEFI firmware boots from a disk by default.
pub(super) const UEFI_BOOT_FILE: &str = "EFI/BOOT/BOOTX64.EFI";

/// A UEFI application: the smallest file of the PE format (PE32+, one section) that firmware loads.
pub(super) fn uefi_application() -> Vec<u8> {
    const SECTION_AT: u32 = 0x1000;
    let text: Vec<u8> = format!("\r\n{LOCAL_DISK_BOOTED}\r\n\0").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut file = vec![0; 2 * SECTOR];
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"MZ");
    put(0x3c, &0x40_u32.to_le_bytes());
    // The file's header: x86-64, one section, 240 bytes of optional header; an executable that supports large addresses.
    put(0x40, b"PE\0\0\x64\x86\x01\0");
    put(0x54, &[240, 0, 0x22, 0]);
    // The optional header: PE32+, sizes and addresses of the code, alignments, an application (10), 16 empty directories.
    put(0x58, &0x20b_u16.to_le_bytes());
    for (at, value) in [(4, 512), (16, SECTION_AT), (20, SECTION_AT), (24, 0x40_0000), (32, SECTION_AT), (36, 512)] {
        put(0x58 + at, &value.to_le_bytes());
    }
    for (at, value) in [(56, 2 * SECTION_AT), (60, 512), (68, 10), (108, 16)] {
        put(0x58 + at, &value.to_le_bytes());
    }
    // The section: its size and address in memory, its size and offset in the file; code that can be executed and read.
    put(0x148, b".text");
    for (at, value) in [(8, 512), (12, SECTION_AT), (16, 512), (20, 512), (36, 0x6000_0020)] {
        put(0x148 + at, &value.to_le_bytes());
    }
    put(SECTOR, &[&UEFI_CODE[..], &text].concat());
    file
}
