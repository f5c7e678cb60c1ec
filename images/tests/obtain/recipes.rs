//! Whole recipes: from a mirror that signs, from folders, from packages.

use crate::client::{client, limits};
use crate::server::{Server, file, status};
use crate::vendor::{Vendor, package};
use bootledger_images::archive;
use bootledger_images::fetch::{FetchError, Fetched, Fetcher, KnownContents, Origin, Verified};
use bootledger_images::library::{Files, Library};
use bootledger_images::signature::{Keyring, SignatureError};
use bootledger_outbound::Guard;
use sha2::Digest as _;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use time::OffsetDateTime;
use url::Url;

const RECIPE: &str = r#"
title: Test
version: "1"
architecture: amd64
status: not_yet_run
mirror: http://127.0.0.1:1
templates:
  boot.ipxe: { kind: boot_ipxe, path: boot.ipxe }
downloads:
  linux:
    kind: kernel
    url: "{mirror}/images/linux"
    folder: [usr/lib/netboot/text/linux, linux]
    checksum: { list: images, path: ./linux }
  initrd:
    kind: initrd
    url: "{mirror}/images/netboot.tar.gz"
    folder: [netboot.tar.gz]
    member: amd64/initrd
    checksum: { list: images, path: ./netboot.tar.gz }
checksums:
  images:
    url: "{mirror}/images/SHA256SUMS"
    format: sha256sums
    verified_by: { list: release, path: images/SHA256SUMS }
  release:
    url: "{mirror}/dists/test/InRelease"
    format: debian_release
    verified_by: { keys: [vendor.asc], signature: inline }
"#;

const LINUX: &[u8] = b"a kernel";
const INITRD: &[u8] = b"an initial file system";

fn sha256(content: &[u8]) -> String {
    hex::encode(sha2::Sha256::digest(content))
}

fn tarball() -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_size(INITRD.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    let gzip = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    let mut builder = tar::Builder::new(gzip);
    builder.append_data(&mut header, "./amd64/initrd", INITRD).expect("appended");
    builder.into_inner().expect("a tar").finish().expect("compressed")
}

type Site = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// What a mirror has, signed.
fn mirror(vendor: &Vendor) -> Site {
    let tarball = tarball();
    let sums = format!("{}  ./linux\n{} *./netboot.tar.gz\n", sha256(LINUX), sha256(&tarball));
    let release = format!("Suite: test\nSHA256:\n {} {} images/SHA256SUMS\n", sha256(sums.as_bytes()), sums.len());
    let files = [
        ("/images/linux", LINUX.to_vec()),
        ("/images/netboot.tar.gz", tarball),
        ("/images/SHA256SUMS", sums.into_bytes()),
        ("/dists/test/InRelease", vendor.inline(&release)),
    ];
    Arc::new(Mutex::new(files.into_iter().map(|(path, content)| (path.to_owned(), content)).collect()))
}

async fn serve(site: &Site) -> Server {
    let site = Arc::clone(site);
    Server::start(move |request| match site.lock().expect("a site").get(&request.path) {
        Some(content) => file(request, content, &sha256(content)),
        None => status(404),
    })
    .await
}

fn library(recipe: &str, key: Vec<u8>) -> Library {
    let owned = |text: &str| Cow::Owned(text.as_bytes().to_vec());
    let files =
        Files::from([("test/recipe.yaml".to_owned(), owned(recipe)), ("test/boot.ipxe".to_owned(), owned("#!ipxe\nboot\n"))]);
    Library::of(&files, Files::from([("vendor.asc".to_owned(), Cow::Owned(key))])).expect("a library")
}

struct Lab {
    library: Library,
    folder: TempDir,
    known: KnownContents,
}

impl Lab {
    fn new(recipe: &str, key: Vec<u8>) -> Self {
        Self { library: library(recipe, key), folder: tempfile::tempdir().expect("a folder"), known: KnownContents::default() }
    }

    async fn fetch(&self, origin: &Origin) -> Result<Fetched, FetchError> {
        let client = client(limits(), Guard::Anywhere);
        let fetcher = Fetcher {
            client: &client,
            library: &self.library,
            folder: self.folder.path(),
            known: &self.known,
            now: OffsetDateTime::now_utc(),
        };
        let recipe = self.library.recipes().next().expect("a recipe");
        fetcher.fetch(recipe, origin, &|_| {}).await
    }
}

fn contents(fetched: &Fetched) -> BTreeMap<String, Vec<u8>> {
    let read = |path: &Option<std::path::PathBuf>| fs::read(path.as_ref().expect("a path")).expect("a file");
    fetched.files.iter().map(|file| (file.name.to_string(), read(&file.path))).collect()
}

#[tokio::test]
async fn a_recipe_is_obtained_by_its_vendors_signature() {
    let vendor = Vendor::new("vendor@example.org", "0");
    let server = serve(&mirror(&vendor)).await;
    let lab = Lab::new(RECIPE, vendor.key());
    let fetched = lab.fetch(&Origin::Mirror(Some(server.url.clone()))).await.expect("all files");
    assert_eq!(fetched.verified(), Verified::Signature);
    assert_eq!(fetched.warnings, Vec::<String>::new());
    let contents = contents(&fetched);
    assert_eq!((contents["linux"].as_slice(), contents["initrd"].as_slice()), (LINUX, INITRD));
    fetched.finish();
    assert_eq!(fs::read_dir(lab.folder.path()).expect("the folder").count(), 0, "something was left behind");
}

#[tokio::test]
async fn one_changed_byte_anywhere_is_refused() {
    let vendor = Vendor::new("vendor@example.org", "0");
    for (path, at) in [("/dists/test/InRelease", "test"), ("/images/SHA256SUMS", "./linux"), ("/images/linux", "kernel")] {
        let site = mirror(&vendor);
        {
            let mut site = site.lock().expect("a site");
            let content = site.get_mut(path).expect("a file");
            let found = content.windows(at.len()).position(|window| window == at.as_bytes()).expect("the text");
            content[found] ^= 1;
        }
        let server = serve(&site).await;
        let error = Lab::new(RECIPE, vendor.key()).fetch(&Origin::Mirror(Some(server.url.clone()))).await.expect_err(path);
        let right = match path {
            "/dists/test/InRelease" => matches!(error, FetchError::Signature { source: SignatureError::Wrong(_), .. }),
            "/images/SHA256SUMS" => matches!(error, FetchError::ListChanged(..)),
            _ => error.to_string().contains("is not what its vendor published"),
        };
        assert!(right, "{path}: {error}");
    }
}

#[tokio::test]
async fn contents_that_are_stored_already_are_not_downloaded_again() {
    let vendor = Vendor::new("vendor@example.org", "0");
    let server = serve(&mirror(&vendor)).await;
    let mut lab = Lab::new(RECIPE, vendor.key());
    let linux = bootledger_aggregates::values::sha256::Sha256::new(sha2::Sha256::digest(LINUX).into());
    lab.known.contents.insert(linux, LINUX.len() as u64);
    let fetched = lab.fetch(&Origin::Mirror(Some(server.url.clone()))).await.expect("all files");
    assert!(fetched.files.iter().any(|file| file.name.as_str() == "linux" && file.path.is_none()));
    assert!(server.requests("/images/linux").is_empty());
}

#[tokio::test]
async fn a_folder_without_checksums_is_used_unverified_and_reported_as_such() {
    let vendor = Vendor::new("vendor@example.org", "0");
    let lab = Lab::new(RECIPE, vendor.key());
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(folder.path().join("iso/deep")).expect("made");
    fs::write(folder.path().join("iso/deep/linux"), LINUX).expect("written");
    fs::write(folder.path().join("netboot.tar.gz"), tarball()).expect("written");
    let origin = Origin::Folder(folder.path().to_owned(), None);
    let fetched = lab.fetch(&origin).await.expect("all files");
    assert_eq!(fetched.verified(), Verified::None);
    assert!(fetched.warnings[0].contains("accepted unverified"), "{:?}", fetched.warnings);
    assert_eq!(contents(&fetched)["initrd"], INITRD);
    // Its own copy of the mirror's lists verifies it.
    for (path, content) in mirror(&vendor).lock().expect("a site").iter().filter(|(path, _)| !path.ends_with("linux")) {
        let path = folder.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, content).expect("written");
    }
    assert_eq!(lab.fetch(&origin).await.expect("all files").verified(), Verified::Signature);
    fs::write(folder.path().join("iso/deep/linux"), b"another").expect("written");
    assert!(matches!(lab.fetch(&origin).await, Err(FetchError::WrongFile { .. })));
    fs::write(folder.path().join("iso/linux"), LINUX).expect("written");
    assert!(matches!(lab.fetch(&origin).await, Err(FetchError::Several { .. })));
    fs::remove_file(folder.path().join("netboot.tar.gz")).expect("removed");
    fs::remove_file(folder.path().join("images/netboot.tar.gz")).expect("removed");
    fs::remove_file(folder.path().join("iso/linux")).expect("removed");
    let error = lab.fetch(&origin).await.expect_err("a missing file");
    assert!(error.to_string().contains("it was looked for as netboot.tar.gz"), "{error}");
}

#[tokio::test]
async fn a_debian_package_is_a_source_whether_here_or_on_a_server() {
    let vendor = Vendor::new("vendor@example.org", "0");
    let server = serve(&mirror(&vendor)).await;
    let folder = tempfile::tempdir().expect("a folder");
    let tarball = tarball();
    let files: [(&str, &[u8]); 3] =
        [("usr/lib/netboot/text/linux", LINUX), ("usr/lib/netboot/gtk/linux", b"another"), ("usr/lib/netboot.tar.gz", &tarball)];
    let lab = Lab::new(RECIPE, vendor.key());
    for compression in ["xz", "gzip", "none"] {
        let deb = folder.path().join("netboot.deb");
        package(&files, compression, &deb);
        let fetched = lab.fetch(&Origin::Package(deb.clone(), Some(server.url.clone()))).await.expect(compression);
        assert_eq!(fetched.verified(), Verified::Signature);
        assert_eq!(contents(&fetched)["linux"], LINUX);
        drop(fetched);
        let content = fs::read(&deb).expect("the package");
        let site = Server::start(move |request| file(request, &content, "v1")).await;
        let fetched = lab.fetch(&Origin::Site(site.at("/netboot.deb"), None)).await.expect(compression);
        assert_eq!((fetched.verified(), contents(&fetched)["initrd"].as_slice()), (Verified::None, INITRD));
    }
    let zstd = folder.path().join("zstd.deb");
    package(&files, "zstd", &zstd);
    let error = archive::package(&zstd, &["linux".parse().expect("a path")], folder.path(), 1000).expect_err("zstd");
    assert!(error.to_string().contains("dpkg-deb -x"), "{error}");
}

#[tokio::test]
async fn unsigned_checksums_are_accepted_only_over_https() {
    let vendor = Vendor::new("vendor@example.org", "0");
    let server = serve(&mirror(&vendor)).await;
    let recipe = RECIPE
        .replace("    verified_by: { list: release, path: images/SHA256SUMS }\n", "")
        .replace("mirror: http:", "mirror: https:");
    let error = Lab::new(&recipe, vendor.key()).fetch(&Origin::Mirror(Some(server.url.clone()))).await.expect_err("http");
    assert!(matches!(error, FetchError::Unsigned(_)), "{error}");
    let recipe = recipe
        .replace("    checksum: { list: images, path: ./linux }\n", "")
        .replace("list: images, path: ./netboot.tar.gz", &format!("sha256: {}", sha256(&tarball())));
    let error = Lab::new(&recipe, vendor.key()).fetch(&Origin::Mirror(Some(server.url.clone()))).await.expect_err("http");
    assert!(matches!(error, FetchError::Unchecked(_)), "{error}");
}

#[tokio::test]
async fn a_file_that_is_signed_itself_is_verified_by_its_signature() {
    let vendor = Vendor::new("vendor@example.org", "0");
    let site = mirror(&vendor);
    site.lock().expect("a site").insert("/images/linux.sig".to_owned(), vendor.detached(LINUX, false));
    let server = serve(&site).await;
    let signed = r#"{ keys: [vendor.asc], signature: "{mirror}/images/linux.sig" }"#;
    let recipe = RECIPE.replace("{ list: images, path: ./linux }", signed);
    let origin = Origin::Mirror(Some(server.url.clone()));
    assert_eq!(Lab::new(&recipe, vendor.key()).fetch(&origin).await.expect("all files").verified(), Verified::Signature);
    site.lock().expect("a site").insert("/images/linux".to_owned(), b"a kernal".to_vec());
    let error = Lab::new(&recipe, vendor.key()).fetch(&origin).await.expect_err("changed");
    assert!(matches!(error, FetchError::FileSignature { source: SignatureError::Wrong(_), .. }), "{error}");
}

#[test]
fn signatures_of_gnupg_count_only_by_the_right_valid_key() {
    let (vendor, other) = (Vendor::new("vendor@example.org", "0"), Vendor::new("other@example.org", "0"));
    let now = OffsetDateTime::now_utc();
    let mut keys = Keyring::default();
    keys.add("binary", &vendor.key_binary()).expect("a binary key");
    for armor in [true, false] {
        let signature = vendor.detached(LINUX, armor);
        keys.verify_detached(&signature, now, || Ok(LINUX)).expect("signed");
        let changed = keys.verify_detached(&signature, now, || Ok(INITRD)).expect_err("another content");
        assert!(matches!(changed, SignatureError::Wrong(_)), "{changed}");
        let foreign = keys.verify_detached(&other.detached(LINUX, armor), now, || Ok(LINUX)).expect_err("another key");
        assert!(matches!(foreign, SignatureError::OtherKey(_)), "{foreign}");
    }
    let weak = keys.verify_detached(&vendor.weak(LINUX), now, || Ok(LINUX)).expect_err("SHA-1");
    assert!(matches!(weak, SignatureError::Weak(_)), "{weak}");
    let signature = vendor.detached(LINUX, true);
    let mut revoked = Keyring::default();
    revoked.add("revoked", &vendor.revoked()).expect("a key");
    let error = revoked.verify_detached(&signature, now, || Ok(LINUX)).expect_err("revoked");
    assert!(matches!(error, SignatureError::Revoked(_)), "{error}");
}

#[test]
fn an_expired_key_is_refused_by_its_day() {
    let vendor = Vendor::new("vendor@example.org", "1d");
    let mut keys = Keyring::default();
    keys.add("key", &vendor.key()).expect("a key");
    let signature = vendor.detached(LINUX, true);
    let now = OffsetDateTime::now_utc();
    keys.verify_detached(&signature, now, || Ok(LINUX)).expect("today");
    let error = keys.verify_detached(&signature, now + time::Duration::days(2), || Ok(LINUX)).expect_err("later");
    assert!(error.to_string().contains(&format!("expired on {}", (now + time::Duration::days(1)).date())), "{error}");
}

#[test]
fn a_key_from_the_vendors_site_counts_only_by_its_fingerprint() {
    let (vendor, other) = (Vendor::new("vendor@example.org", "0"), Vendor::new("other@example.org", "0"));
    let both = [vendor.key(), other.key()].concat();
    let mut keys = Keyring::default();
    keys.add_only("both", &both, &vendor.fingerprint()).expect("the vendor's");
    assert_eq!(keys.fingerprints(), [vendor.fingerprint().to_lowercase()]);
    assert!(Keyring::default().add_only("other", &other.key(), &vendor.fingerprint()).is_err());
}

#[tokio::test]
async fn the_result_of_an_update_is_known_from_the_lists_alone() {
    let vendor = Vendor::new("vendor@example.org", "0");
    let server = serve(&mirror(&vendor)).await;
    let lab = Lab::new(RECIPE, vendor.key());
    let client = client(limits(), Guard::Anywhere);
    let now = OffsetDateTime::now_utc();
    let fetcher = Fetcher { client: &client, library: &lab.library, folder: lab.folder.path(), known: &lab.known, now };
    let recipe = lab.library.recipes().next().expect("a recipe");
    let mirror: Url = server.url.clone();
    let expected = fetcher.published(recipe, &Origin::Mirror(Some(mirror)), &|_| {}).await.expect("lists");
    let linux = expected[&"linux".parse().expect("a name")].digest.expect("a checksum");
    assert_eq!(linux.to_string(), format!("sha256:{}", sha256(LINUX)));
    assert!(server.requests("/images/linux").is_empty());
}
