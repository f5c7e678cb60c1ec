//! `bootledger user`: creates, lists, disables and enables users, and sets their passwords.

use crate::commands::administrator::{by, shown};
use crate::commands::users::{create, new_password};
use crate::config::StoreArguments;
use crate::service::tool::{self, Tool};
use crate::table::Table;
use anyhow::{Context as _, Result};
use bootledger_aggregates::actor::SystemActor;
use bootledger_aggregates::user::{Role, SignIn};
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::user_name::UserName;
use bootledger_port::{AccountAction, Command, Commands};
use bootledger_projections::rows::accounts::UserView;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue;
use bootledger_web::http::auth::password::Password;
use clap::{Args, Subcommand};
use std::io::BufRead;

/// The arguments of `bootledger user`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    store: StoreArguments,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Creates a user and prints a one-time password. It is shown only once, and the user must change it at the first sign-in.
    Create {
        /// The name that the user signs in with; events name it as the actor.
        name: UserName,
        /// The user's role: viewer, auditor, operator or administrator.
        #[arg(long, default_value = "viewer")]
        role: Role,
        /// The name shown for the user.
        #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
        display_name: Text,
        /// Reads the password from the first line of standard input; the user need not change it.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Lists the users.
    List,
    /// Sets a user's password and ends the user's sessions. Prints a one-time password unless --password-stdin is given.
    Passwd {
        /// The user's name.
        name: UserName,
        /// Reads the password from the first line of standard input; the user need not change it.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Changes a user's role.
    Role {
        /// The user's name.
        name: UserName,
        /// The new role: viewer, auditor, operator or administrator.
        role: Role,
    },
    /// Disables a user, who can no longer sign in, and ends the user's sessions.
    Disable {
        /// The user's name.
        name: UserName,
    },
    /// Enables a disabled user, who can sign in again.
    Enable {
        /// The user's name.
        name: UserName,
    },
    /// Unlocks a user who was locked out after failed sign-in attempts.
    Unlock {
        /// The user's name.
        name: UserName,
    },
}

/// Runs `bootledger user`.
///
/// # Errors
/// Returns an error if the database fails, or if a password or the change is refused.
pub async fn run(arguments: Arguments) -> Result<()> {
    tool::with(&arguments.store, async |tool| act(tool, arguments.action).await).await
}

async fn act(tool: &Tool, action: Action) -> Result<()> {
    let context = by(SystemActor::CommandLine);
    let command = match action {
        Action::List => return list(tool).await,
        Action::Create { name, role, display_name, password_stdin } => {
            let password = wanted(password_stdin, &name)?;
            create(&tool.commands, name, (display_name, role), (&password, !password_stdin), context).await?;
            print_password(&password, password_stdin);
            return Ok(());
        }
        Action::Passwd { name, password_stdin } => {
            let password = wanted(password_stdin, &name)?;
            let new = new_password(&password, !password_stdin).await?;
            let command = Command::Account(AccountAction::SetPassword { user: name, password: new, keep: None });
            tool.commands.execute(command, context).await.map_err(shown)?;
            print_password(&password, password_stdin);
            return Ok(());
        }
        Action::Role { name, role } => Command::Account(AccountAction::ChangeUserRole { user: name, role }),
        Action::Disable { name } => Command::Account(AccountAction::DisableUser(name)),
        Action::Enable { name } => Command::Account(AccountAction::EnableUser(name)),
        Action::Unlock { name } => Command::Account(AccountAction::UnlockUser(name)),
    };
    let receipt = tool.commands.execute(command, context).await.map_err(shown)?;
    println!("done (event {})", receipt.position);
    Ok(())
}

/// Reads the password from standard input, or creates a new one.
fn wanted(from_stdin: bool, name: &UserName) -> Result<Password> {
    if !from_stdin {
        return Ok(Password::one_time());
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("the standard input cannot be read")?;
    Ok(Password::chosen(line.trim_end_matches(['\r', '\n']), name.as_str())?)
}

/// Prints a password that was created here.
fn print_password(password: &Password, given: bool) {
    if given {
        println!("done");
    } else {
        println!("{}", password.expose());
        eprintln!("This one-time password is shown only once. It must be changed at the next sign-in.");
    }
}

async fn list(tool: &Tool) -> Result<()> {
    let mut after: Option<String> = None;
    let mut table = Table::new(["USER", "STATE", "ROLE", "SIGN-IN", "CREATED", "NAME"]);
    loop {
        let page = catalogue::list(&tool.database.pool, "user", At::Now, after.as_deref(), 1000, None).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        for item in page {
            let user = item.read_as::<UserView, UserName>()?;
            let state = if user.retired { "disabled" } else { "enabled" };
            let how = match user.spec.sign_in {
                SignIn::Password { one_time: false, .. } => "password",
                SignIn::Password { one_time: true, .. } => "one-time password",
                SignIn::OpenidConnect => "OpenID Connect",
            };
            let view = user.spec;
            let (name, role, created) = (user.key.to_string(), view.role.to_string(), view.created_at.to_string());
            table.row([name, state.to_owned(), role, how.to_owned(), created, view.display_name.to_string()]);
        }
    }
    print!("{table}");
    Ok(())
}
