//! Whatever a client sends to the TFTP server, it gets files of the folder and never more than was agreed on. The stable form of
//! this is the property test in `src/tftp/tests/rehearsals.rs`.
#![no_main]

use bootledger::tftp::rehearsal::rehearse;
use bootledger_web::boot::loaders::Loaders;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

/// A folder with files that consist of `i`, beside one that does not. It is left for the system to remove.
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
    assert_eq!(rehearse(&LOADERS, &packets).check(&packets), Ok(()));
});
