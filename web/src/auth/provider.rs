//! What HTTP may ask of an `OpenID` Connect provider. The root package answers, which has the means to reach it.

use async_trait::async_trait;
use bootledger_aggregates::user::{Link, Role};
use serde::{Deserialize, Serialize};

/// What is kept of a sign-in until the browser comes back from the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// What the provider gives back with the browser.
    pub state: String,
    /// What the provider puts into what it says of the person.
    pub nonce: String,
    /// What proves to the provider that the code is fetched by whoever asked for it (PKCE, RFC 7636).
    pub verifier: String,
}

/// A sign-in that began.
#[derive(Clone, Debug)]
pub struct Begun {
    /// Where the browser goes.
    pub url: String,
    /// What is kept of it.
    pub pending: Pending,
}

/// Whom the provider vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// What the provider calls the person.
    pub name: String,
    /// The person's name.
    pub display_name: String,
    /// What the person may do, or why nothing that the provider says gives a role: for the person and whoever runs it.
    pub role: Result<Role, String>,
    /// Who the person is to the provider.
    pub link: Link,
}

/// Why nobody is vouched for.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// It does not answer, or not as it should; for a person, and for the log.
    #[error("the provider {0} cannot be asked; try again, or sign in with a password")]
    Unreachable(String, #[source] anyhow::Error),
    /// What it says does not count; for a person, and for the log.
    #[error("what the provider {0} says of you cannot be trusted, so you are not signed in; try again")]
    Untrusted(String, #[source] anyhow::Error),
    /// It says too little.
    #[error("{0}")]
    Missing(String),
}

/// An `OpenID` Connect provider.
#[async_trait]
pub trait IdentityProvider: Send + Sync {
    /// What people call it: its host.
    fn label(&self) -> &str;

    /// Begins a sign-in.
    async fn begin(&self) -> Result<Begun, ProviderError>;

    /// Fetches what the provider says of whoever came back with this code.
    async fn finish(&self, code: String, pending: &Pending) -> Result<Identity, ProviderError>;
}
