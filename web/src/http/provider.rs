//! The interface to an OpenID Connect provider. The root package implements it, because only the root package can
//! reach the provider.

use async_trait::async_trait;
use bootledger_aggregates::user::{Link, Role};
use serde::{Deserialize, Serialize};

/// The state that is kept of a sign-in until the browser returns from the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The value that the provider returns with the browser (`state`).
    pub state: String,
    /// The value that the provider includes in the ID token (`nonce`).
    pub nonce: String,
    /// The secret that proves to the provider that the code is redeemed by the client that requested it (PKCE, RFC 7636).
    pub verifier: String,
}

/// A sign-in that has begun.
#[derive(Clone, Debug)]
pub struct Begun {
    /// The URL to redirect the browser to.
    pub url: String,
    /// The state to keep until the browser returns.
    pub pending: Pending,
}

/// The user that the provider has authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user's name at the provider.
    pub name: String,
    /// The name that pages show for the user.
    pub display_name: String,
    /// The user's role; or why none of the provider's claims gives a role, for the user and the operator of the service.
    pub role: Result<Role, String>,
    /// The user's identity at the provider.
    pub link: Link,
}

/// The reasons why a sign-in through the provider fails.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The provider does not answer, or not correctly; for the user, and for the log.
    #[error("the provider {0} is not available; try again, or sign in with a password")]
    Unreachable(String, #[source] anyhow::Error),
    /// The provider's answer is not valid; for the user, and for the log.
    #[error("the response of the provider {0} failed verification, so you are not signed in; try again")]
    Untrusted(String, #[source] anyhow::Error),
    /// The provider's answer lacks a value.
    #[error("{0}")]
    Missing(String),
}

/// An OpenID Connect provider.
#[async_trait]
pub trait IdentityProvider: Send + Sync {
    /// The name that users see: the provider's host.
    fn label(&self) -> &str;

    /// Begins a sign-in.
    ///
    /// # Errors
    /// Returns [`ProviderError::Unreachable`] if the provider's configuration or the client's secret cannot be read.
    async fn begin(&self) -> Result<Begun, ProviderError>;

    /// Redeems the code with which a user returned, and returns the user's identity.
    ///
    /// # Errors
    /// See [`ProviderError`].
    async fn finish(&self, code: String, pending: &Pending) -> Result<Identity, ProviderError>;
}
