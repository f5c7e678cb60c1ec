//! Finds the checksum of a file in the lists that vendors publish, in each vendor's format.

use crate::digest::Digest;
use crate::recipe::ListFormat;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// Why a list does not verify a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// The list is not UTF-8 text.
    #[error("it is not UTF-8 text")]
    NotText,
    /// The list does not name the file.
    #[error("it has no checksum of {0}; the vendor may have moved the file, so look for a newer version of this recipe")]
    Missing(String),
    /// The list contains the file twice, with different checksums.
    #[error("it has two different checksums of {0}")]
    Ambiguous(String),
    /// The list is a Debian release file of another suite.
    #[error("it is of the suite {found}, not of {wanted}; the mirror serves the wrong file")]
    OtherSuite {
        /// The suite in the URL.
        wanted: String,
        /// The suite in the release file.
        found: String,
    },
    /// The list is a Debian release file that is no longer valid.
    #[error("it was valid until {0}; the mirror is out of date, so use another one, or check this machine's clock")]
    Expired(String),
}

/// Finds the checksum of a file in a list.
///
/// # Errors
/// Returns an error if the list does not name the file, or names it with different checksums.
pub fn find(format: ListFormat, list: &[u8], file: &str) -> Result<Digest, ListError> {
    let text = std::str::from_utf8(list).map_err(|_| ListError::NotText)?;
    let same = |name: &str| plain(name) == plain(file);
    let found: Vec<Digest> = match format {
        ListFormat::Sha256sums => sums(text, 64).filter(|(name, _)| same(name)).map(|(_, digest)| digest).collect(),
        ListFormat::Sha512sums => sums(text, 128).filter(|(name, _)| same(name)).map(|(_, digest)| digest).collect(),
        ListFormat::Bsd => text.lines().filter_map(bsd).filter(|(name, _)| same(name)).map(|(_, digest)| digest).collect(),
        ListFormat::Treeinfo => treeinfo(text).filter(|(name, _)| same(name)).map(|(_, digest)| digest).collect(),
        ListFormat::DebianRelease => release(text).filter(|(name, _)| same(name)).map(|(_, digest)| digest).collect(),
        ListFormat::Digest => {
            let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
            lines.filter_map(|line| Digest::from_hex(line.split_whitespace().next()?)).collect()
        }
    };
    match found.split_first() {
        None => Err(ListError::Missing(file.to_owned())),
        Some((first, rest)) if rest.iter().all(|other| other == first) => Ok(*first),
        // A BSD list may have both a SHA-256 and a SHA-512 of one file.
        Some(_) if format == ListFormat::Bsd => {
            let mut short: Vec<Digest> = found.into_iter().filter(|digest| matches!(digest, Digest::Sha256(_))).collect();
            short.dedup();
            if let [one] = short[..] { Ok(one) } else { Err(ListError::Ambiguous(file.to_owned())) }
        }
        Some(_) => Err(ListError::Ambiguous(file.to_owned())),
    }
}

/// Checks that a Debian release file is of the suite that its URL names, and still valid. `path` is the path of the URL.
///
/// # Errors
/// Returns an error if the file is of another suite, which a mirror could serve with its valid signature, or if it is no longer
/// valid.
pub fn check_release(list: &[u8], path: &str, now: OffsetDateTime) -> Result<(), ListError> {
    let text = std::str::from_utf8(list).map_err(|_| ListError::NotText)?;
    let field = |name: &str| {
        let line = text.lines().find(|line| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)));
        line.map(|line| line[name.len()..].trim())
    };
    let wanted = path.split_once("/dists/").and_then(|(_, rest)| rest.rsplit_once('/')).map(|(suite, _)| suite);
    if let Some(wanted) = wanted {
        let names = [field("Codename:"), field("Suite:")];
        if !names.contains(&Some(wanted)) {
            let found = names.into_iter().flatten().next().unwrap_or("an unnamed suite").to_owned();
            return Err(ListError::OtherSuite { wanted: wanted.to_owned(), found });
        }
    }
    if let Some(until) = field("Valid-Until:") {
        let end = OffsetDateTime::parse(&until.replace("UTC", "+0000"), &Rfc2822);
        if end.is_ok_and(|end| end < now) {
            return Err(ListError::Expired(until.to_owned()));
        }
    }
    Ok(())
}

/// The file name without `./`: `./a` and `a` are the same file.
fn plain(name: &str) -> &str {
    name.strip_prefix("./").unwrap_or(name)
}

/// The lines of `sha256sum` or `sha512sum`. Comments and checksums of another length are skipped.
fn sums(text: &str, digits: usize) -> impl Iterator<Item = (&str, Digest)> {
    text.lines().filter_map(move |line| {
        let (hex, rest) = line.trim_end().split_once(' ')?;
        let digest = Digest::from_hex(hex).filter(|_| hex.len() == digits)?;
        let name = rest.strip_prefix([' ', '*']).unwrap_or(rest);
        Some((name, digest))
    })
}

/// Reads a line of the form `SHA256 (FILE) = HEX`.
fn bsd(line: &str) -> Option<(&str, Digest)> {
    let rest = line.trim_end();
    let rest = rest.strip_prefix("SHA256 (").or_else(|| rest.strip_prefix("SHA512 ("))?;
    let (name, hex) = rest.rsplit_once(") = ")?;
    Some((name, Digest::from_hex(hex)?))
}

fn treeinfo(text: &str) -> impl Iterator<Item = (&str, Digest)> {
    let section = text.lines().map(str::trim).skip_while(|line| *line != "[checksums]").skip(1);
    section.take_while(|line| !line.starts_with('[')).filter_map(|line| {
        let (name, value) = line.split_once('=')?;
        let hex = value.trim().strip_prefix("sha256:").or_else(|| value.trim().strip_prefix("sha512:"))?;
        Some((name.trim(), Digest::from_hex(hex)?))
    })
}

fn release(text: &str) -> impl Iterator<Item = (&str, Digest)> {
    let section = text.lines().skip_while(|line| line.trim_end() != "SHA256:").skip(1);
    section.take_while(|line| line.starts_with(' ')).filter_map(|line| {
        let mut words = line.split_whitespace();
        let (hex, _size, name) = (words.next()?, words.next()?, words.next()?);
        Some((name, Digest::from_hex(hex)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB";

    fn found(format: ListFormat, list: &str, file: &str) -> Result<String, ListError> {
        find(format, list.as_bytes(), file).map(|digest| digest.to_string())
    }

    #[test]
    fn each_format_of_vendors_is_read() {
        let a = Ok(format!("sha256:{A}"));
        let list =
            format!("# a comment\n{A}  ./netboot/linux\n{B} *other.iso\nd41d8cd98f00b204e9800998ecf8427e  netboot/linux\n");
        assert_eq!(found(ListFormat::Sha256sums, &list, "./netboot/linux"), a);
        assert_eq!(found(ListFormat::Sha256sums, &list, "netboot/linux"), a);
        assert_eq!(found(ListFormat::Sha256sums, &list, "other.iso"), Ok(format!("sha256:{}", B.to_lowercase())));
        let digests = format!("# MD5 HASH\nd41d8cd98f00b204e9800998ecf8427e  x\n# SHA512 HASH\n{A}{A}  x\n");
        assert_eq!(found(ListFormat::Sha512sums, &digests, "x"), Ok(format!("sha512:{A}{A}")));
        let bsd = format!("# x.iso: 12 bytes\nSHA256 (x (1).iso) = {A}\nSHA512 (x (1).iso) = {B}{B}\n");
        assert_eq!(found(ListFormat::Bsd, &bsd, "x (1).iso"), a);
        let treeinfo = format!("[header]\nx = sha256:{B}\n[checksums]\nimages/vmlinuz = sha256:{A}\n[other]\ny = sha256:{A}\n");
        assert_eq!(found(ListFormat::Treeinfo, &treeinfo, "images/vmlinuz"), a);
        assert_eq!(found(ListFormat::Treeinfo, &treeinfo, "y"), Err(ListError::Missing("y".to_owned())));
        let release = format!("Suite: stable\nMD5Sum:\n {B} 1 z\nSHA256:\n {A}   1234 main/x/SHA256SUMS\nSHA512:\n {B} 1 z\n");
        assert_eq!(found(ListFormat::DebianRelease, &release, "main/x/SHA256SUMS"), a);
        assert_eq!(found(ListFormat::DebianRelease, &release, "z"), Err(ListError::Missing("z".to_owned())));
        assert_eq!(found(ListFormat::Digest, &format!("{A}\n"), "anything"), a);
    }

    #[test]
    fn two_checksums_of_one_file_are_refused() {
        let list = format!("{A}  x\n{B}  ./x\n");
        assert_eq!(found(ListFormat::Sha256sums, &list, "x"), Err(ListError::Ambiguous("x".to_owned())));
        assert!(found(ListFormat::Digest, &format!("{A}\n{B}\n"), "x").is_err());
    }

    #[test]
    fn a_release_file_of_another_suite_or_time_is_refused() {
        let list = b"Origin: Debian\nSuite: oldstable\nCodename: bullseye\nValid-Until: Sat, 09 May 2020 10:00:00 UTC\n";
        let at = |seconds| OffsetDateTime::from_unix_timestamp(seconds).expect("a time");
        assert_eq!(check_release(list, "/debian/dists/bullseye/InRelease", at(1_500_000_000)), Ok(()));
        assert_eq!(check_release(list, "/debian/dists/oldstable/InRelease", at(1_500_000_000)), Ok(()));
        let other = check_release(list, "/debian/dists/bookworm/InRelease", at(1_500_000_000));
        assert_eq!(other, Err(ListError::OtherSuite { wanted: "bookworm".to_owned(), found: "bullseye".to_owned() }));
        let late = check_release(list, "/debian/dists/bullseye/InRelease", at(1_700_000_000));
        assert!(matches!(late, Err(ListError::Expired(_))), "{late:?}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), file in ".{0,10}") {
            for format in [ListFormat::Sha256sums, ListFormat::Sha512sums, ListFormat::Bsd, ListFormat::Treeinfo, ListFormat::DebianRelease, ListFormat::Digest] {
                drop(find(format, &bytes, &file));
            }
            drop(check_release(&bytes, &file, OffsetDateTime::UNIX_EPOCH));
        }

        #[test]
        fn the_output_of_sha256sum_is_parsed(names in prop::collection::btree_set("[a-z./ ()*-]{1,12}[a-z]", 1..6)) {
            let digest = |name: &str| { use sha2::Digest as _; hex::encode(sha2::Sha256::digest(name)) };
            let lines: Vec<String> = names.iter().map(|name| format!("{}  {name}\n", digest(name))).collect();
            let list = lines.concat();
            for name in names.iter().filter(|name| names.iter().filter(|other| plain(other) == plain(name)).count() == 1) {
                prop_assert_eq!(found(ListFormat::Sha256sums, &list, name), Ok(format!("sha256:{}", digest(name))));
            }
        }

        #[test]
        fn the_output_of_bsd_tools_is_parsed(name in "[a-z./ ()=-]{0,12}[a-z]") {
            prop_assert_eq!(found(ListFormat::Bsd, &format!("SHA256 ({name}) = {A}\n"), &name), Ok(format!("sha256:{A}")));
        }
    }
}
