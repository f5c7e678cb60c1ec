//! User accounts outside the domain: the `user` subcommand, and the worker that ends expired sessions.

pub mod command;
mod sweeper;

pub use sweeper::Sweeper;

use crate::administrator::shown;
use crate::ledger::Ledger;
use anyhow::Result;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ids::PasswordId;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::user_name::UserName;
use bootledger_web::auth::password::Password;
use bootledger_web::commands::{Command, Commands, Context, NewPassword};
use uuid::Uuid;

/// Hashes a password. Returns the hash with a new id, in the form that a command takes.
pub async fn new_password(password: &Password, one_time: bool) -> Result<NewPassword> {
    Ok(NewPassword { id: PasswordId(Uuid::now_v7()), hash: password.hash().await?, one_time })
}

/// Creates a user with a password.
pub async fn create(
    ledger: &Ledger,
    name: UserName,
    (display_name, role): (Text, Role),
    (password, one_time): (&Password, bool),
    context: Context,
) -> Result<()> {
    let password = Some(new_password(password, one_time).await?);
    let command = Command::CreateUser { name, display_name, role, password };
    ledger.execute(command, context).await.map_err(shown).map(drop)
}
