//! Any bytes are a file of servers or errors that say what is wrong with it. The stable form of this is the property test in
//! `src/ledger/import/read.rs`.
#![no_main]

use bootledger::ledger::import::rehearse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|csv: &[u8]| assert_eq!(rehearse(csv), Ok(())));
