//! Uploads a file of a boot image: stores its content, and then appends the event to the log.
//!
//! This order ensures that an event never names a content that does not exist. If the domain refuses the file, its content
//! stays in the store under its hash, where it does no harm.

use super::store::{Contents, StoreError, Stored};
use super::template::{MAX_OUTPUT, MAX_TEMPLATE, RenderError, Uses, check_saved, check_stored, samples};
use super::variables::SETTINGS;
use crate::http::application::Application;
use crate::http::error::Error;
use crate::images::grub_syntax;
use crate::images::settings::Declared;
use crate::images::stored::store_failed;
use bootledger_aggregates::boot_image::{BootFile, FileKind};
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_port::{CatalogueAction, Command, CommandError, Context, Receipt};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue;
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use sha2::Digest;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// Maximum size of a boot script that is not a template: as large as a template's output may be.
const LARGEST_SCRIPT: u64 = MAX_OUTPUT as u64;

/// Time limit for the next bytes of a body.
const BETWEEN_BYTES: Duration = Duration::from_mins(1);

/// The operator's description of a file, in addition to its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The name of the boot image.
    pub image: Name,
    /// The name of the file in the boot image.
    pub name: Name,
    /// What the file is used for.
    pub kind: FileKind,
    /// Whether the file is a template.
    pub template: bool,
    /// The expected hash of the bytes.
    pub announced: Option<Sha256>,
}

/// Why a file is not uploaded.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The file is empty.
    #[error("the body is empty; send the file's bytes")]
    Empty,
    /// The file is larger than this number of bytes.
    #[error("the body is larger than {0} bytes")]
    TooLarge(u64),
    /// The sender stopped before the end.
    #[error("the body is incomplete")]
    Aborted(#[source] anyhow::Error),
    /// The bytes do not match the expected hash.
    #[error("the SHA-256 of the body is {actual}, not {announced} as announced; send it again")]
    Mismatch {
        /// The expected hash.
        announced: Sha256,
        /// The hash of the bytes that arrived.
        actual: Sha256,
    },
    /// The template cannot be rendered; the message contains the place and the reason.
    #[error("{0}")]
    Template(String),
    /// The store failed.
    #[error("the store of boot files failed")]
    Store(#[source] StoreError),
    /// The domain refuses the file.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl From<StoreError> for UploadError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::TooLarge { limit } => Self::TooLarge(limit),
            StoreError::Aborted(source) => Self::Aborted(source),
            StoreError::Mismatch { announced, actual } => Self::Mismatch { announced, actual },
            other => Self::Store(other),
        }
    }
}

impl From<UploadError> for Error {
    fn from(error: UploadError) -> Self {
        let message = error.to_string();
        match error {
            UploadError::Empty => Self::rejected("", Rule::ContentEmpty, message),
            UploadError::TooLarge(limit) => Self::TooLarge(limit),
            UploadError::Aborted(source) if source.is::<tokio_stream::Elapsed>() => Self::TooSlow(BETWEEN_BYTES.as_secs()),
            UploadError::Aborted(_) => Self::bad_request("", Rule::BodyIncomplete, message),
            UploadError::Mismatch { .. } => Self::rejected("sha256", Rule::ContentOtherThanAnnounced, message),
            UploadError::Template(_) => Self::rejected("", Rule::TemplateWrong, message),
            UploadError::Store(source) => store_failed(source),
            UploadError::Command(error) => error.into(),
        }
    }
}

/// Uploads a file as [`put_file`] does, and returns only what was stored.
///
/// # Errors
/// See [`UploadError`]. After an error the image is unchanged.
pub async fn put<E: Into<anyhow::Error>>(
    application: &Application,
    description: Description,
    length: Option<u64>,
    body: impl Stream<Item = Result<Bytes, E>>,
    context: Context,
) -> Result<(Stored, Receipt), UploadError> {
    let (file, receipt) = put_file(application, description, length, body, context).await?;
    Ok((Stored { sha256: file.sha256, size: file.size }, receipt))
}

/// Stores the bytes and adds the file. If it is a template, the settings that it uses are determined. `length` is the size that
/// the sender announces, so that a file that is too large is refused before it arrives.
///
/// # Errors
/// See [`UploadError`]. After an error the image is unchanged.
pub async fn put_file<E: Into<anyhow::Error>>(
    application: &Application,
    description: Description,
    length: Option<u64>,
    body: impl Stream<Item = Result<Bytes, E>>,
    context: Context,
) -> Result<(BootFile, Receipt), UploadError> {
    let limit = if description.template { MAX_TEMPLATE as u64 } else { application.max_upload };
    if length.is_some_and(|length| length > limit) {
        return Err(UploadError::TooLarge(limit));
    }
    let contents = Contents::new(Arc::clone(&application.files));
    let mut uses = Uses::default();
    let stored = if description.template {
        let text = whole(body, limit).await?;
        if text.is_empty() {
            return Err(UploadError::Empty);
        }
        // Most templates use no settings, and need no query.
        let uses_some = text.windows(SETTINGS.len()).any(|part| part == SETTINGS.as_bytes());
        let declared = if uses_some { declared(application, &description.image).await? } else { Declared::new() };
        uses = checked(&text, description.kind, description.announced, declared.clone()).await?;
        if description.kind == FileKind::Grub {
            check_grub(&text, declared).await?;
        }
        contents.store_bytes(text).await?
    } else if description.kind.is_script() {
        let script = whole(body, limit.min(LARGEST_SCRIPT)).await?;
        if script.is_empty() {
            return Err(UploadError::Empty);
        }
        check_announced(&script, description.announced)?;
        check_script(&script, description.kind).await?;
        contents.store_bytes(script).await?
    } else {
        let some = |bytes: &Result<Bytes, E>| std::future::ready(!bytes.as_ref().is_ok_and(Bytes::is_empty));
        let mut body = pin!(body.filter(some).peekable());
        if body.as_mut().peek().await.is_none() {
            return Err(UploadError::Empty);
        }
        contents.store(body, limit, description.announced).await?
    };
    let Uses { settings, needs } = uses;
    let Stored { sha256, size } = stored;
    let file = BootFile { kind: description.kind, sha256, size, template: description.template, settings, needs };
    let context = context.with_file(&file.sha256);
    let command =
        Command::Catalogue(CatalogueAction::PutBootFile { image: description.image, name: description.name, file: file.clone() });
    let receipt = application.commands.unguarded().execute(command, context).await?;
    Ok((file, receipt))
}

/// A body that fails if the next bytes take too long.
pub(crate) fn patient(body: impl Stream<Item = anyhow::Result<Bytes>>) -> impl Stream<Item = anyhow::Result<Bytes>> {
    let timed = tokio_stream::StreamExt::timeout(body, BETWEEN_BYTES);
    timed.map(|bytes| bytes.unwrap_or_else(|elapsed| Err(anyhow::Error::new(elapsed))))
}

async fn whole<E: Into<anyhow::Error>>(body: impl Stream<Item = Result<Bytes, E>>, limit: u64) -> Result<Bytes, UploadError> {
    let mut body = pin!(body);
    let mut text = BytesMut::new();
    while let Some(bytes) = body.next().await {
        text.extend_from_slice(&bytes.map_err(|error| UploadError::Aborted(error.into()))?);
        if text.len() as u64 > limit {
            return Err(UploadError::TooLarge(limit));
        }
    }
    Ok(text.freeze())
}

/// The settings that an image declares, as the views show them. The domain checks whether they have changed since.
async fn declared(application: &Application, image: &Name) -> Result<Declared, UploadError> {
    let entry = catalogue::boot_image(&application.views, image, At::Now).await;
    let entry = entry.map_err(CommandError::of_database)?;
    Ok(entry.and_then(|entry| entry.spec.spec).map(|spec| spec.settings).unwrap_or_default())
}

/// Refuses a template whose rendered text is not valid in GRUB's language.
///
/// # Errors
/// Returns an error if the text is not valid, or cannot be rendered now.
pub async fn check_grub(text: &[u8], declared: Declared) -> Result<(), UploadError> {
    let text = String::from_utf8_lossy(text).into_owned();
    let samples = samples(text, declared).await.map_err(|error| match error {
        RenderError::Template(error) => UploadError::Template(error.to_string()),
        RenderError::Busy(busy) => UploadError::Command(CommandError::Busy(busy.to_string())),
    })?;
    for sample in samples {
        if let Some(problem) = grub_syntax::problem(&sample).await {
            return Err(UploadError::Template(problem));
        }
    }
    Ok(())
}

/// Refuses a script that is not a template and that no server could run.
///
/// # Errors
/// Returns what iPXE or GRUB would stop at.
pub async fn check_script(script: &[u8], kind: FileKind) -> Result<(), UploadError> {
    if script.len() as u64 > LARGEST_SCRIPT {
        return Err(UploadError::TooLarge(LARGEST_SCRIPT));
    }
    check_stored(script, kind).map_err(|error| UploadError::Template(error.to_string()))?;
    if kind == FileKind::Grub
        && let Some(problem) = grub_syntax::problem(script).await
    {
        return Err(UploadError::Template(problem));
    }
    Ok(())
}

fn check_announced(bytes: &Bytes, announced: Option<Sha256>) -> Result<(), UploadError> {
    let actual = Sha256::new(sha2::Sha256::digest(bytes).into());
    match announced.filter(|announced| *announced != actual) {
        Some(announced) => Err(UploadError::Mismatch { announced, actual }),
        None => Ok(()),
    }
}

async fn checked(text: &Bytes, kind: FileKind, announced: Option<Sha256>, declared: Declared) -> Result<Uses, UploadError> {
    check_announced(text, announced)?;
    let text = std::str::from_utf8(text).map_err(|error| {
        UploadError::Template(format!("a template is UTF-8 text, but byte {} of this one is not", error.valid_up_to() + 1))
    })?;
    check_saved(text.to_owned(), kind, declared).await.map_err(|error| match error {
        RenderError::Template(error) => UploadError::Template(error.to_string()),
        RenderError::Busy(busy) => UploadError::Command(CommandError::Busy(busy.to_string())),
    })
}
