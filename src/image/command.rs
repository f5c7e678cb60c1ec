//! `bootledger image`: lists the library of boot image recipes, shows a recipe, and adds and updates boot images.

use super::install::{Installed, Installer, Order, folder};
use crate::administrator::by;
use crate::config::StoreArguments;
use crate::progress;
use crate::tool::Tool;
use anyhow::{Context as _, Result, anyhow, bail};
use bootledger_aggregates::boot_image::recipe::{RecipeOrigin, Verified};
use bootledger_aggregates::boot_image::{BootImage, FileKind};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::setting::SettingText;
use bootledger_images::client::{Client, Limits};
use bootledger_images::fetch::{Origin, Progress};
use bootledger_images::library::Library;
use bootledger_images::merge::{Change, Outcome};
use bootledger_images::recipe::{Checksum, Recipe};
use bootledger_images::source_url;
use bootledger_outbound::Guard;
use bootledger_projections::at::At;
use bootledger_projections::catalogue::{self, Entry};
use bootledger_web::boot::store::Contents;
use clap::{Args, Subcommand};
use indicatif::ProgressBar;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::Mutex;
use tokio::sync::watch;

/// Prints a line. A reader such as `head` may close its end of the pipe once it has enough; that is not an error.
macro_rules! say {
    ($($text:tt)*) => {
        let _ = writeln!(std::io::stdout(), $($text)*);
    };
}

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

/// The source of the official files.
#[derive(Debug, Args)]
struct Source {
    /// A directory (a mounted ISO, an unpacked package), a Debian package, or a URL of either, to use instead of the vendor's
    /// site.
    #[arg(long, value_name = "FOLDER|URL|PACKAGE.deb")]
    from: Option<String>,
    /// The mirror for the recipe's URLs; with --from, only for the published checksums.
    #[arg(long, value_name = "URL")]
    mirror: Option<String>,
}

/// The options that all actions share.
#[derive(Debug, Args)]
struct Common {
    #[command(flatten)]
    store: StoreArguments,
    /// Where boot files are stored, as for `serve`.
    #[arg(long, env = "BOOTLEDGER_FILES", value_name = "FOLDER|URL")]
    files: Option<String>,
    /// A directory of your own recipes, which take precedence over those of the library.
    #[arg(long, env = "BOOTLEDGER_IMAGE_RECIPES", value_name = "FOLDER")]
    image_recipes: Option<PathBuf>,
    /// The maximum size of a boot file, in bytes.
    #[arg(long, env = "BOOTLEDGER_MAX_UPLOAD", default_value_t = 8 << 30, value_name = "BYTES")]
    max_upload: u64,
}

/// Runs `bootledger image`. After Ctrl-C, nothing is half added, and the same command resumes the work.
pub async fn run(arguments: Arguments, stop: watch::Receiver<bool>) -> Result<ExitCode> {
    match arguments.what {
        What::List(common) => list(&common).await,
        What::Show { recipe, common } => show(&recipe, &common),
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
            let work = async |installer: &Installer| update(installer, image, dry_run, replace, &source).await;
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
    let tool = Tool::open(&common.store).await?;
    let installer = Installer {
        ledger: tool.ledger.clone(),
        contents: Contents::new(files),
        client,
        library,
        folder: folder(&common.store.data_dir),
    };
    let done = tokio::select! {
        done = work(&installer) => done.map(|()| true),
        _ = stop.wait_for(|stop| *stop) => Ok(false),
    };
    drop(installer);
    if done.is_ok() {
        tool.catch_up().await?;
    }
    tool.close().await?;
    if done? {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("Interrupted: nothing was added or changed. Run the same command again to continue where it stopped.");
    Ok(ExitCode::FAILURE)
}

async fn install(installer: &Installer, order: &Order) -> Result<Installed> {
    let bar = Bar::new();
    let outcome = installer.install(order, by("command line"), &|progress| bar.show(&progress)).await;
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

/// The boot images that were added from the library.
async fn of_library(installer: &Installer) -> Result<Vec<(Name, BootImage, RecipeOrigin)>> {
    let all = catalogue::boot_images(&installer.ledger.views, At::Now).await?;
    let of = |entry: Entry<BootImage>| {
        let origin = entry.spec.spec.as_ref()?.recipe.as_deref()?.clone();
        (!entry.retired).then_some((entry.key, entry.spec, origin))
    };
    Ok(all.into_iter().filter_map(of).collect())
}

async fn update(installer: &Installer, image: Option<Name>, dry_run: bool, replace: bool, source: &Source) -> Result<()> {
    let mut images = of_library(installer).await?;
    if let Some(image) = image {
        images.retain(|(name, ..)| *name == image);
        if images.is_empty() {
            bail!("no boot image {image} was added from the library; `bootledger image list` shows those that were");
        }
    }
    if images.is_empty() {
        say!("No boot image was added from the library");
    }
    // An image that cannot be updated must not prevent the update of the others.
    let (all, mut failed) = (images.len(), 0);
    for (image, _, origin) in images {
        if let Err(error) = update_one(installer, &image, &origin, dry_run, replace, source).await {
            if all == 1 {
                return Err(error);
            }
            eprintln!("{error:#}");
            failed += 1;
        }
    }
    if failed > 0 {
        bail!("{failed} of {all} boot images were not updated; the reasons are above");
    }
    Ok(())
}

async fn update_one(
    installer: &Installer,
    image: &Name,
    origin: &RecipeOrigin,
    dry_run: bool,
    replace: bool,
    source: &Source,
) -> Result<()> {
    let Some(recipe) = installer.library.recipe(&origin.name) else {
        say!("{image}: the library has no recipe {} any more; it stays as it is", origin.name);
        return Ok(());
    };
    let from = source.origin_of(image, origin, recipe)?;
    let order = Order { recipe: origin.name.clone(), image: image.clone(), origin: from, update: true, replace };
    if dry_run {
        let bar = Bar::new();
        let preview = installer.preview(&order, &|progress| bar.show(&progress)).await;
        bar.0.finish_and_clear();
        let (merged, unknown) = preview.with_context(|| format!("boot image {image}"))?;
        changes(image, &merged.changes, "would be updated");
        for file in unknown {
            say!("  file {file}: only a download tells whether it changed");
        }
        return Ok(());
    }
    let done = install(installer, &order).await.with_context(|| format!("boot image {image}"))?;
    changes(image, &done.changes, "updated");
    report(&done);
    Ok(())
}

fn changes(image: &Name, changes: &[Change], done: &str) {
    if changes.iter().all(|change| matches!(change.outcome, Outcome::Own | Outcome::Conflict)) {
        say!("{image}: nothing new");
    } else {
        say!("{image}: {done}");
    }
    for change in changes {
        say!("  {change}");
    }
}

async fn list(common: &Common) -> Result<ExitCode> {
    let library = Library::with_folder(common.image_recipes.as_deref())?;
    let tool = Tool::open(&common.store).await?;
    let images = catalogue::boot_images(&tool.database.pool, At::Now).await?;
    tool.close().await?;
    let width = library.recipes().map(|recipe| recipe.name.as_str().len()).max().unwrap_or(0);
    for recipe in library.recipes() {
        say!("{:width$}  {:19}  {}", recipe.name.as_str(), recipe.status.title(), recipe.title);
        for image in &images {
            let Some(origin) = image.spec.spec.as_ref().and_then(|spec| spec.recipe.as_deref()) else { continue };
            if origin.name == recipe.name && !image.retired {
                let newer = if origin.sha256 == recipe.sha256 {
                    ""
                } else {
                    "; the recipe has changed since: see `image update --dry-run`"
                };
                say!("{:width$}  added as {}, revision {}{newer}", "", image.key, image.spec.revision);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(name: &Name, common: &Common) -> Result<ExitCode> {
    let library = Library::with_folder(common.image_recipes.as_deref())?;
    let recipe = library.recipe(name);
    let recipe = recipe.ok_or_else(|| anyhow!("the library has no recipe {name}; `bootledger image list` shows all"))?;
    say!("{}: {}", recipe.name, recipe.title);
    say!("{}", recipe.description);
    say!("Version {}, {}, {}", recipe.version, recipe.architecture.as_str(), recipe.status.title());
    if !recipe.tested_with.as_str().is_empty() {
        say!("Tested with {}", recipe.tested_with);
    }
    for note in &recipe.notes {
        say!("Note: {note}");
    }
    if let Some(mirror) = &recipe.mirror {
        say!("Mirror: {mirror}");
    }
    say!("\nFiles");
    for (file, own) in &recipe.files {
        let kind = if own.template { "template" } else { "file of the recipe" };
        say!("  {file} ({}): {kind}", own.kind);
    }
    for (file, download) in &recipe.downloads {
        let from = match (&download.url, &download.how) {
            (Some(url), _) => url.to_string(),
            (None, Some(how)) => how.to_string(),
            (None, None) => String::new(),
        };
        let kind: FileKind = download.kind;
        let by = match &download.checksum {
            Checksum::None => "no published checksum".to_owned(),
            Checksum::Pinned(digest) => digest.to_string(),
            Checksum::Listed { list, .. } => format!("verified by the list {list}"),
            Checksum::Signed { .. } => "signed by its vendor".to_owned(),
        };
        say!("  {file} ({kind}): {from} ({by})");
    }
    say!("\nSettings");
    for (setting, spec) in &recipe.settings {
        let default = spec.default.as_ref().map(serde_json::to_string).transpose()?;
        let value = match (&default, spec.required) {
            (Some(default), _) => format!("default {default}"),
            (None, true) => "required".to_owned(),
            (None, false) => "optional".to_owned(),
        };
        let choices: Vec<&str> = spec.choices.iter().map(SettingText::as_str).collect();
        let of = if choices.is_empty() { String::new() } else { format!(" of {}", choices.join(", ")) };
        say!("  {setting} ({}{of}; {value}): {}", spec.kind.as_str(), spec.description);
    }
    Ok(ExitCode::SUCCESS)
}

impl Source {
    fn mirror(&self) -> Result<Option<url::Url>> {
        self.mirror.as_deref().map(|mirror| source_url::parse(mirror).context("--mirror")).transpose()
    }

    fn origin(&self) -> Result<Origin> {
        let mirror = self.mirror()?;
        let Some(from) = &self.from else { return Ok(Origin::Mirror(mirror)) };
        if from.starts_with("http://") || from.starts_with("https://") {
            return Ok(Origin::Site(source_url::parse(from).context("--from")?, mirror));
        }
        let path = PathBuf::from(from);
        if path.is_dir() {
            return Ok(Origin::Folder(path, mirror));
        }
        if path.is_file() && path.extension().is_some_and(|extension| extension == "deb") {
            return Ok(Origin::Package(path, mirror));
        }
        bail!(
            "--from {from} is neither a folder nor a Debian package (.deb). Mount an ISO and name its folder, as with `mount -o loop,ro FILE.iso /mnt`"
        )
    }

    /// The source of an update's files: the one given on the command line, otherwise the one the files came from before.
    fn origin_of(&self, image: &Name, origin: &RecipeOrigin, recipe: &Recipe) -> Result<Origin> {
        if self.from.is_some() || self.mirror.is_some() || recipe.downloads.is_empty() {
            return self.origin();
        }
        match source_url::parse(origin.source.as_str()) {
            Ok(mirror) => Ok(Origin::Mirror(Some(mirror).filter(|mirror| Some(mirror) != recipe.mirror.as_ref()))),
            Err(_) if origin.source.as_str() == "the vendor" => Ok(Origin::Mirror(None)),
            Err(_) => {
                bail!("the files of {image} came from {}; say with --from or --mirror where they come from now", origin.source)
            }
        }
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
