//! The CSV parser returns rows or a meaningful error for any bytes. The same property is tested without a fuzzer in
//! `src/commands/import/read.rs`.
#![no_main]

use bootledger::commands::import::rehearse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|csv: &[u8]| assert_eq!(rehearse(csv), Ok(())));
