//! Parses the names of boot loaders as firmware, shim, GRUB and iPXE send them. Pure: the input is bytes, the output places
//! below a folder.
//!
//! A name is relative to the folders of boot loaders, in any form. These forms were seen in the field:
//!
//! | sent | by | means |
//! |---|---|---|
//! | `/snponly.efi`, `//snponly.efi`, `./snponly.efi` | GRUB, shim, many a DHCP configuration | `snponly.efi` |
//! | `\EFI\BOOT\BOOTX64.EFI` | firmware behind Windows' DHCP server (rhboot/shim, issues 300 and 524) | `EFI/BOOT/BOOTX64.EFI` |
//! | `C:\snponly.efi` | old PXE servers' names (iPXE's `pxe_uri`, src/core/uri.c) | `snponly.efi` |
//! | `tftp://10.0.0.1/snponly.efi`, `10.0.0.1::snponly.efi`, `::10.0.0.1/snponly.efi` | firmware that does not resolve a URL, PXELINUX | `snponly.efi` |
//! | `snponly.efi` and a byte 0xFF, a line feed, spaces | firmware that reads option 67 up to a zero byte (netbootxyz/netboot.xyz, issue 1198) | `snponly.efi` |
//! | `snponly.efi?mac=…` | names with a query | `snponly.efi` |
//!
//! A name with a part `..` is refused, and so is one that contains a zero byte. Nothing here reads a disk.

use crate::file::LoaderError;
use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::os::unix::ffi::OsStringExt;

/// The maximum length of a name. Names in TFTP are shorter (RFC 2347).
const LONGEST: usize = 1024;

/// The maximum number of folders and files in a name.
const PARTS: usize = 16;

/// The character that firmware which converts everything to text writes in place of a byte that is not text (U+FFFD).
const REPLACED: &[u8] = "\u{fffd}".as_bytes();

/// A place below a folder: the names of folders, and of a file. No part is empty, `.` or `..`, and none contains a slash.
pub(crate) type Place = Vec<OsString>;

/// The possible meanings of a name.
#[derive(Debug)]
pub(crate) struct Name {
    /// The places, the most likely one first; at least one, and at most four.
    pub(crate) places: Vec<Place>,
    /// Whether bytes that are not text followed the name. The bytes before them may then belong to something else, too.
    pub(crate) ran_over: bool,
}

/// The possible meanings of a name.
///
/// # Errors
/// Returns an error if the name leads out of the folder, or names nothing.
pub(crate) fn read(name: &[u8]) -> Result<Name, LoaderError> {
    if name.len() > LONGEST {
        return Err(LoaderError::Missing);
    }
    let bare = bare(name);
    if bare.contains(&0) {
        return Err(LoaderError::Outside);
    }
    // No file name contains such bytes: the name ended before them.
    let end = bare.iter().position(|byte| is_no_text(*byte)).unwrap_or(bare.len());
    let sent = name.trim_ascii_end();
    let ran_over = end < bare.len() || sent.ends_with(REPLACED) || sent.last().is_some_and(|last| *last > 0 && is_no_text(*last));
    let name: Vec<u8> =
        bare.get(..end).unwrap_or_default().iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect();
    let parts = parts(within_server(&name))?;
    let whole_is_address = parts.len() > 1 && parts.first().is_some_and(|part| is_address(part));
    let mut places = vec![parts.clone()];
    if whole_is_address {
        places.push(parts.get(1..).unwrap_or_default().to_vec());
    }
    let without_query: Vec<_> = places.iter().filter_map(|place| without_query(place)).collect();
    places.extend(without_query);
    let places = places.into_iter().map(|place| place.into_iter().map(OsString::from_vec).collect()).collect();
    Ok(Name { places, ran_over })
}

/// The name without spaces and quotes around it, and without the bytes that firmware adds after it.
fn bare(name: &[u8]) -> &[u8] {
    let mut name = name.trim_ascii_start();
    loop {
        name = match name {
            [rest @ .., 0xef, 0xbf, 0xbd] | [rest @ .., 0..=b' ' | 0x7f | 0xff] => rest,
            [b'"', rest @ .., b'"'] | [b'\'', rest @ .., b'\''] => rest.trim_ascii_start(),
            _ => return name,
        };
    }
}

/// The name without a server's address or a drive letter before it.
fn within_server(name: &[u8]) -> &[u8] {
    if let Some(at) = name.windows(3).position(|bytes| bytes == b"://") {
        let (scheme, rest) = (name.get(..at).unwrap_or_default(), name.get(at + 3..).unwrap_or_default());
        if [&b"tftp"[..], b"http", b"https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            let path = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
            return rest.get(path..).unwrap_or_default();
        }
    }
    if let Some(at) = name.windows(2).position(|bytes| bytes == b"::") {
        let (server, rest) = (name.get(..at).unwrap_or_default(), name.get(at + 2..).unwrap_or_default());
        if server.is_empty() || is_address(server) {
            return rest;
        }
    }
    match name {
        [letter, b':', rest @ ..] if letter.is_ascii_alphabetic() => rest,
        _ => name,
    }
}

fn parts(name: &[u8]) -> Result<Vec<Vec<u8>>, LoaderError> {
    let parts: Vec<Vec<u8>> =
        name.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".").map(<[u8]>::to_vec).collect();
    if name.is_empty() || parts.iter().any(|part| part == b"..") {
        return Err(LoaderError::Outside);
    }
    // A name that ends with a slash is a folder's, and so is a name of dots alone.
    if parts.is_empty() || parts.len() > PARTS || name.ends_with(b"/") { Err(LoaderError::Missing) } else { Ok(parts) }
}

/// The same place without a query, if the file name has one.
fn without_query(place: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
    let at = place.iter().position(|part| part.contains(&b'?'))?;
    let mut place = place.get(..=at)?.to_vec();
    let last = place.last_mut()?;
    last.truncate(last.iter().position(|byte| *byte == b'?')?);
    (!matches!(&last[..], b"" | b"." | b"..")).then_some(place)
}

fn is_no_text(byte: u8) -> bool {
    byte.is_ascii_control() || byte == 0xff
}

fn is_address(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.parse::<Ipv4Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn first(name: &[u8]) -> String {
        let read = read(name).unwrap_or_else(|error| panic!("{}: {error}", name.escape_ascii()));
        read.places[0].join(std::ffi::OsStr::new("/")).into_string().expect("text")
    }

    #[test]
    fn a_name_is_below_the_folder_however_it_begins_and_ends() {
        for sent in [
            &b"snponly.efi"[..],
            b"/snponly.efi",
            b"//snponly.efi",
            b"///./snponly.efi",
            b"./snponly.efi",
            b"\\snponly.efi",
            b"\\\\snponly.efi",
            b".\\snponly.efi",
            b"C:\\snponly.efi",
            b"c:/snponly.efi",
            b"C:snponly.efi",
            b"tftp://10.0.0.1/snponly.efi",
            b"TFTP://10.0.0.1:69//snponly.efi",
            b"http://boot.example:8080/snponly.efi",
            b"tftp://[fe80::1]/snponly.efi",
            b"10.0.0.1::snponly.efi",
            b"10.0.0.1::/snponly.efi",
            b"::snponly.efi",
            b"snponly.efi\xff",
            b"snponly.efi\xff\xff\0\0",
            b"snponly.efi\0",
            b"snponly.efi\n",
            b"snponly.efi\r\n",
            b"snponly.efi \t",
            b"snponly.efi\xef\xbf\xbd",
            b"  snponly.efi",
            b"\"snponly.efi\"",
            b"snponly.efi\xff\x01/../etc/passwd",
            b"snponly.efi\n/../x",
            b"'/snponly.efi' \xff",
        ] {
            assert_eq!(first(sent), "snponly.efi", "{}", sent.escape_ascii());
        }
        assert_eq!(first(b"\\EFI\\BOOT\\BOOTX64.EFI\xff"), "EFI/BOOT/BOOTX64.EFI");
        assert_eq!(first(b"/boot//grub/./x86_64-efi/normal.mod"), "boot/grub/x86_64-efi/normal.mod");
        // These are file names, too.
        assert_eq!(first(b"..."), "...");
        assert_eq!(first(b"a..b/..c"), "a..b/..c");
        assert_eq!(first(b"xy::z"), "xy::z");
    }

    #[test]
    fn an_address_or_a_query_may_be_meant_or_not() {
        let all = |name: &[u8]| {
            let joined = |place: &Place| place.join(std::ffi::OsStr::new("/")).into_string().expect("text");
            read(name).expect("places").places.iter().map(joined).collect::<Vec<_>>()
        };
        assert_eq!(all(b"::10.0.0.1/a.efi"), ["10.0.0.1/a.efi", "a.efi"]);
        assert_eq!(all(b"10.0.0.1/a.efi"), ["10.0.0.1/a.efi", "a.efi"]);
        assert_eq!(all(b"10.0.0.1"), ["10.0.0.1"]);
        assert_eq!(all(b"a.efi?mac=1/2"), ["a.efi?mac=1/2", "a.efi"]);
        assert_eq!(all(b"10.0.0.1/a.efi?x"), ["10.0.0.1/a.efi?x", "a.efi?x", "10.0.0.1/a.efi", "a.efi"]);
        assert_eq!(all(b"..?x"), ["..?x"]);
    }

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        for sent in [
            &b".."[..],
            b"../x",
            b"/../x",
            b"..\\x",
            b"a/../x",
            b"a\\..\\x",
            b"C:\\..\\x",
            b"tftp://h/../x",
            b"10.0.0.1::../x",
            b"::../x",
            b"x/..\xff",
            b"x/.. ",
            b"\"..\"/x\"/..\"",
            b"a\0b",
            b"a\0/../b",
            b"",
            b"\xff",
            b" ",
        ] {
            assert!(matches!(read(sent), Err(LoaderError::Outside)), "{}", sent.escape_ascii());
        }
        for folder in [&b"folder/"[..], b"/", b".", b".\\"] {
            assert!(matches!(read(folder), Err(LoaderError::Missing)), "{}", folder.escape_ascii());
        }
        assert!(matches!(read(&b"a/".repeat(40)), Err(LoaderError::Missing)));
        assert!(matches!(read(&[b'a'; 2000]), Err(LoaderError::Missing)));
    }

    proptest! {
        /// For any input, a place consists of a few plain names below the folder.
        #[test]
        fn no_place_leads_anywhere_else(
            pieces in proptest::collection::vec(
                prop_oneof![
                    any::<u8>().prop_map(|byte| vec![byte]),
                    proptest::sample::select(&b"./\\:?\"' \0\xff1a"[..]).prop_map(|byte| vec![byte]),
                    // Random bytes hardly ever are a part that leads out of the folder.
                    proptest::sample::select(&["../", "..\\", "/..", "a/"][..]).prop_map(|piece| piece.as_bytes().to_vec()),
                ],
                0..40,
            )
        ) {
            if let Ok(read) = read(&pieces.concat()) {
                prop_assert!((1..=4).contains(&read.places.len()));
                for part in read.places.iter().flatten() {
                    let bytes = part.as_encoded_bytes();
                    prop_assert!(!bytes.is_empty() && !bytes.contains(&b'/') && !bytes.contains(&0), "{part:?}");
                    prop_assert!(part != "." && part != "..", "{part:?}");
                }
            }
        }

        /// Characters around a name do not change its meaning.
        #[test]
        fn a_name_means_the_same_with_any_surrounding_text(
            stem in "[a-z][a-z0-9_-]{0,9}(/[a-z][a-z0-9-]{0,9}){0,3}", before in "(\\./|/|//|\\\\|C:\\\\|tftp://10\\.0\\.0\\.1/|::|10\\.0\\.0\\.1::| )",
            after in proptest::collection::vec(proptest::sample::select(&b"\0\xff\n\r \t\x7f"[..]), 0..5), backslashes in any::<bool>()
        ) {
            let file = format!("{stem}.efi");
            let written = if backslashes { file.replace('/', "\\") } else { file.clone() };
            prop_assert_eq!(first(&[before.as_bytes(), written.as_bytes(), &after].concat()), file);
        }
    }
}
