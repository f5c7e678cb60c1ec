//! TFTP with the names that firmware sends. Property tests with any bytes as packets, in the compact form of the fuzz target `fuzz/fuzz_targets/tftp.rs`: nothing
//! panics, no file of another folder is sent, and never more than was negotiated.

use super::{BootFiles, error};
use bootledger_boot_loaders::Loaders;
use bootledger_tftp::rehearsal::{Rehearsal, rehearse};
use proptest::prelude::*;
use std::net::Ipv4Addr;
use std::os::unix::fs::symlink;
use tempfile::TempDir;

/// A folder with files that contain only `i`, beside a file that does not.
fn folder() -> (TempDir, Loaders) {
    let around = tempfile::tempdir().expect("a folder");
    let inside = around.path().join("loaders");
    std::fs::create_dir_all(inside.join("dir")).expect("a folder");
    std::fs::write(around.path().join("secret"), "secret ".repeat(1000)).expect("a file");
    for (name, size) in [("inside", 5000), ("dir/inside.efi", 100_000), ("dir/empty", 0)] {
        std::fs::write(inside.join(name), "i".repeat(size)).expect("a file");
    }
    symlink("../secret", inside.join("link")).expect("a link");
    symlink("..", inside.join("up")).expect("a link");
    let loaders = Loaders::at(&inside).expect("loaders");
    (around, loaders)
}

fn rehearsed(loaders: &Loaders, packets: &[&[u8]]) -> Rehearsal {
    rehearse(|name| loaders.open(name).map(|loader| (loader.file, loader.size)).map_err(error), packets)
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let words: [&[u8]; 24] = [
        b"inside",
        b"INSIDE",
        b"dir",
        b"inside.efi",
        b"empty",
        b"secret",
        b"link",
        b"up",
        b"..",
        b".",
        b"/",
        b"\\",
        b"//",
        b"\xff",
        b"\n",
        b" ",
        b"C:",
        b"tftp://h",
        b"10.0.0.1",
        b"::",
        b"?a=b",
        b"%2e%2e",
        b"\"",
        b"loaders",
    ];
    let joined = proptest::collection::vec(proptest::sample::select(words.to_vec()), 0..7).prop_map(|words| words.concat());
    prop_oneof![4 => joined, 2 => Just(b"dir/inside.efi".to_vec()), 1 => proptest::collection::vec(any::<u8>(), 0..600)]
}

fn request() -> impl Strategy<Value = Vec<u8>> {
    let option = (
        proptest::sample::select(vec!["blksize", "BLKSIZE", "tsize", "timeout", "windowsize", "multicast", "utimeout", "", "x"]),
        prop_oneof![any::<u32>().prop_map(|n| n.to_string()), "[0-9]{0,22}", "[ -~]{0,8}", Just("1428".to_owned())],
    );
    let mode = proptest::sample::select(vec!["octet", "octet", "octet", "OCTET", "netascii", "mail", "", "octet "]);
    (name(), mode, proptest::collection::vec(option, 0..6), 0..3_usize).prop_map(|(name, mode, options, zeros)| {
        let mut bytes = [&[0, 1][..], &name, &[0], mode.as_bytes(), &[0]].concat();
        for (name, value) in options {
            bytes.extend([name.as_bytes(), &[0], value.as_bytes(), &[0]].concat());
        }
        bytes.extend(vec![0; zeros]);
        bytes
    })
}

fn packet() -> impl Strategy<Value = Vec<u8>> {
    let acknowledgement = prop_oneof![any::<u16>(), 0..200_u16].prop_map(|number| [&[0, 4][..], &number.to_be_bytes()].concat());
    prop_oneof![6 => acknowledgement, 1 => proptest::collection::vec(any::<u8>(), 0..40), 1 => request()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_client_exceeds_its_limits_or_reads_other_files(
        first in prop_oneof![5 => request(), 1 => proptest::collection::vec(any::<u8>(), 0..700)],
        later in proptest::collection::vec(packet(), 0..12)
    ) {
        thread_local!(static FOLDER: (TempDir, Loaders) = folder());
        let packets: Vec<&[u8]> = std::iter::once(&first).chain(&later).map(Vec::as_slice).collect();
        let checked = FOLDER.with(|(_, loaders)| rehearsed(loaders, &packets).check(&packets));
        prop_assert_eq!(checked, Ok(()));
    }
}

/// The property above is only useful if files and refusals are sent.
#[test]
fn files_and_refusals_are_sent() {
    let (_around, loaders) = folder();
    let whole: [&[u8]; 4] = [b"\0\x01\\INSIDE\xff\0octet\0blksize\x003000\0", b"\0\x04\0\0", b"\0\x04\0\x01", b"\0\x04\0\x02"];
    let sent = rehearsed(&loaders, &whole).answers.concat();
    assert_eq!(sent.iter().map(Vec::len).collect::<Vec<_>>(), [15, 3004, 2004]);
    let refused = |packet: &[u8]| rehearsed(&loaders, &[packet]).answers.concat().concat();
    assert!(refused(b"\0\x01../secret\0octet\0").starts_with(b"\0\x05\0\x02"));
    assert!(refused(b"\0\x01link\0octet\0").starts_with(b"\0\x05\0\x02"));
    assert!(refused(b"\0\x01none\0octet\0").starts_with(b"\0\x05\0\x01"));
    assert_eq!(refused(b"\0\x04\0\x01"), b"");
}

/// Requests for a file in a folder that name it in different ways.
const SENT: [&[u8]; 18] = [
    b"grub/x86_64-efi/Core.efi",
    b"/grub/x86_64-efi/Core.efi",
    b"//grub//x86_64-efi//Core.efi",
    b"./grub/./x86_64-efi/Core.efi",
    b"\\grub\\x86_64-efi\\Core.efi",
    b"\\\\grub\\x86_64-efi/Core.efi",
    b"C:\\grub\\x86_64-efi\\Core.efi",
    b"\\GRUB\\X86_64-EFI\\CORE.EFI",
    b"/grub/x86_64-efi/core.efi",
    b"tftp://10.0.0.1/grub/x86_64-efi/Core.efi",
    b"10.0.0.1::grub/x86_64-efi/Core.efi",
    b"::10.0.0.1/grub/x86_64-efi/Core.efi",
    b"grub/x86_64-efi/Core.efi?mac=52:54:00:00:00:01",
    b"grub/x86_64-efi/Core.efi\xff",
    b"grub/x86_64-efi/Core.efi\xff\xff\xff ",
    b"grub/x86_64-efi/Core.efi\r\n",
    b"grub/x86_64-efi/Core.efi\xef\xbf\xbd",
    b"grub/x86_64-efi/Core.efi<\x20PXEClient:Arch:00007:UNDI:003016\xff\x01",
];

#[tokio::test]
async fn a_file_is_opened_however_firmware_writes_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir_all(folder.path().join("grub/x86_64-efi")).expect("a folder");
    std::fs::write(folder.path().join("grub/x86_64-efi/Core.efi"), "core").expect("a file");
    let files = BootFiles::shared(Loaders::at(folder.path()).expect("loaders"));
    for name in SENT {
        let opened = files.open(Ipv4Addr::LOCALHOST.into(), name).await;
        let opened = opened.unwrap_or_else(|error| panic!("{} is not opened: {error}", name.escape_ascii()));
        assert_eq!(opened.read(0, opened.size()).await.expect("its bytes"), "core");
    }
}
