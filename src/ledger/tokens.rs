//! Commands of access tokens.

use super::Ledger;
use super::devices::unreachable_command;
use super::execute::Failure;
use crate::store::repository::Terms;
use crate::store::secrets;
use bootledger_aggregates::token::{Token, TokenCommand};
use bootledger_aggregates::values::ids::TokenId;
use bootledger_web::commands::{Command, Context, Receipt};
use uuid::Uuid;

impl Ledger {
    pub(super) async fn token_command(&self, command: &Command, context: &Context) -> Result<Receipt, Failure> {
        match command {
            Command::CreateToken { name, scope, expires, secret_sha256 } => {
                let id = TokenId(Uuid::now_v7());
                // The hash comes first: a token that is known but has no secret could never be used.
                secrets::remember(&self.views, id, *secret_sha256).await?;
                let command = TokenCommand::CreateToken { name: name.clone(), scope: scope.clone(), expires: *expires };
                self.run::<Token>(id, command, Terms { fresh: true, ..Terms::default() }, context).await
            }
            Command::RevokeToken(id) => self.run::<Token>(id, TokenCommand::RevokeToken, Terms::default(), context).await,
            other => unreachable_command(other),
        }
    }
}
