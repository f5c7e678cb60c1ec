//! The disk of a virtual server that "has an operating system": a boot sector that says so on the serial console, and halts.

/// What the console shows once a server has booted its own disk.
pub(crate) const LOCAL_DISK_BOOTED: &str = "local disk booted";

const SECTOR: usize = 512;

/// Code for a 16-bit processor that has been loaded to 0x7c00: writes the text behind it to the first serial port.
///
/// It asks no BIOS service, so the text arrives whole however the console is wired, and it ends in `hlt` with interrupts off,
/// so a server that has "booted" costs no processor time.
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
