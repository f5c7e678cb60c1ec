//! User and password of a management controller, out of a secret of the form `user:password`.

use crate::secrets::{Secret, Secrets};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bootledger_aggregates::values::name::Name;

/// Whom a controller knows us as.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    pub(super) user: String,
    pub(super) password: Secret,
}

impl Credentials {
    /// Reads them; `Err` is a sentence that says what to do, and nothing of their content.
    pub(crate) fn read(secrets: &Secrets, name: &Name) -> Result<Self, String> {
        let secret = secrets.read(name).map_err(|error| error.to_string())?;
        let (user, password) = secret.expose().split_once(':').unwrap_or_default();
        let printable = |text: &str| !text.is_empty() && !text.chars().any(char::is_control);
        if printable(user) && printable(password) {
            Ok(Self { user: user.to_owned(), password: Secret::new(password) })
        } else {
            Err(format!("the secret {name} is not of the form user:password on one line, which management controllers need"))
        }
    }

    /// A text of somebody else without the password, in whatever form it might have been sent back.
    pub(super) fn redact(&self, text: &str) -> String {
        let password = self.password.expose();
        let basic = STANDARD.encode(format!("{}:{password}", self.user));
        text.replace(&basic, "…").replace(password, "…")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Credentials, String> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("bmc"), text).expect("a file");
        Credentials::read(&Secrets::new(Some(folder.path().to_owned())), &"bmc".parse().expect("a name"))
    }

    #[test]
    fn a_secret_is_split_at_its_first_colon() {
        let credentials = read("admin:pass:word\n").expect("credentials");
        assert_eq!((credentials.user.as_str(), credentials.password.expose()), ("admin", "pass:word"));
        assert!(!format!("{credentials:?}").contains("pass:word"));
    }

    #[test]
    fn what_has_another_form_is_told_without_its_content() {
        for text in ["sesame", ":sesame", "sesame:", "admin:ses\name"] {
            let told = read(text).expect_err(text);
            assert!(told.contains("secret bmc") && told.contains("user:password") && !told.contains("ses"), "{told}");
        }
    }

    #[test]
    fn the_password_is_taken_out_of_what_others_say() {
        let credentials = read("admin:sesame").expect("credentials");
        assert_eq!(credentials.redact("you sent YWRtaW46c2VzYW1l, that is sesame"), "you sent …, that is …");
    }
}
