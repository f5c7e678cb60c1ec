//! Commands about access tokens.

use super::Ledger;
use super::devices::unreachable_command;
use super::execute::Failure;
use crate::store::repository::Terms;
use crate::store::secrets;
use bootledger_aggregates::token::{Scope, Token, TokenCommand};
use bootledger_aggregates::values::ids::TokenId;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_web::commands::{Command, CommandError, Context, Receipt};
use uuid::Uuid;

impl Ledger {
    pub(super) async fn token_command(&self, command: &Command, context: &Context) -> Result<Receipt, Failure> {
        match command {
            Command::CreateToken { name, scope, expires, secret_sha256 } => {
                self.make_token(TokenId(Uuid::now_v7()), name.clone(), scope.clone(), *expires, *secret_sha256, context).await
            }
            Command::RevokeToken(id) => self.run::<Token>(id, TokenCommand::RevokeToken, Terms::default(), context).await,
            other => unreachable_command(other),
        }
    }

    /// Creates a token with a known id, for a program that must show its text.
    pub async fn create_token(
        &self,
        id: TokenId,
        name: Text,
        scope: Scope,
        expires: Option<Timestamp>,
        secret: Sha256,
        context: &Context,
    ) -> Result<Receipt, CommandError> {
        let receipt = self.make_token(id, name, scope, expires, secret, context).await?;
        self.feed.saw_appended(receipt.position);
        Ok(receipt)
    }

    async fn make_token(
        &self,
        id: TokenId,
        name: Text,
        scope: Scope,
        expires: Option<Timestamp>,
        secret: Sha256,
        context: &Context,
    ) -> Result<Receipt, Failure> {
        // The hash is stored first: a token in the log without a stored secret could never be used.
        secrets::remember(&self.views, id, secret).await?;
        self.run::<Token>(
            id,
            TokenCommand::CreateToken { name, scope, expires },
            Terms { fresh: true, ..Terms::default() },
            context,
        )
        .await
    }
}
