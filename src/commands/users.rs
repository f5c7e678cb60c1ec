//! User accounts outside the domain: users with passwords.

use crate::commands::CommandService;
use crate::commands::administrator::shown;
use anyhow::Result;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ids::PasswordId;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::user_name::UserName;
use bootledger_port::{AccountAction, Command, Commands, Context, NewPassword};
use bootledger_web::http::auth::password::Password;
use uuid::Uuid;

/// Hashes a password. Returns the hash with a new id, in the form that a command takes.
///
/// # Errors
/// Returns an error if the password is not hashed in time.
pub async fn new_password(password: &Password, one_time: bool) -> Result<NewPassword> {
    Ok(NewPassword { id: PasswordId(Uuid::now_v7()), hash: password.hash().await?, one_time })
}

/// Creates a user with a password.
///
/// # Errors
/// Returns an error if the password is not hashed in time, if a rule refuses the user, for example because the name is in use,
/// or if the database fails.
pub async fn create(
    commands: &CommandService,
    name: UserName,
    (display_name, role): (Text, Role),
    (password, one_time): (&Password, bool),
    context: Context,
) -> Result<()> {
    let password = Some(new_password(password, one_time).await?);
    let command = Command::Account(AccountAction::CreateUser { name, display_name, role, password });
    commands.execute(command, context).await.map_err(shown).map(drop)
}
