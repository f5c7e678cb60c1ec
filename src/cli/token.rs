//! `bootledger token`: creates, lists and revokes access tokens.

use crate::commands::administrator::{by, shown};
use crate::config::StoreArguments;
use crate::service::tool::{self, Tool};
use crate::table::Table;
use anyhow::{Context, Result};
use bootledger_aggregates::actor::SystemActor;
use bootledger_aggregates::token::TokenScope;
use bootledger_aggregates::values::ids::TokenId;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_port::{Command, Commands, TokenAction};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue::{self, TokenView};
use bootledger_web::http::auth::token::Secret;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use uuid::Uuid;

/// The arguments of `bootledger token`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    store: StoreArguments,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Creates a token and prints it. It is shown only once.
    Create {
        /// The name of the token's holder; events name it as the actor.
        name: Text,
        /// What the token allows.
        #[arg(long, value_enum, default_value = "operator", conflicts_with = "dhcp_server")]
        role: Role,
        /// Restricts the token to confirming the configurations of this DHCP server.
        #[arg(long, value_name = "NAME")]
        dhcp_server: Option<Name>,
        /// Restricts the token to uploading reports of Puppet agents.
        #[arg(long, conflicts_with_all = ["role", "dhcp_server"])]
        puppet_reports: bool,
        /// When the token expires; by default, never.
        #[arg(long, value_name = "RFC 3339")]
        expires: Option<Timestamp>,
    },
    /// Lists the tokens, without their secrets.
    List {
        /// Writes JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Revokes a token, with immediate effect.
    Revoke {
        /// The token's ID, as shown by `bootledger token list`.
        id: TokenId,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Role {
    /// Read all pages and data except for accounts.
    Viewer,
    /// Also read users, tokens and sessions; change nothing.
    Auditor,
    /// Read what a viewer reads, register and verify devices, and deploy and cancel.
    Operator,
    /// Do all of this, change the catalogue, and manage tokens and users.
    Administrator,
}

/// Runs `bootledger token`.
///
/// # Errors
/// Returns an error if the database fails, or if a rule refuses the change.
pub async fn run(arguments: Arguments) -> Result<()> {
    tool::with(&arguments.store, async |tool| act(tool, arguments.action).await).await
}

async fn act(tool: &Tool, action: Action) -> Result<()> {
    match action {
        Action::Create { name, role, dhcp_server, puppet_reports, expires } => {
            let scope = match (dhcp_server, role) {
                _ if puppet_reports => TokenScope::PuppetReports,
                (Some(server), _) => TokenScope::DhcpServer(server),
                (None, Role::Viewer) => TokenScope::Viewer,
                (None, Role::Auditor) => TokenScope::Auditor,
                (None, Role::Operator) => TokenScope::Operator,
                (None, Role::Administrator) => TokenScope::Administrator,
            };
            let (id, secret) = (TokenId(Uuid::now_v7()), Secret::random());
            tool.commands
                .create_token(id, name, scope, expires, secret.sha256(), &by(SystemActor::CommandLine))
                .await
                .map_err(shown)?;
            println!("{}", secret.bearer(id));
        }
        Action::List { json } => list(tool, json).await?,
        Action::Revoke { id } => {
            tool.commands
                .execute(Command::Token(TokenAction::RevokeToken(id)), by(SystemActor::CommandLine))
                .await
                .map_err(shown)?;
            println!("revoked {id}");
        }
    }
    Ok(())
}

async fn list(tool: &Tool, json: bool) -> Result<()> {
    let (mut after, mut tokens, now) = (None, vec![], (tool.commands.now)());
    loop {
        let page = catalogue::list(&tool.database.pool, "token", At::Now, after.as_deref(), 1000, None).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        for item in page {
            let id: TokenId = item.key.parse()?;
            let token = catalogue::token(&tool.database.pool, id, At::Now).await?.context("the token no longer exists")?;
            tokens.push((id, token.retired, token.spec));
        }
    }
    if json {
        let tokens: Vec<_> = tokens
            .iter()
            .map(|(id, retired, token)| {
                json!({
                    "id": id, "name": token.name, "state": state(*retired, token, now), "scope": token.scope,
                    "created_at": token.created_at, "expires": token.expires,
                })
            })
            .collect();
        println!("{}", serde_json::to_string_pretty(&tokens)?);
        return Ok(());
    }
    let mut table = Table::new(["ID", "STATE", "SCOPE", "CREATED", "EXPIRES", "NAME"]);
    for (id, retired, token) in &tokens {
        let expires = token.expires.map_or_else(|| "never".to_owned(), |at| at.to_string());
        let state = state(*retired, token, now).to_owned();
        table.row([id.to_string(), state, scope(&token.scope), token.created_at.to_string(), expires, token.name.to_string()]);
    }
    print!("{table}");
    Ok(())
}

fn state(is_retired: bool, token: &TokenView, now: Timestamp) -> &'static str {
    match token.expires {
        _ if is_retired => "revoked",
        Some(expires) if expires <= now => "expired",
        _ => "valid",
    }
}

/// What a token allows, as text for the table.
fn scope(scope: &TokenScope) -> String {
    match scope {
        TokenScope::Viewer => "viewer".to_owned(),
        TokenScope::Auditor => "auditor".to_owned(),
        TokenScope::Operator => "operator".to_owned(),
        TokenScope::Administrator => "administrator".to_owned(),
        TokenScope::DhcpServer(server) => format!("DHCP server {server}"),
        TokenScope::PuppetReports => "Puppet reports".to_owned(),
    }
}
