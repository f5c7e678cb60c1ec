//! Any sequence of packets to the TFTP server returns only files of its folder, and never more data than was negotiated. The
//! same property is tested without a fuzzer in `src/service/tftp/tests.rs`.
#![no_main]

use bootledger::service::tftp::error;
use bootledger_boot_loaders::Loaders;
use bootledger_tftp::rehearsal::rehearse;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

/// A folder with files that contain only `i`, beside a file that does not. The system's clean-up of temporary files removes it.
static LOADERS: LazyLock<Loaders> = LazyLock::new(|| {
    let around = std::env::temp_dir().join(format!("bootledger-fuzz-tftp-{}", std::process::id()));
    let inside = around.join("loaders");
    std::fs::create_dir_all(inside.join("dir")).expect("a folder");
    std::fs::write(around.join("secret"), "secret ".repeat(1000)).expect("a file");
    std::fs::write(inside.join("a"), "i".repeat(5000)).expect("a file");
    std::fs::write(inside.join("dir/b"), "i".repeat(100_000)).expect("a file");
    std::os::unix::fs::symlink("../secret", inside.join("c")).expect("a link");
    Loaders::at(&inside).expect("loaders")
});

fuzz_target!(|packets: Vec<Vec<u8>>| {
    let packets: Vec<&[u8]> = packets.iter().take(64).map(Vec::as_slice).collect();
    let open = |name: &[u8]| LOADERS.open(name).map(|loader| (loader.file, loader.size)).map_err(error);
    assert_eq!(rehearse(open, &packets).check(&packets), Ok(()));
});
