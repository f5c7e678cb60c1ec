//! Tests of signatures, with Debian's own keys and signed lists: which are accepted, and why others are refused.

use super::*;
use std::path::PathBuf;

/// Debian's own keys, and a signed list that apt stores on this machine.
fn debian() -> Option<(Keyring, Vec<u8>)> {
    let mut keys = Keyring::default();
    for file in ["debian-archive-bookworm-stable.gpg", "debian-archive-bookworm-automatic.gpg"] {
        keys.add(file, &std::fs::read(PathBuf::from("/usr/share/keyrings").join(file)).ok()?).expect("a key of Debian");
    }
    let mut lists = std::fs::read_dir("/var/lib/apt/lists").ok()?.filter_map(Result::ok).map(|entry| entry.path());
    let list = lists.find(|path| path.to_string_lossy().ends_with("debian_dists_bookworm_InRelease"))?;
    Some((keys, std::fs::read(list).ok()?))
}

#[test]
fn debians_own_list_is_verified_and_one_flipped_byte_is_found() {
    let Some((keys, list)) = debian() else {
        assert!(std::env::var_os("CI").is_none(), "the signed lists of apt or debian-archive-keyring are missing");
        eprintln!("NOT RUN: this machine has no signed list of Debian 12 in /var/lib/apt/lists; run apt-get update");
        return;
    };
    let now = OffsetDateTime::now_utc();
    let text = keys.verify_inline(&list, now).expect("Debian signed it");
    assert!(text.starts_with("Origin: Debian\n"), "{}", &text[..60]);
    assert!(!text.contains("BEGIN PGP"));
    let middle = list.len() / 2;
    let mut changed = list.clone();
    changed[middle] = if changed[middle] == b'0' { b'1' } else { b'0' };
    let error = keys.verify_inline(&changed, now).expect_err("a changed list");
    assert!(matches!(error, SignatureError::Wrong(_)), "{error}");
    let mut around = b"Suite: forged\n".to_vec();
    around.extend_from_slice(&list);
    around.extend_from_slice(b"Suite: forged\n");
    assert!(!keys.verify_inline(&around, now).is_ok_and(|text| text.contains("forged")));
}

#[test]
fn debians_list_is_refused_without_its_key_and_after_its_keys_end() {
    let Some((keys, list)) = debian() else { return };
    let error = Keyring::default().verify_inline(&list, OffsetDateTime::now_utc()).expect_err("no key");
    assert!(matches!(error, SignatureError::OtherKey(_)), "{error}");
    let late = OffsetDateTime::from_unix_timestamp(4_000_000_000).expect("a time");
    let error = keys.verify_inline(&list, late).expect_err("expired keys");
    assert!(matches!(error, SignatureError::Expired { .. }), "{error}");
}

#[test]
fn text_without_a_signature_and_files_that_are_no_keys_are_refused() {
    let now = OffsetDateTime::now_utc();
    assert_eq!(Keyring::default().verify_inline(b"Origin: Debian\n", now), Err(SignatureError::Unreadable));
    let none = Keyring::default().verify_detached(b"no signature", now, || Ok(&b"x"[..]));
    assert_eq!(none, Err(SignatureError::Unreadable));
    for content in [&b""[..], b"no key", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n"] {
        assert!(Keyring::default().add("x.asc", content).is_err(), "{content:?} was accepted");
    }
}
