//! Sign-in through an OpenID Connect provider: the authorization code flow with PKCE, state and nonce.
//!
//! The provider's metadata is fetched (discovery) at every sign-in: sign-ins are rare, and keys that the provider has replaced
//! take effect at once.

mod claims;
mod roles;
mod settings;
#[cfg(test)]
mod tests;

pub use settings::OpenidArguments;

use anyhow::{Context, Result, anyhow, ensure};
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bootledger_aggregates::user::Link;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_secrets::{Secret, Secrets};
use bootledger_web::http::provider::{Begun, Identity, IdentityProvider, Pending, ProviderError};
use futures::future::BoxFuture;
use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreTokenResponse};
use openidconnect::{
    AsyncHttpClient, AuthorizationCode, ClientId, ClientSecret, CsrfToken, DiscoveryError, HttpRequest, HttpResponse, IssuerUrl,
    Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, TokenResponse,
};
use reqwest::{Client, redirect};
use roles::Roles;
use serde_json::{Map, Value};
use std::time::Duration;

/// How long each response of the provider may take.
const LIMIT: Duration = Duration::from_secs(10);
/// The maximum size of a response, in bytes.
const LARGEST: usize = 1024 * 1024;

/// The accepted signature algorithms of ID tokens: those with a private key. Most providers use RS256; Kanidm and others use
/// ES256 and `EdDSA`.
const SIGNATURES: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// An OpenID Connect provider.
pub struct Provider {
    issuer: IssuerUrl,
    label: String,
    client_id: ClientId,
    /// The name of the secret that holds the client secret, if there is one.
    client_secret: Option<Name>,
    redirect: RedirectUrl,
    scopes: Vec<Scope>,
    name_claim: String,
    roles: Roles,
    secrets: Secrets,
    http: Http,
}

/// The HTTP client for the provider. It follows no redirects, so it reaches only the provider.
#[derive(Clone)]
struct Http(Client);

/// Why a request to the provider failed.
#[derive(Debug, thiserror::Error)]
enum HttpError {
    #[error("{0}")]
    Request(#[from] reqwest::Error),
    #[error("{0}")]
    Answer(#[from] openidconnect::http::Error),
    #[error("the response is larger than 1 MiB")]
    Large,
}

impl Http {
    async fn send_to_provider(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let mut answer = self.0.execute(request.try_into()?).await?;
        let mut response = openidconnect::http::Response::builder().status(answer.status());
        for (name, value) in answer.headers() {
            response = response.header(name, value);
        }
        let mut body = vec![];
        while let Some(chunk) = answer.chunk().await? {
            if body.len() + chunk.len() > LARGEST {
                return Err(HttpError::Large);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(response.body(body)?)
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = BoxFuture<'c, Result<HttpResponse, HttpError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send_to_provider(request))
    }
}

impl Provider {
    /// The provider that the arguments name, if any.
    ///
    /// # Errors
    /// Returns an error if the arguments are inconsistent or name an unsafe address.
    pub fn of(arguments: &OpenidArguments, base_url: &str, secrets: Secrets) -> Result<Option<Self>> {
        let Some(issuer) = &arguments.openid_issuer else {
            ensure!(arguments.openid_client_id.is_none(), "--openid-client-id requires --openid-issuer");
            return Ok(None);
        };
        let issuer = IssuerUrl::new(issuer.clone()).context("--openid-issuer is not a URL")?;
        let host = issuer.url().host_str().context("--openid-issuer has no host")?.to_owned();
        let loopback =
            host == "localhost" || host.trim_matches(['[', ']']).parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        let scheme = issuer.url().scheme();
        ensure!(
            scheme == "https" || scheme == "http" && loopback,
            "--openid-issuer must be an https:// URL; http:// is allowed only for an address of this machine"
        );
        // These paths serve all tenants: each token names its own tenant as the issuer, so that anyone from any company could
        // sign in.
        let shared = ["/common/", "/organizations/", "/consumers/"].iter().any(|path| issuer.url().path().starts_with(path));
        ensure!(
            !(shared && host.starts_with("login.microsoftonline.")),
            "--openid-issuer {} is the address for all tenants of Entra ID. Use your own tenant: https://{host}/TENANT-ID/v2.0",
            issuer.as_str()
        );
        let client_id = arguments.openid_client_id.clone().context("--openid-issuer needs --openid-client-id")?;
        let roles = Roles::new(arguments.openid_role_claim.clone(), &arguments.openid_role)?;
        let callback = format!("{}{}", base_url.trim_end_matches('/'), bootledger_web::http::auth::openid::CALLBACK);
        let http = Client::builder()
            .timeout(LIMIT)
            .redirect(redirect::Policy::none())
            .user_agent(concat!("bootledger/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Some(Self {
            label: host,
            issuer,
            client_id: ClientId::new(client_id),
            client_secret: arguments.openid_client_secret.clone(),
            redirect: RedirectUrl::new(callback).context("the base URL cannot be used for the redirect")?,
            scopes: arguments.openid_scope.iter().cloned().map(Scope::new).collect(),
            name_claim: arguments.openid_name_claim.clone(),
            roles,
            secrets,
            http: Http(http),
        }))
    }

    async fn discover(&self) -> Result<(CoreProviderMetadata, Option<ClientSecret>)> {
        let metadata = match CoreProviderMetadata::discover_async(self.issuer.clone(), &self.http).await {
            // Providers differ in whether the issuer ends with a slash. The metadata is at the same URL in both cases.
            Err(DiscoveryError::Validation(why)) => {
                let found = CoreProviderMetadata::discover_async(other_spelling(&self.issuer)?, &self.http).await;
                found.map_err(|_| anyhow!("{why}; --openid-issuer must be the issuer that the provider states"))?
            }
            found => found?,
        };
        let secret = self.client_secret.as_ref().map(|name| self.secrets.read(name)).transpose()?;
        Ok((metadata, secret.map(|secret: Secret| ClientSecret::new(secret.expose().to_owned()))))
    }

    async fn begin_at_provider(&self) -> Result<Begun> {
        let (metadata, secret) = self.discover().await?;
        let client = CoreClient::from_provider_metadata(metadata, self.client_id.clone(), secret);
        let client = client.set_redirect_uri(self.redirect.clone());
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (url, state, nonce) = client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
            .add_scopes(self.scopes.iter().cloned())
            .set_pkce_challenge(challenge)
            .url();
        let pending =
            Pending { state: state.secret().clone(), nonce: nonce.secret().clone(), verifier: verifier.secret().clone() };
        Ok(Begun { url: url.to_string(), pending })
    }

    /// The provider's claims about the user: those of the ID token, whose signature, issuer, audience, time and nonce were
    /// checked, and those of the userinfo endpoint.
    async fn claims(&self, code: String, pending: &Pending) -> Result<Claims, ProviderError> {
        let unreachable = |error: anyhow::Error| ProviderError::Unreachable(self.label.clone(), error);
        let untrusted = |error: anyhow::Error| ProviderError::Untrusted(self.label.clone(), error);
        let (metadata, secret) = self.discover().await.map_err(unreachable)?;
        let userinfo = metadata.userinfo_endpoint().map(|endpoint| endpoint.url().to_string());
        let client = CoreClient::from_provider_metadata(metadata, self.client_id.clone(), secret);
        let client = client.set_redirect_uri(self.redirect.clone());
        let exchange = client.exchange_code(AuthorizationCode::new(code)).map_err(|error| unreachable(error.into()))?;
        let exchange = exchange.set_pkce_verifier(PkceCodeVerifier::new(pending.verifier.clone()));
        let token: CoreTokenResponse =
            exchange.request_async(&self.http).await.map_err(|error| untrusted(anyhow!("{error}: {error:?}")))?;
        let id_token = token.id_token().ok_or_else(|| untrusted(anyhow!("the provider sent no ID token")))?;
        let nonce = Nonce::new(pending.nonce.clone());
        // Only signatures that the provider alone can make, with a key that it publishes: not `none`, and not HMAC with the
        // client secret.
        let verifier = client.id_token_verifier().set_allowed_algs(SIGNATURES);
        let verifier = verifier.set_other_audience_verifier_fn(|_| true);
        let checked = id_token.claims(&verifier, &nonce).map_err(|error| untrusted(error.into()))?;
        let subject = checked.subject().to_string();
        let mut claims = payload(&id_token.to_string()).map_err(untrusted)?;
        claims::is_for(&claims, self.client_id.as_str()).map_err(|why| untrusted(anyhow!(why)))?;
        if let Some(endpoint) = userinfo.filter(|_| !self.is_enough(&claims)) {
            let message = self.userinfo(&endpoint, token.access_token().secret()).await.map_err(unreachable)?;
            if message.get("sub").and_then(Value::as_str) != Some(&subject) {
                return Err(untrusted(anyhow!("the user info belongs to a different subject than the ID token")));
            }
            for (name, value) in message {
                claims.entry(name).or_insert(value);
            }
        }
        Ok(Claims { subject, claims })
    }

    fn is_enough(&self, said: &Map<String, Value>) -> bool {
        let has = |claim: &str| claims::find(said, claim).is_some();
        // An e-mail address needs the claim that says whether it is verified.
        let verified = self.name_claim != "email" || said.contains_key("email_verified");
        has(&self.name_claim) && has(self.roles.claim()) && verified
    }

    async fn userinfo(&self, endpoint: &str, access_token: &str) -> Result<Map<String, Value>> {
        let request = self.http.0.get(endpoint).bearer_auth(access_token).build()?;
        let request = openidconnect::http::Request::builder()
            .uri(request.url().as_str())
            .header("authorization", request.headers().get("authorization").context("no header")?)
            .header("accept", "application/json")
            .body(vec![])?;
        let answer = self.http.send_to_provider(request).await?;
        ensure!(answer.status().is_success(), "its userinfo endpoint responded with {}", answer.status());
        let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if kind.to_ascii_lowercase().starts_with("application/jwt") {
            // The response came over the connection to the provider itself, which is as reliable as the signature (OpenID
            // Connect Core, 3.1.3.7, states this for the ID token).
            let token = std::str::from_utf8(answer.body())?.trim();
            ensure!(
                token.split('.').count() == 3,
                "its userinfo endpoint encrypts its responses; configure it to only sign them, or to return JSON"
            );
            return payload(token);
        }
        Ok(serde_json::from_slice(answer.body())?)
    }
}

/// The known claims about a user.
struct Claims {
    subject: String,
    claims: Map<String, Value>,
}

impl Claims {
    fn text(&self, name: &str) -> Option<&str> {
        claims::find(&self.claims, name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
    }
}

impl Claims {
    /// The full name of a user whose provider sends it in parts.
    fn full_name(&self) -> String {
        let parts = ["given_name", "family_name"].into_iter().filter_map(|part| self.text(part));
        parts.collect::<Vec<_>>().join(" ")
    }
}

/// The issuer with a final slash, or without it if it has one.
fn other_spelling(issuer: &IssuerUrl) -> Result<IssuerUrl> {
    let other = match issuer.as_str().strip_suffix('/') {
        Some(without) => without.to_owned(),
        None => format!("{}/", issuer.as_str()),
    };
    Ok(IssuerUrl::new(other)?)
}

/// The claims of an ID token that was checked.
fn payload(token: &str) -> Result<Map<String, Value>> {
    let payload = token.split('.').nth(1).context("an ID token has three parts")?;
    Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload)?)?)
}

#[async_trait]
impl IdentityProvider for Provider {
    fn label(&self) -> &str {
        &self.label
    }

    async fn begin(&self) -> Result<Begun, ProviderError> {
        self.begin_at_provider().await.map_err(|error| ProviderError::Unreachable(self.label.clone(), error))
    }

    async fn finish(&self, code: String, pending: &Pending) -> Result<Identity, ProviderError> {
        let said = self.claims(code, pending).await?;
        let name = said.text(&self.name_claim).ok_or_else(|| {
            ProviderError::Missing(format!(
                "the provider {} does not send the claim {claim} as a text; it sends {}. Have it send {claim}, or name another claim \
                 with --openid-name-claim, such as email with --openid-scope profile,email",
                self.label,
                claims::names(&said.claims),
                claim = self.name_claim
            ))
        })?;
        if claims::is_unverified(&said.claims, &self.name_claim) {
            return Err(ProviderError::Missing(format!(
                "the provider {} does not say that your email address is verified (claim email_verified), so Bootledger does not use it as \
                 your user name. Verify the address there, or name another claim with --openid-name-claim",
                self.label
            )));
        }
        let fitting = |text: &str| {
            let missing = |_| ProviderError::Missing(format!("the user name that the provider {} sends is too long", self.label));
            text.parse::<Text>().map_err(missing)
        };
        Ok(Identity {
            name: name.to_owned(),
            display_name: said.text("name").map_or_else(|| said.full_name(), str::to_owned),
            role: self.roles.of(&said.claims),
            link: Link { issuer: fitting(self.issuer.as_str())?, subject: fitting(&said.subject)? },
        })
    }
}
