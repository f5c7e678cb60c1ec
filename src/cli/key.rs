//! `bootledger key`: shows whether this instance has the key that all instances share, and replaces a lost key.

use crate::config::StoreArguments;
use crate::database::Database;
use crate::database::key::{load, path, record_instead, recorded, shown};
use anyhow::{Result, bail, ensure};
use bootledger_projections::rows::deployments;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// How long closing the database connections may take.
const CLOSING: Duration = Duration::from_secs(5);

/// The arguments of `bootledger key`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    store: StoreArguments,
    /// The key file; by default, `service.key` in the data folder.
    #[arg(long, env = "BOOTLEDGER_KEY_FILE", value_name = "FILE")]
    key_file: Option<PathBuf>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Compares the key file with the key that the database's instances share; neither key is shown.
    Check,
    /// Makes the key in the key file the one that all instances share. Boot tokens of live deployments become invalid.
    Replace {
        /// Confirms that all instances are stopped and that live deployments may lose their tokens.
        #[arg(long)]
        yes: bool,
    },
}

/// Runs `bootledger key`.
///
/// # Errors
/// Returns an error if the database or the key cannot be read, if the key is not that of the instances, or if its replacement
/// is not confirmed with `--yes`.
pub async fn run(arguments: Arguments) -> Result<()> {
    let database = Database::open(&arguments.store, true).await?;
    let done = act(&arguments, &database).await;
    database.close_by(tokio::time::Instant::now() + CLOSING).await?;
    done
}

async fn act(arguments: &Arguments, database: &Database) -> Result<()> {
    let (file, data_directory) = (arguments.key_file.as_deref(), &arguments.store.data_dir);
    let path = path(file, data_directory);
    match arguments.action {
        Action::Check => {
            let Some(recorded) = recorded(&database.pool).await? else {
                bail!("no instance has started on this database yet; the first one records its key")
            };
            ensure!(path.exists(), "the key file {} does not exist; the instances' key is {}", path.display(), shown(&recorded));
            let own = load(file, data_directory)?.fingerprint();
            ensure!(
                recorded == own,
                "the key file {} has the fingerprint {}, and the instances' key has {}",
                path.display(),
                shown(&own),
                shown(&recorded)
            );
            println!("{} is the instances' key, fingerprint {}", path.display(), shown(&own));
        }
        Action::Replace { yes } => {
            let counts = deployments::live_counts(&database.pool).await?;
            let live = counts.open + counts.in_progress;
            ensure!(
                yes,
                "with another key, the boot tokens of {live} live deployments become invalid: servers that boot with one are \
                 refused until they get a new script. Stop all instances, then confirm with --yes"
            );
            let key = load(file, data_directory)?;
            record_instead(&database.pool, &key).await?;
            println!(
                "{} is now the instances' key, fingerprint {}; the boot tokens of {live} live deployments are invalid. Copy the file \
                 to every instance, then start them",
                path.display(),
                shown(&key.fingerprint())
            );
        }
    }
    Ok(())
}
