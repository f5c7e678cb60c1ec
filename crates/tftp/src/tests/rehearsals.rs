//! The rehearsal is only useful if it sends files and refusals as a transfer does. Its property test, with the names that firmware
//! sends, is beside the boot network's files: `src/service/tftp/tests.rs`.

use super::folder::Folder;
use crate::rehearsal::rehearse;
use std::os::unix::fs::symlink;

#[test]
fn a_rehearsal_sends_what_a_transfer_would() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("inside"), "i".repeat(5000)).expect("a file");
    symlink("/etc/passwd", folder.path().join("link")).expect("a link");
    let files = Folder(folder.path().to_owned());
    let open = |name: &[u8]| files.open_now(name).map(super::folder::Opened::into_parts);
    let whole: [&[u8]; 4] = [b"\0\x01inside\0octet\0blksize\x003000\0", b"\0\x04\0\0", b"\0\x04\0\x01", b"\0\x04\0\x02"];
    let rehearsal = rehearse(open, &whole);
    assert_eq!(rehearsal.check(&whole), Ok(()));
    assert_eq!(rehearsal.answers.concat().iter().map(Vec::len).collect::<Vec<_>>(), [15, 3004, 2004]);
    let refused = |packet: &[u8]| rehearse(open, &[packet]).answers.concat().concat();
    assert!(refused(b"\0\x01../secret\0octet\0").starts_with(b"\0\x05\0\x02"));
    assert!(refused(b"\0\x01link\0octet\0").starts_with(b"\0\x05\0\x02"));
    assert!(refused(b"\0\x01none\0octet\0").starts_with(b"\0\x05\0\x01"));
    assert_eq!(refused(b"\0\x04\0\x01"), b"");
}
