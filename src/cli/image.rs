//! `bootledger image`: lists the library of boot image recipes, shows a recipe, and adds and updates boot images.

use crate::cli::progress;
use crate::commands::administrator::by;
use crate::config::StoreArguments;
use crate::service::tool::{self, Tool};
use crate::workers::images::install::{Installed, Installer, Order, folder};
use anyhow::Result;
use bootledger_aggregates::actor::SystemActor;
use bootledger_aggregates::boot_image::recipe::Verified;
use bootledger_aggregates::values::name::Name;
use bootledger_images::client::{Client, Limits};
use bootledger_images::fetch::Progress;
use bootledger_images::library::Library;
use bootledger_outbound::Guard;
use bootledger_web::images::store::Contents;
use clap::{Args, Subcommand};
use indicatif::ProgressBar;
use source::Source;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// Prints a line. A reader such as `head` may close its end of the pipe once it has enough; that is not an error.
macro_rules! say {
    ($($text:tt)*) => {
        let _ = writeln!(std::io::stdout(), $($text)*);
    };
}

mod show;
mod source;
mod update;

/// The arguments of `bootledger image`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Lists the recipes of the library, and which boot images were added from them.
    List(Common),
    /// Shows a recipe: its settings, its files and their sources, and its limits.
    Show {
        /// The recipe's name.
        recipe: Name,
        #[command(flatten)]
        common: Common,
    },
    /// Adds a boot image from the library: downloads, verifies and stores its files, then creates the image in one step.
    Add {
        /// The recipe's name.
        recipe: Name,
        /// The name of the boot image; by default, the name of the recipe.
        #[arg(long = "as", value_name = "IMAGE")]
        name: Option<Name>,
        #[command(flatten)]
        source: Source,
        #[command(flatten)]
        common: Common,
    },
    /// Updates boot images of the library: shows what changed upstream, in the recipe and in your own edits, and creates a new
    /// revision.
    Update {
        /// The boot image to update; by default, all that were added from the library.
        image: Option<Name>,
        /// Shows what would change, without changing anything.
        #[arg(long)]
        dry_run: bool,
        /// Replaces your own edits with the recipe's version.
        #[arg(long)]
        replace: bool,
        #[command(flatten)]
        source: Source,
        #[command(flatten)]
        common: Common,
    },
}

/// The options that all actions share.
#[derive(Debug, Args)]
struct Common {
    #[command(flatten)]
    store: StoreArguments,
    /// Where boot files are stored, as for `serve`.
    #[arg(long, env = "BOOTLEDGER_FILES", value_name = "FOLDER|URL")]
    files: Option<String>,
    /// A folder of your own recipes, which take precedence over those of the library.
    #[arg(long, env = "BOOTLEDGER_IMAGE_RECIPES", value_name = "FOLDER")]
    image_recipes: Option<PathBuf>,
    /// The maximum size of a boot file, in bytes.
    #[arg(long, env = "BOOTLEDGER_MAX_UPLOAD", default_value_t = 8 << 30, value_name = "BYTES")]
    max_upload: u64,
}

/// Runs `bootledger image`. If Ctrl-C interrupts it, no image has been changed, and the same command continues the work.
///
/// # Errors
/// Returns an error if the library, the store of boot files or the database cannot be opened, or if the image cannot be added
/// or updated.
pub async fn run(arguments: Arguments, stop: watch::Receiver<bool>) -> Result<ExitCode> {
    match arguments.what {
        What::List(common) => show::list(&common).await,
        What::Show { recipe, common } => show::show(&recipe, &common),
        What::Add { recipe, name, source, common } => {
            let order = Order {
                image: name.unwrap_or_else(|| recipe.clone()),
                recipe,
                origin: source.origin()?,
                update: false,
                replace: false,
            };
            let work = async |installer: &Installer| {
                let installed = install(installer, &order).await?;
                say!("Boot image {} added from recipe {}", order.image, order.recipe);
                report(&installed);
                Ok(())
            };
            Box::pin(with_installer(&common, stop, work)).await
        }
        What::Update { image, dry_run, replace, source, common } => {
            let work = async |installer: &Installer| update::update(installer, image, dry_run, replace, &source).await;
            Box::pin(with_installer(&common, stop, work)).await
        }
    }
}

/// Runs the work until it is done or Ctrl-C stops it. Work that is stopped has changed nothing.
async fn with_installer(
    common: &Common,
    mut stop: watch::Receiver<bool>,
    work: impl AsyncFnOnce(&Installer) -> Result<()>,
) -> Result<ExitCode> {
    let library = Library::with_folder(common.image_recipes.as_deref())?;
    let files = crate::files::open(common.files.as_deref(), &common.store.data_dir)?;
    let client = Client::new(Limits::with_file(common.max_upload), Guard::Anywhere)?;
    let work = async |tool: &Tool| {
        let installer = Installer {
            commands: tool.commands.clone(),
            contents: Contents::new(files),
            client,
            library,
            folder: folder(&common.store.data_dir),
        };
        tokio::select! {
            done = work(&installer) => done.map(|()| true),
            _ = stop.wait_for(|stop| *stop) => Ok(false),
        }
    };
    if tool::with(&common.store, work).await? {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("Interrupted: nothing was added or changed. Run the same command again to continue where it stopped.");
    Ok(ExitCode::FAILURE)
}

async fn install(installer: &Installer, order: &Order) -> Result<Installed> {
    let bar = Bar::new();
    let outcome = installer.install(order, by(SystemActor::CommandLine), &|progress| bar.show(&progress)).await;
    bar.0.finish_and_clear();
    outcome
}

fn report(installed: &Installed) {
    for warning in &installed.warnings {
        say!("  {warning}");
    }
    say!("  {}", verified(installed.verified));
}

fn verified(verified: Verified) -> &'static str {
    match verified {
        Verified::Signature => "All files were verified by the vendor's signature",
        Verified::Checksum => "All files were verified by checksums; not all of these are signed by the vendor",
        Verified::None => "Not all files were verified",
    }
}

/// A progress bar for the work, shown on a terminal.
struct Bar(ProgressBar, Mutex<String>);

impl Bar {
    fn new() -> Arc<Self> {
        Arc::new(Self(progress::bytes("Starting"), Mutex::default()))
    }

    fn show(&self, progress: &Progress) {
        let file = progress.file.as_ref().map(|file| format!(" {file} ({} of {})", progress.number.0, progress.number.1));
        let message = format!("{}{}", progress.step.title(), file.unwrap_or_default());
        if let Ok(mut last) = self.1.lock()
            && *last != message
        {
            self.0.reset();
            self.0.set_message(message.clone());
            *last = message;
        }
        match progress.total {
            Some(total) => self.0.set_length(total),
            None => self.0.unset_length(),
        }
        self.0.set_position(progress.bytes);
    }
}
