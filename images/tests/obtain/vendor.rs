//! A vendor of the tests' own: it signs with a real GnuPG, and publishes what vendors publish.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A vendor's secret keys, in a home of their own.
pub(crate) struct Vendor {
    home: TempDir,
    name: &'static str,
}

impl Vendor {
    /// A vendor whose key expires after `expires`, such as `0` or `seconds=1`.
    pub(crate) fn new(name: &'static str, expires: &str) -> Self {
        // GnuPG's socket needs a short path.
        let home = tempfile::Builder::new().prefix("gpg").tempdir_in("/tmp").expect("a folder");
        let vendor = Self { home, name };
        vendor.gpg(&["--quick-generate-key", name, "ed25519", "sign", expires], &[]);
        vendor
    }

    /// Runs GnuPG (Debian: gnupg).
    fn gpg(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        use std::io::Write;
        let mut child = Command::new("gpg")
            .args(["--homedir", self.home.path().to_str().expect("a path"), "--batch", "--yes", "--pinentry-mode", "loopback"])
            .args(["--passphrase", "", "--local-user", self.name])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("gpg: install Debian's package gnupg");
        child.stdin.take().expect("a pipe").write_all(input).expect("written");
        let output = child.wait_with_output().expect("gpg");
        assert!(output.status.success(), "gpg {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// The public key, armored.
    pub(crate) fn key(&self) -> Vec<u8> {
        self.gpg(&["--armor", "--export"], &[])
    }

    /// The same in binary.
    pub(crate) fn key_binary(&self) -> Vec<u8> {
        self.gpg(&["--export"], &[])
    }

    /// The fingerprint of the key.
    pub(crate) fn fingerprint(&self) -> String {
        let listed = String::from_utf8(self.gpg(&["--with-colons", "--list-keys"], &[])).expect("text");
        let line = listed.lines().find(|line| line.starts_with("fpr:")).expect("a fingerprint");
        line.split(':').nth(9).expect("a field").to_owned()
    }

    pub(crate) fn inline(&self, text: &str) -> Vec<u8> {
        self.gpg(&["--clearsign"], text.as_bytes())
    }

    pub(crate) fn detached(&self, content: &[u8], armor: bool) -> Vec<u8> {
        let arguments: &[&str] = if armor { &["--armor", "--detach-sign"] } else { &["--detach-sign"] };
        self.gpg(arguments, content)
    }

    pub(crate) fn weak(&self, content: &[u8]) -> Vec<u8> {
        self.gpg(&["--digest-algo", "SHA1", "--allow-weak-digest-algos", "--detach-sign"], content)
    }

    /// The public key after its owner has revoked it.
    pub(crate) fn revoked(&self) -> Vec<u8> {
        let folder = self.home.path().join("openpgp-revocs.d");
        let file = fs::read_dir(folder).expect("revocations").next().expect("one").expect("a file").path();
        // GnuPG puts a colon before it, so that it is not imported by accident.
        let text = fs::read_to_string(file).expect("text").replace(":-----BEGIN", "-----BEGIN");
        self.gpg(&["--import"], text.as_bytes());
        self.key()
    }
}

impl Drop for Vendor {
    fn drop(&mut self) {
        drop(
            Command::new("gpgconf")
                .args(["--homedir", self.home.path().to_str().unwrap_or("/nonexistent"), "--kill", "all"])
                .status(),
        );
    }
}

/// A Debian package with these files, built by dpkg-deb.
pub(crate) fn package(files: &[(&str, &[u8])], compression: &str, to: &Path) {
    let root = tempfile::tempdir().expect("a folder");
    let control =
        "Package: netboot-test\nVersion: 1\nArchitecture: all\nMaintainer: Test <test@example.org>\nDescription: test\n";
    fs::create_dir_all(root.path().join("DEBIAN")).expect("made");
    fs::write(root.path().join("DEBIAN/control"), control).expect("written");
    for (path, content) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, content).expect("written");
    }
    let built = Command::new("dpkg-deb")
        .args(["--root-owner-group", &format!("-Z{compression}"), "--build"])
        .arg(root.path())
        .arg(to)
        .output()
        .expect("dpkg-deb");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
}
