//! The first administrator: an access token and a user, created at the first start.

use crate::commands::{CommandService, users};
use crate::config::FirstAdministrator;
use anyhow::{Context as _, Result};
use bootledger_aggregates::actor::SystemActor;
use bootledger_aggregates::token::TokenScope;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ids::TokenId;
use bootledger_aggregates::values::text::Text;
use bootledger_port::{CommandError, Context};
use bootledger_projections::database::cause::Cause;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue;
use bootledger_secrets::Secret;
use bootledger_web::http::auth::password::Password;
use bootledger_web::http::auth::token::{self, Secret as TokenSecret};
use uuid::Uuid;

/// The name of the first user.
pub const NAME: &str = "admin";

/// The credentials that were created, to be shown once.
#[derive(Debug, Default)]
pub struct Made {
    /// The administrator's API token, as text.
    pub token: Option<String>,
    /// The administrator's one-time password.
    pub password: Option<Password>,
}

/// Creates the administrator's token if there is no token, and the user if there is no user. Credentials that are not given are
/// generated and returned. `one_time` is whether a generated password must be changed at the first sign-in.
///
/// # Errors
/// Returns an error if a given token or password cannot be used, if the views do not reach the end of the log in time, or if
/// the token or user cannot be created.
pub async fn ensure(commands: &CommandService, given: FirstAdministrator<'_>, one_time: bool) -> Result<Made> {
    let mut made = Made::default();
    // Views that are behind, such as after a crash in the middle of a large import, need not catch up if they show both.
    if is_any(commands, "token").await? && is_any(commands, "user").await? {
        return Ok(made);
    }
    commands.catch_up().await.map_err(shown)?;
    if !is_any(commands, "token").await? {
        made.token = create_token(commands, given.token).await?;
    }
    if !is_any(commands, "user").await? {
        let password = match given.password {
            Some(given) => Password::chosen(given.expose(), NAME).context("BOOTLEDGER_ADMIN_PASSWORD cannot be used")?,
            None => Password::one_time(),
        };
        let one_time = one_time && given.password.is_none();
        let description = (Text::fitted("Administrator"), Role::Administrator);
        users::create(commands, NAME.parse()?, description, (&password, one_time), by(SystemActor::FirstStart)).await?;
        made.password = given.password.is_none().then_some(password);
    }
    // The administrator may sign in as soon as the credentials are printed, and a sign-in reads the views. Credentials that exist
    // must be printed even if the views are late, because no later start shows them.
    if let Err(error) = commands.catch_up().await {
        tracing::warn!(%error, "the views do not show the first administrator yet; sign in once they do");
    }
    Ok(made)
}

async fn is_any(commands: &CommandService, kind: &str) -> Result<bool> {
    Ok(!catalogue::list(&commands.views, kind, At::Now, None, 1, None).await?.is_empty())
}

async fn create_token(commands: &CommandService, given: Option<&Secret>) -> Result<Option<String>> {
    let (id, secret) = match given {
        Some(given) => token::parse(given.expose()).context(
            "BOOTLEDGER_ADMIN_TOKEN has the form bl_<32 hexadecimal digits>_<64 hexadecimal digits>; choose the digits at random",
        )?,
        None => (TokenId(Uuid::now_v7()), TokenSecret::random()),
    };
    let name = "administrator".parse()?;
    commands
        .create_token(id, name, TokenScope::Administrator, None, secret.sha256(), &by(SystemActor::FirstStart))
        .await
        .map_err(shown)?;
    Ok(given.is_none().then(|| secret.bearer(id)))
}

/// The context of commands that this program issues by itself.
pub fn by(actor: SystemActor) -> Context {
    Context {
        actor: actor.code().to_owned(),
        correlation_id: Uuid::now_v7().to_string(),
        causation_id: None,
        idempotency_key: None,
        level: Role::Administrator,
    }
}

/// A command's error with its cause, for a terminal.
pub fn shown(error: CommandError) -> anyhow::Error {
    match error {
        CommandError::Unavailable(cause) => {
            let why = Cause::in_chain(cause.chain()).unwrap_or(Cause::Unreachable).sentence();
            cause.context(why)
        }
        CommandError::Internal(cause) => cause,
        other => other.into(),
    }
}
