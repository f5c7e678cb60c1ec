//! Command-line options of the OpenID Connect provider.

use bootledger_aggregates::values::name::Name;
use clap::Args;

/// The options of the provider. Without an issuer, users cannot sign in through a provider.
#[derive(Clone, Debug, Default, Args)]
pub struct OpenidArguments {
    /// The URL of an OpenID Connect provider through which users may sign in. Register `BASE_URL/sign-in/openid/callback`
    /// there as the redirect URI.
    #[arg(long, env = "BOOTLEDGER_OPENID_ISSUER", value_name = "URL")]
    pub openid_issuer: Option<String>,
    /// The client ID that the provider has assigned to this service.
    #[arg(long, env = "BOOTLEDGER_OPENID_CLIENT_ID", value_name = "ID")]
    pub openid_client_id: Option<String>,
    /// The name of the secret that holds the client secret issued by the provider, in the folder of secrets.
    #[arg(long, env = "BOOTLEDGER_OPENID_CLIENT_SECRET", value_name = "NAME")]
    pub openid_client_secret: Option<Name>,
    /// The scopes that are requested in addition to `openid`.
    #[arg(long, env = "BOOTLEDGER_OPENID_SCOPE", value_delimiter = ',', default_value = "profile", value_name = "SCOPE")]
    pub openid_scope: Vec<String>,
    /// The claim that holds the user's name, as a path if it is nested.
    #[arg(long, env = "BOOTLEDGER_OPENID_NAME_CLAIM", default_value = "preferred_username", value_name = "CLAIM")]
    pub openid_name_claim: String,
    /// The claim that holds the user's role, as a path if it is nested, such as `realm_access.roles`.
    #[arg(long, env = "BOOTLEDGER_OPENID_ROLE_CLAIM", default_value = "groups", value_name = "CLAIM")]
    pub openid_role_claim: String,
    /// A value of the role claim and the role that it grants, such as `dc-ops=operator`; may be repeated. A user without any of
    /// these values cannot sign in.
    #[arg(long, env = "BOOTLEDGER_OPENID_ROLE", value_delimiter = ';', value_name = "VALUE=ROLE")]
    pub openid_role: Vec<String>,
}
