//! Commands about access tokens.

use super::CommandService;
use super::execute::Failure;
use crate::event_log::secrets;
use crate::event_log::store::Terms;
use bootledger_aggregates::token::{Token, TokenCommand, TokenScope};
use bootledger_aggregates::values::ids::TokenId;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_port::{CommandError, Context, Receipt, TokenAction};
use uuid::Uuid;

impl CommandService {
    pub(super) async fn token_command(&self, action: &TokenAction, context: &Context) -> Result<Receipt, Failure> {
        match action {
            TokenAction::CreateToken { name, scope, expires, secret_sha256 } => {
                self.make_token(TokenId(Uuid::now_v7()), name.clone(), scope.clone(), *expires, *secret_sha256, context).await
            }
            TokenAction::RevokeToken(id) => self.run::<Token>(id, TokenCommand::RevokeToken, Terms::default(), context).await,
        }
    }

    /// Creates a token with a known id, for a program that must show its text.
    ///
    /// # Errors
    /// Returns an error if a rule refuses the token, or if the database fails.
    pub async fn create_token(
        &self,
        id: TokenId,
        name: Text,
        scope: TokenScope,
        expires: Option<Timestamp>,
        secret: Sha256,
        context: &Context,
    ) -> Result<Receipt, CommandError> {
        Ok(self.make_token(id, name, scope, expires, secret, context).await?)
    }

    async fn make_token(
        &self,
        id: TokenId,
        name: Text,
        scope: TokenScope,
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
