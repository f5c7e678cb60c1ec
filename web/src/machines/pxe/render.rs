//! Renders a target's files to the bytes that its server gets.

use super::service::BootService;
use super::sources::{Failure, Sources};
use super::table::BootTable;
use super::token::Token;
use crate::http::application::{Application, ServiceKey};
use crate::images::serve::{Content, Source};
use crate::images::settings::SettingValues;
use crate::images::store::{Contents, StoreError};
use crate::images::target::{Rendered, Target};
use crate::images::template::deep::{self, Busy};
use crate::images::template::{self, Template, TemplateError};
use crate::images::variables::Variables;
use bootledger_aggregates::boot_image::{BootFile, FileKind};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::setting::SettingName;
use bootledger_aggregates::values::sha256::Sha256;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Digest;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::{Arc, LazyLock};

/// Why a file cannot be served.
#[derive(Debug, thiserror::Error)]
pub(super) enum RenderError {
    #[error("the boot image {image}, revision {revision}, has no script (a file of kind boot_ipxe)")]
    NoScript { image: Name, revision: u32 },
    #[error("the template {file} of the boot image {image}, revision {revision}, cannot be rendered: {source}")]
    Template { file: Name, image: Name, revision: u32, source: TemplateError },
    #[error("the template {file} of the boot image {image}, revision {revision}, needs a secret that cannot be read: {problem}")]
    Secret { file: Name, image: Name, revision: u32, problem: String },
    #[error("the template {file} of the boot image {image}, revision {revision}, is not rendered now: {source}")]
    Busy { file: Name, image: Name, revision: u32, source: Busy },
    #[error("the file {file} of the boot image {image}, revision {revision}, cannot be read: {source}")]
    Store { file: Name, image: Name, revision: u32, source: StoreError },
}

/// The file that `/pxe/` serves, with its name.
pub(super) fn script_of(target: &Target) -> Result<(&Name, &BootFile), RenderError> {
    let image = &target.image;
    let none = || RenderError::NoScript { image: image.name.clone(), revision: image.revision };
    image.file_of_kind(FileKind::BootIpxe).ok_or_else(none)
}

/// A file of a target's image: a template is rendered, any other file is served as stored.
pub(super) async fn file(service: &BootService, target: &Target, name: &Name, file: &BootFile) -> Result<Content, RenderError> {
    if !file.template {
        let contents = Contents::new(Arc::clone(&service.application.files));
        return Ok(Content { sha256: file.sha256, size: file.size, source: Source::Stored(contents) });
    }
    let (image, revision) = (&target.image.name, target.image.revision);
    let failed = |failure| match failure {
        Failure::Template(source) => RenderError::Template { file: name.clone(), image: image.clone(), revision, source },
        Failure::Busy(source) => RenderError::Busy { file: name.clone(), image: image.clone(), revision, source },
        Failure::Store(source) => RenderError::Store { file: name.clone(), image: image.clone(), revision, source },
        Failure::Secret(problem) => RenderError::Secret { file: name.clone(), image: image.clone(), revision, problem },
    };
    let Made { bytes, sha256, .. } =
        made(&service.application, &service.table.sources, target, (name, file)).await.map_err(failed)?;
    Ok(Content { sha256, size: bytes.len() as u64, source: Source::Memory(bytes.into()) })
}

/// A rendered template.
struct Made {
    template: Arc<Template>,
    bytes: Vec<u8>,
    /// The hash by which the log and the entity tag name the file.
    sha256: Sha256,
}

/// Renders a template with the real values, only for its server.
async fn made(
    application: &Application,
    sources: &Sources,
    target: &Target,
    (name, file): (&Name, &BootFile),
) -> Result<Made, Failure> {
    let contents = Contents::new(Arc::clone(&application.files));
    let template = sources.template(&contents, file).await?;
    let token = Token::of(&application.key, target.identity.deployment);
    let mut secrets = vec![];
    let secret = |name: &Name| {
        let secret = application.commands.boot_secret(name)?.expose().to_owned();
        secrets.push((name.clone(), secret.clone()));
        Ok(secret)
    };
    let settings = SettingValues::of_file(&target.image, file.kind, &file.settings, &target.settings, secret);
    let settings = settings.map_err(Failure::Secret)?;
    let variables = Variables::new(target, name, file.kind, base_url(application, target), token.as_str(), settings);
    let used = (name, file.kind, &file.settings);
    let bytes = match template.rendered(variables).await {
        Ok(bytes) => bytes,
        // The engine's message may contain a value, and is logged, sent to the server and shown to users.
        Err(template::RenderError::Template(error)) => {
            return Err(match masked(application, target, used, &template, MASK).await {
                Err(error) => error.into(),
                Ok(_) => Failure::Template(without_values(&error)),
            });
        }
        Err(error) => return Err(error.into()),
    };
    let with_secrets = target.image.secrets_of(file).next().is_some();
    let sha256 = if with_secrets || template.changes_token() {
        let text = masked(application, target, used, &template, &TOKEN_MASK).await.unwrap_or_default();
        keyed(&application.key, target, file, &text, &secrets)
    } else {
        Sha256::new(sha2::Sha256::digest(&bytes).into())
    };
    Ok(Made { template, bytes, sha256 })
}

/// The error without the engine's message.
fn without_values(error: &TemplateError) -> TemplateError {
    TemplateError { line: error.line, message: "it cannot be rendered with the values of its secrets".to_owned() }
}

/// The URL at which a target's server reaches the boot pages.
fn base_url<'a>(application: &'a Application, target: &'a Target) -> &'a str {
    target.place.boot_url.as_ref().unwrap_or(&application.base_url).as_str()
}

/// The purpose of this use of the key. No other use of the key can result in the same names.
const PURPOSE: &[u8] = b"bootledger boot file with secrets 2\0";
const EARLIER_PURPOSE: &[u8] = b"bootledger boot file with secrets 1\0";

/// The name of a file with secrets or with a changed token, in the log and as its entity tag: an HMAC under the service's key
/// of everything that is known of the file, and of each secret as a whole. From a plain hash, a reader of the log could guess
/// passwords until one fits, because all else in the file is known; and from a hash of the bytes, an author of templates could
/// find out a part of the token by comparing which files are equal.
fn keyed(key: &ServiceKey, target: &Target, file: &BootFile, text: &str, secrets: &[(Name, String)]) -> Sha256 {
    let deployment = target.identity.deployment.to_string();
    let mut parts = vec![PURPOSE, deployment.as_bytes(), file.sha256.bytes(), text.as_bytes()];
    parts.extend(secrets.iter().flat_map(|(name, secret)| [name.as_str().as_bytes(), secret.as_bytes()]));
    hmac(key, &parts)
}

/// The name of the same file with secrets before version 2.
fn earlier(key: &ServiceKey, bytes: &[u8]) -> Sha256 {
    // The purpose contains its own end.
    hmac_of(key, |mac| {
        mac.update(EARLIER_PURPOSE);
        mac.update(bytes);
    })
}

fn hmac(key: &ServiceKey, parts: &[&[u8]]) -> Sha256 {
    hmac_of(key, |mac| {
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
    })
}

fn hmac_of(key: &ServiceKey, update: impl FnOnce(&mut Hmac<sha2::Sha256>)) -> Sha256 {
    // An HMAC accepts a key of any length, so the error cannot happen; zeros would reveal nothing.
    let mut name = [0; 32];
    if let Ok(mut mac) = Hmac::<sha2::Sha256>::new_from_slice(key.bytes()) {
        update(&mut mac);
        name = mac.finalize().into_bytes().into();
    }
    Sha256::new(name)
}

/// The mask that replaces the token and secrets in previews, which users may share.
pub(crate) const MASK: &str = "••••••";

/// A mask with as many characters as a token, for templates that use parts of it.
static TOKEN_MASK: LazyLock<String> = LazyLock::new(|| "•".repeat(64));

/// A template as a target's server would get it, except for its token and its secrets, which are not even read.
pub(crate) async fn preview(
    application: &Application,
    target: &Target,
    name: &Name,
    kind: FileKind,
    template: &str,
) -> Result<String, TemplateError> {
    let _looking = deep::look()?;
    let (template, used) = Template::read_with(template.to_owned(), target.image.settings.clone()).await?;
    match masked(application, target, (name, kind, &used), &Arc::new(template), MASK).await {
        Ok(text) => Ok(text),
        Err(template::RenderError::Template(error)) => Err(error),
        Err(template::RenderError::Busy(busy)) => Err(busy.into()),
    }
}

async fn masked(
    application: &Application,
    target: &Target,
    (name, kind, used): (&Name, FileKind, &BTreeSet<SettingName>),
    template: &Arc<Template>,
    token: &str,
) -> Result<String, template::RenderError> {
    let mask = |_: &Name| Ok::<_, Infallible>(MASK.to_owned());
    let Ok(settings) = SettingValues::of_file(&target.image, kind, used, &target.settings, mask);
    let variables = Variables::new(target, name, kind, base_url(application, target), token, settings);
    let bytes = template.rendered(variables).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A file that a server received, as users may see it.
pub(crate) struct Shown {
    /// The name of the file; the same text with another token, or with other secrets, has another name.
    pub(crate) sha256: Sha256,
    /// The names of the same bytes in earlier versions. They must not be shown.
    earlier: [Sha256; 2],
    /// The text of the file, rendered with masks in place of the token and of secrets.
    pub(crate) text: String,
}

impl Shown {
    #[cfg(test)]
    pub(crate) fn of(sha256: Sha256, text: &str) -> Self {
        Self { sha256, earlier: [sha256; 2], text: text.to_owned() }
    }

    /// Whether these are the bytes that were recorded under this name.
    pub(crate) fn is(&self, recorded: Sha256) -> bool {
        self.sha256 == recorded || self.earlier.contains(&recorded)
    }
}

/// A template of a target's image as it was served, or would be now. `Err` is the message why it cannot be rendered.
pub(crate) async fn as_served(
    application: &Application,
    table: &BootTable,
    target: &Target,
    name: &Name,
) -> Result<Shown, String> {
    let file = target.image.files.get(name).filter(|file| file.template);
    let file =
        file.ok_or_else(|| format!("the boot image has no template {name}; files that are not templates are served unchanged"))?;
    let _looking = deep::look().map_err(|busy| busy.to_string())?;
    // The real bytes are only hashed. The text is rendered with the masks, because a filter may have changed the form
    // of a secret.
    let made = made(application, &table.sources, target, (name, file)).await;
    let Made { template, bytes, sha256 } = made.map_err(|error| error.to_string())?;
    let text = masked(application, target, (name, file.kind, &file.settings), &template, MASK).await;
    let earlier = [Sha256::new(sha2::Sha256::digest(&bytes).into()), earlier(&application.key, &bytes)];
    Ok(Shown { sha256, earlier, text: text.map_err(|error| error.to_string())? })
}

/// Renders a target's script before the server requests it. So a script that cannot be rendered is logged as soon as the
/// deployment is in progress, and the server's request is answered from memory.
pub(super) async fn prepare(service: &BootService, target: &Target) -> Result<(), RenderError> {
    if target.script().is_some() {
        return Ok(());
    }
    let (name, script) = script_of(target)?;
    if let Content { sha256, source: Source::Memory(bytes), .. } = file(service, target, name, script).await? {
        service.table.keep_script(target, Rendered::new(bytes, sha256));
    }
    Ok(())
}
