//! The arguments that name an `OpenID` Connect provider.

use bootledger_aggregates::values::name::Name;
use clap::Args;

/// The provider. Without an issuer there is none.
#[derive(Clone, Debug, Default, Args)]
pub struct OpenidArguments {
    /// The URL of an `OpenID` Connect provider through which people may sign in. It is to send them back to
    /// `BASE_URL/sign-in/openid/callback`.
    #[arg(long, env = "BOOTLEDGER_OPENID_ISSUER", value_name = "URL")]
    pub openid_issuer: Option<String>,
    /// What the provider knows this service as.
    #[arg(long, env = "BOOTLEDGER_OPENID_CLIENT_ID", value_name = "ID")]
    pub openid_client_id: Option<String>,
    /// The name of the secret that the provider has given this service, in the folder of secrets.
    #[arg(long, env = "BOOTLEDGER_OPENID_CLIENT_SECRET", value_name = "NAME")]
    pub openid_client_secret: Option<Name>,
    /// What is asked for beside `openid`.
    #[arg(long, env = "BOOTLEDGER_OPENID_SCOPE", value_delimiter = ',', default_value = "profile", value_name = "SCOPE")]
    pub openid_scope: Vec<String>,
    /// The claim that is the user's name; the path to it where it is within another one.
    #[arg(long, env = "BOOTLEDGER_OPENID_NAME_CLAIM", default_value = "preferred_username", value_name = "CLAIM")]
    pub openid_name_claim: String,
    /// The claim that says which role; the path to it where it is within another one, such as `realm_access.roles`.
    #[arg(long, env = "BOOTLEDGER_OPENID_ROLE_CLAIM", default_value = "groups", value_name = "CLAIM")]
    pub openid_role_claim: String,
    /// A value of that claim and the role that it gives, such as `dc-ops=operator`; may be repeated. Whoever has none is
    /// refused.
    #[arg(long, env = "BOOTLEDGER_OPENID_ROLE", value_delimiter = ';', value_name = "VALUE=ROLE")]
    pub openid_role: Vec<String>,
}
