//! The user name and password of a management controller, from a secret of the form `user:password`.
//!
//! [`Credentials::for_controller`] is the only way to get them. It first checks that the secret may be sent to the controller,
//! so a connection cannot be opened without that check.

mod redact;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bootledger_aggregates::device::event::Management;
use bootledger_aggregates::secret::{SecretSpec, is_for_boot_files};
use bootledger_aggregates::values::name::Name;
use bootledger_outbound::Guard;
use bootledger_secrets::{Secret, Secrets};
use std::net::IpAddr;

/// The message for all users except administrators if credentials cannot be used. It is the same for a secret that is missing,
/// damaged or not for this controller, so that it does not reveal which secrets exist.
pub const NOT_ALLOWED: &str = "the credentials cannot be used for this management controller: the secret is missing, or it \
    may not be sent to this address, port, protocol and site. Choose another secret, or have an administrator check the scopes under Settings, Secrets";

/// The facts about a controller and a secret that decide whether the secret may be sent, in addition to the controller's
/// settings.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The site of the device.
    pub site: &'a Name,
    /// The current scope of the secret, if it has one.
    pub scope: Option<&'a SecretSpec>,
    /// The other uses of the secret.
    pub used_by: &'a [String],
    /// The policy for outgoing connections.
    pub guard: &'a Guard,
    /// The resolved addresses of the controller's host: those that will be connected to.
    pub addresses: &'a [IpAddr],
}

/// The user name and password for a controller.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub(super) user: String,
    pub(super) password: Secret,
    /// The addresses that the credentials may be sent to.
    pub(super) addresses: Vec<IpAddr>,
}

impl Credentials {
    /// The credentials for a controller, if its address may be connected to and the secret may be sent there.
    ///
    /// # Errors
    /// Returns a sentence if the controller has no credentials, if its address may not be connected to, if the secret has
    /// another use or a scope without this controller, or if the secret cannot be read. The sentence is for administrators and
    /// the log. It says what to do and contains nothing of the secret's content.
    pub fn for_controller(secrets: &Secrets, management: &Management, terms: Terms<'_>) -> Result<Self, String> {
        let address = &management.address;
        let Some(name) = &management.credentials else {
            return Err(format!("the management controller {address} has no credentials; name a secret for it"));
        };
        for address in terms.addresses {
            terms.guard.check(*address).map_err(|refused| refused.to_string())?;
        }
        if is_for_boot_files(name) {
            return Err(format!("the secret {name} is for boot files and is never sent to controllers. Choose another secret"));
        }
        if let [first, ..] = terms.used_by {
            return Err(format!("the secret {name} is used by {first} and is never sent to controllers. Choose another secret"));
        }
        let Some(scope) = terms.scope else {
            return Err(format!(
                "the secret {name} has no scope, so it is not sent to any controller. An administrator can create its scope under \
                 Settings, Secrets, or with PUT /api/v1/secrets/{name}"
            ));
        };
        scope.check(name, terms.site, management, terms.addresses).map_err(|problem| {
            format!("{problem}. Change the controller's settings, or the secret's scope under Settings, Secrets")
        })?;
        Ok(Self { addresses: terms.addresses.to_vec(), ..Self::read(secrets, name)? })
    }

    fn read(secrets: &Secrets, name: &Name) -> Result<Self, String> {
        let secret = secrets.read(name).map_err(|error| error.to_string())?;
        let (user, password) = secret.expose().split_once(':').unwrap_or_default();
        let printable = |text: &str| !text.is_empty() && !text.chars().any(char::is_control);
        if printable(user) && printable(password) {
            Ok(Self { user: user.to_owned(), password: Secret::new(password), addresses: vec![] })
        } else {
            Err(format!("the secret {name} is not of the form user:password on one line, which management controllers need"))
        }
    }

    /// Removes the password from a text of another system, in any form in which it may have been sent back.
    pub(super) fn redact(&self, text: &str) -> String {
        let password = self.password.expose();
        let basic = STANDARD.encode(format!("{}:{password}", self.user));
        redact::redact(&text.replace(&basic, "…"), password)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootledger_aggregates::device::event::ManagementProtocol;
    use bootledger_aggregates::device::management::Access;

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
    fn a_malformed_secret_is_reported_without_its_content() {
        for text in ["sesame", ":sesame", "sesame:", "admin:ses\name"] {
            let message = read(text).expect_err(text);
            assert!(message.contains("secret bmc") && message.contains("user:password") && !message.contains("ses"), "{message}");
        }
    }

    #[test]
    fn the_password_is_removed_from_messages_of_others() {
        let credentials = read("admin:sesame").expect("credentials");
        assert_eq!(credentials.redact("you sent YWRtaW46c2VzYW1l, that is sesame"), "you sent …, that is …");
        let credentials = read("admin:se\"sa/me").expect("credentials");
        assert_eq!(credentials.redact(r#"se"sa/me se\"sa/me se%22sa%2Fme se%22sa%2fme se"sa\/me"#), "… … … … …");
    }

    #[test]
    fn credentials_are_given_only_for_a_controller_that_the_scope_and_the_guard_allow() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["bmc", "boot-root"] {
            std::fs::write(folder.path().join(name), "admin:sesame").expect("a file");
        }
        let secrets = Secrets::new(Some(folder.path().to_owned()));
        let scope = r#"{"networks": ["10.0.9.0/24", "127.0.0.0/8"], "protocols": ["ipmi"], "sites": ["dc1"]}"#;
        let scope: SecretSpec = serde_json::from_str(scope).expect("a scope");
        let guard = Guard::new(vec![], "--outbound-allow");
        let obtain = |address: &str, name: &str, terms: Terms<'_>| {
            let management = Management {
                address: address.parse().expect("an address"),
                protocol: ManagementProtocol::Ipmi,
                credentials: Some(name.parse().expect("a name")),
                access: Access::default(),
            };
            let addresses = [address.parse().expect("an address")];
            Credentials::for_controller(&secrets, &management, Terms { addresses: &addresses, ..terms }).map(drop)
        };
        let site = "dc1".parse().expect("a name");
        let terms = Terms { site: &site, scope: Some(&scope), used_by: &[], guard: &guard, addresses: &[] };
        assert_eq!(obtain("10.0.9.7", "bmc", terms), Ok(()));
        let used = ["webhook chat".to_owned()];
        for (what, words, refused) in [
            ("a foreign address", "may not be sent to the address 10.0.8.7", obtain("10.0.8.7", "bmc", terms)),
            ("no scope", "has no scope", obtain("10.0.9.7", "bmc", Terms { scope: None, ..terms })),
            ("loopback", "127.0.0.1 is a loopback", obtain("127.0.0.1", "bmc", terms)),
            ("boot files", "is for boot files", obtain("10.0.9.7", "boot-root", terms)),
            ("another use", "is used by webhook chat", obtain("10.0.9.7", "bmc", Terms { used_by: &used, ..terms })),
            ("no secret", "there is no secret other", obtain("10.0.9.7", "other", terms)),
        ] {
            let message = refused.expect_err(what);
            assert!(message.contains(words) && !message.contains("sesame"), "{what}: {message}");
        }
    }
}
