//! Secrets by name: each is a file in a folder, or an environment variable.
//!
//! Configuration that needs a secret, such as the key of a DNS primary or the credentials of a management controller, contains
//! the secret's name. Only the name is in events, pages and logs. The secret is read when it is used, so that a new one needs
//! no restart.

use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::setting::{BOOT_SECRET_PREFIX, SettingText};
use std::path::PathBuf;
use std::sync::Arc;

/// The maximum size of a secret, in bytes.
const LARGEST: u64 = 64 * 1024;

/// A secret, which is never displayed.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Creates a secret with this text.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text of the secret.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl std::str::FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

/// Why a secret cannot be read. The message says what to do, and contains nothing of the secret's content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSecret {
    /// There is neither a file nor a variable for the secret.
    #[error("there is no secret {name}: put a file {name} into the secrets folder (--secrets-dir), or set {variable}")]
    Missing {
        /// The name of the secret.
        name: Name,
        /// The environment variable that could hold the secret.
        variable: String,
    },
    /// The secret's file exists but cannot be used.
    #[error("the file of secret {name} cannot be used: {problem}")]
    Unusable {
        /// The name of the secret.
        name: Name,
        /// The problem with the file.
        problem: String,
    },
}

/// The source of secrets. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    folder: Option<Arc<PathBuf>>,
}

impl Secrets {
    /// Secrets in this folder and in the environment.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self { folder: folder.map(Arc::new) }
    }

    /// Reads a secret from its file, otherwise from its variable, without surrounding white space.
    ///
    /// # Errors
    /// Returns an error if there is no such secret, or if it is empty, too large, or not UTF-8.
    pub fn read(&self, name: &Name) -> Result<Secret, NoSecret> {
        let unusable = |problem: &str| NoSecret::Unusable { name: name.clone(), problem: problem.to_owned() };
        let usable = |text: &str| match text.trim() {
            "" => Err(unusable("it is empty")),
            text => Ok(Secret::new(text)),
        };
        if let Some(folder) = &self.folder {
            // A name contains no slash and begins with a letter or digit, so the file is in the folder.
            let file = folder.join(name.as_str());
            match std::fs::metadata(&file) {
                Ok(found) if !found.is_file() => return Err(unusable("it is not a file")),
                Ok(found) if found.len() > LARGEST => return Err(unusable("it is larger than 64 KiB")),
                Ok(_) => {
                    let text = std::fs::read_to_string(&file).map_err(|error| unusable(&error.to_string()))?;
                    return usable(&text);
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(unusable(&error.to_string())),
            }
        }
        let variable = variable(name);
        match std::env::var(&variable) {
            Ok(text) => usable(&text),
            Err(std::env::VarError::NotUnicode(_)) => Err(unusable("its variable is not UTF-8")),
            Err(std::env::VarError::NotPresent) => Err(NoSecret::Missing { name: name.clone(), variable }),
        }
    }

    /// Reads a secret for a boot file. No other secret is ever rendered into one.
    ///
    /// # Errors
    /// Returns an error if the name is not that of a secret for boot files, the secret cannot be read, or it has several lines:
    /// a line break would change the meaning of the file that it is written into.
    pub fn read_for_boot(&self, name: &Name) -> Result<Secret, NoSecret> {
        let unusable = |problem: &str| NoSecret::Unusable { name: name.clone(), problem: problem.to_owned() };
        if !name.as_str().starts_with(BOOT_SECRET_PREFIX) {
            return Err(unusable(&format!("its name does not begin with {BOOT_SECRET_PREFIX}, so it is not for boot files")));
        }
        let secret = self.read(name)?;
        match secret.expose().parse::<SettingText>() {
            Ok(_) => Ok(secret),
            Err(_) => Err(unusable("a secret for boot files is one line of at most 4096 characters without control characters")),
        }
    }

    /// The problem with a secret, if any, as a message.
    pub fn problem(&self, name: &Name) -> Option<String> {
        let for_boot = name.as_str().starts_with(BOOT_SECRET_PREFIX);
        let read = if for_boot { self.read_for_boot(name) } else { self.read(name) };
        read.err().map(|error| error.to_string())
    }
}

/// The variable that may hold a secret: `BOOTLEDGER_SECRET_BMC_DC1` for `bmc-dc1`.
fn variable(name: &Name) -> String {
    format!("BOOTLEDGER_SECRET_{}", name.as_str().to_ascii_uppercase().replace(['.', '-'], "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().expect(text)
    }

    #[test]
    fn a_secret_is_its_file_without_white_space_around_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let secrets = Secrets::new(Some(folder.path().to_owned()));
        std::fs::write(folder.path().join("bmc"), "admin:pass word\n").expect("a file");
        assert_eq!(secrets.read(&name("bmc")).expect("a secret").expose(), "admin:pass word");
        std::fs::write(folder.path().join("bmc"), "new\n").expect("a file");
        assert_eq!(secrets.read(&name("bmc")).expect("a secret").expose(), "new", "it is read again");
    }

    #[test]
    fn a_secret_for_boot_files_has_their_prefix_and_is_one_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let secrets = Secrets::new(Some(folder.path().to_owned()));
        for (name, text) in [("boot-root", "$6$salt$hash\n"), ("bmc", "admin:pass"), ("boot-key", "line 1\nline 2\n")] {
            std::fs::write(folder.path().join(name), text).expect("a file");
        }
        assert_eq!(secrets.read_for_boot(&name("boot-root")).expect("a secret").expose(), "$6$salt$hash");
        for refused in ["bmc", "boot-key", "boot-none"] {
            let problem = secrets.read_for_boot(&name(refused)).expect_err(refused).to_string();
            assert!(!problem.contains("pass") && !problem.contains("line 1"), "{problem}");
        }
        assert_eq!(secrets.problem(&name("bmc")), None, "it is good for what it is for");
        assert!(secrets.problem(&name("boot-key")).is_some());
    }

    #[test]
    fn an_unusable_secret_is_reported_without_its_content() {
        let folder = tempfile::tempdir().expect("a folder");
        let secrets = Secrets::new(Some(folder.path().to_owned()));
        let message = |text: &str| secrets.problem(&name(text)).expect("a problem");
        assert_eq!(
            message("bmc-dc1"),
            "there is no secret bmc-dc1: put a file bmc-dc1 into the secrets folder (--secrets-dir), or set \
             BOOTLEDGER_SECRET_BMC_DC1"
        );
        std::fs::write(folder.path().join("empty"), " \n").expect("a file");
        assert!(message("empty").ends_with("it is empty"));
        std::fs::write(folder.path().join("bytes"), b"hush\xff").expect("a file");
        assert!(!message("bytes").contains("hush"));
        std::fs::create_dir(folder.path().join("folder")).expect("a folder");
        assert!(message("folder").ends_with("it is not a file"));
        std::fs::write(folder.path().join("large"), vec![b'a'; 65 * 1024]).expect("a file");
        assert!(message("large").ends_with("larger than 64 KiB"));
        assert!(Secrets::default().problem(&name("bmc")).is_some(), "without a folder there is only the environment");
        assert_eq!(format!("{:?}", Secret::new("hush")), "Secret(…)");
    }
}
