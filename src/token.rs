//! `bootledger token`: makes, lists and revokes access tokens.

use crate::administrator::{by, shown};
use crate::config::StoreArguments;
use crate::tool::Tool;
use anyhow::{Context, Result};
use bootledger_aggregates::token::Scope;
use bootledger_aggregates::values::ids::TokenId;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::at::At;
use bootledger_projections::catalogue;
use bootledger_web::auth::token::Secret;
use bootledger_web::commands::{Command, Commands};
use clap::{Args, Subcommand, ValueEnum};
use uuid::Uuid;

/// Which action.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    store: StoreArguments,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Makes a token and prints it; it is shown only now.
    Create {
        /// Whose it is, as events will name the actor.
        name: Text,
        /// What its bearer may do.
        #[arg(long, value_enum, default_value = "operator", conflicts_with = "dhcp_server")]
        role: Role,
        /// It may only confirm the configurations of this DHCP server.
        #[arg(long, value_name = "NAME")]
        dhcp_server: Option<Name>,
        /// It may only hand in reports of Puppet's agents.
        #[arg(long, conflicts_with_all = ["role", "dhcp_server"])]
        puppet_reports: bool,
        /// When it ends; never, by default.
        #[arg(long, value_name = "RFC 3339")]
        expires: Option<Timestamp>,
    },
    /// Lists the tokens, without their secrets.
    List,
    /// Ends a token at once.
    Revoke {
        /// Its id, as the list says.
        id: TokenId,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Role {
    /// Reads everything.
    Viewer,
    /// Also registers, verifies, deploys, cancels.
    Operator,
    /// Also changes the catalogue and tokens.
    Administrator,
}

/// Does it.
pub async fn run(arguments: Arguments) -> Result<()> {
    let tool = Tool::open(&arguments.store).await?;
    match arguments.action {
        Action::Create { name, role, dhcp_server, puppet_reports, expires } => {
            let scope = match (dhcp_server, role) {
                _ if puppet_reports => Scope::PuppetReports,
                (Some(server), _) => Scope::DhcpServer(server),
                (None, Role::Viewer) => Scope::Viewer,
                (None, Role::Operator) => Scope::Operator,
                (None, Role::Administrator) => Scope::Administrator,
            };
            let (id, secret) = (TokenId(Uuid::now_v7()), Secret::random());
            tool.ledger.create_token(id, name, scope, expires, secret.sha256(), &by("command line")).await.map_err(shown)?;
            tool.catch_up().await?;
            println!("{}", secret.bearer(id));
        }
        Action::List => list(&tool).await?,
        Action::Revoke { id } => {
            tool.ledger.execute(Command::RevokeToken(id), by("command line")).await.map_err(shown)?;
            tool.catch_up().await?;
            println!("revoked {id}");
        }
    }
    tool.close().await
}

async fn list(tool: &Tool) -> Result<()> {
    let mut after = None;
    loop {
        let page = catalogue::list(&tool.database.pool, "token", At::Now, after.as_deref(), 1000, None).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.key.clone());
        for item in page {
            let id: TokenId = item.key.parse()?;
            let token = catalogue::token(&tool.database.pool, id, At::Now).await?.context("the token is gone")?;
            let state = if token.retired { "revoked" } else { "valid" };
            let expires = token.spec.expires.map_or_else(|| "never".to_owned(), |at| at.to_string());
            println!(
                "{id}  {state:7}  {}  {:?}  made {}  ends {expires}",
                token.spec.name, token.spec.scope, token.spec.created_at
            );
        }
    }
}
