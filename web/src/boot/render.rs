//! A target's files as the bytes that its server gets.

use super::serve::{Content, Source};
use super::settings::SettingValues;
use super::store::{Contents, StoreError};
use super::target::{Rendered, Target};
use super::template::{MAX_TEMPLATE, Template, TemplateError};
use super::token::Token;
use super::variables::Variables;
use crate::application::{Application, ServiceKey};
use bootledger_aggregates::boot_image::{BootFile, FileKind};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::setting::SettingName;
use bootledger_aggregates::values::sha256::Sha256;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Digest;
use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

/// How many templates are kept compiled; images share them, so there are few.
const KEPT_TEMPLATES: usize = 64;

/// Why a file cannot be served.
#[derive(Debug, thiserror::Error)]
pub(super) enum RenderError {
    #[error("the boot image {image}, revision {revision}, has no script (a file of kind boot_ipxe)")]
    NoScript { image: Name, revision: u32 },
    #[error("the template {file} of the boot image {image}, revision {revision}, cannot be rendered: {source}")]
    Template { file: Name, image: Name, revision: u32, source: TemplateError },
    #[error("the template {file} of the boot image {image}, revision {revision}, needs a secret that cannot be read: {problem}")]
    Secret { file: Name, image: Name, revision: u32, problem: String },
    #[error("the file {file} of the boot image {image}, revision {revision}, cannot be read: {source}")]
    Store { file: Name, image: Name, revision: u32, source: StoreError },
}

/// Templates that were compiled, by their hash.
#[derive(Debug, Default)]
pub(super) struct Sources(Mutex<HashMap<Sha256, Arc<Template>>>);

impl Sources {
    async fn template(&self, contents: &Contents, file: &BootFile) -> Result<Arc<Template>, Failure> {
        if let Some(template) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&file.sha256) {
            return Ok(Arc::clone(template));
        }
        let too_long = || TemplateError { line: 0, message: format!("a template has at most {MAX_TEMPLATE} bytes") };
        if file.size > MAX_TEMPLATE as u64 {
            return Err(Failure::Template(too_long()));
        }
        let bytes = contents.read_whole(file.sha256, file.size).await.map_err(Failure::Store)?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| Failure::Template(TemplateError { line: 0, message: "a template is UTF-8".to_owned() }))?;
        let template = Arc::new(Template::parse(text).map_err(Failure::Template)?);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_TEMPLATES {
            kept.clear();
        }
        kept.insert(file.sha256, Arc::clone(&template));
        Ok(template)
    }
}

enum Failure {
    Template(TemplateError),
    Store(StoreError),
    Secret(String),
}

/// The file that `/pxe/` serves, with its name.
pub(super) fn script_of(target: &Target) -> Result<(&Name, &BootFile), RenderError> {
    let image = &target.image;
    let none = || RenderError::NoScript { image: image.name.clone(), revision: image.revision };
    image.file_of_kind(FileKind::BootIpxe).ok_or_else(none)
}

/// A file of a target's image: a template rendered, anything else as it is stored.
pub(super) async fn file(
    application: &Application,
    target: &Target,
    name: &Name,
    file: &BootFile,
) -> Result<Content, RenderError> {
    let contents = Contents::new(Arc::clone(&application.files));
    if !file.template {
        return Ok(Content { sha256: file.sha256, size: file.size, source: Source::Stored(contents) });
    }
    let (image, revision) = (&target.image.name, target.image.revision);
    let failed = |failure| match failure {
        Failure::Template(source) => RenderError::Template { file: name.clone(), image: image.clone(), revision, source },
        Failure::Store(source) => RenderError::Store { file: name.clone(), image: image.clone(), revision, source },
        Failure::Secret(problem) => RenderError::Secret { file: name.clone(), image: image.clone(), revision, problem },
    };
    let template = application.boot.sources.template(&contents, file).await.map_err(failed)?;
    let token = Token::of(&application.key, target.identity.deployment);
    let secret = |name: &Name| application.commands.boot_secret(name).map(|secret| secret.expose().to_owned());
    let settings = SettingValues::of_file(&target.image, file.kind, &file.settings, &target.settings, secret);
    let settings = settings.map_err(|problem| failed(Failure::Secret(problem)))?;
    let variables = Variables::new(target, name, file.kind, base_url(application, target), token.as_str(), settings);
    let with_secrets = target.image.secrets_of(file).next().is_some();
    let rendered = template.render(variables).map_err(|error| if with_secrets { without_values(&error) } else { error });
    let bytes = rendered.map_err(|error| failed(Failure::Template(error)))?;
    let sha256 = if with_secrets { keyed(&application.key, &bytes) } else { Sha256::new(sha2::Sha256::digest(&bytes).into()) };
    Ok(Content { sha256, size: bytes.len() as u64, source: Source::Memory(bytes.into()) })
}

/// The error without the engine's words, which may repeat a value: it is logged and sent to the server.
fn without_values(error: &TemplateError) -> TemplateError {
    TemplateError { line: error.line, message: "it cannot be rendered with the values of its secrets".to_owned() }
}

/// Where a target's server reaches the boot pages.
fn base_url<'a>(application: &'a Application, target: &'a Target) -> &'a str {
    target.place.boot_url.as_ref().unwrap_or(&application.base_url).as_str()
}

/// Says what the key is used for, so that no other use of it names files.
const PURPOSE: &[u8] = b"bootledger boot file with secrets 1\0";

/// What names a file with secrets, in the log and as its entity tag: an HMAC under the service's key. From a plain hash,
/// a reader of the log could try passwords until one fits, since all else in the file is known.
fn keyed(key: &ServiceKey, bytes: &[u8]) -> Sha256 {
    // An HMAC takes a key of any length, so the error cannot happen; zeros would give nothing away.
    let mut name = [0; 32];
    if let Ok(mut mac) = Hmac::<sha2::Sha256>::new_from_slice(key.bytes()) {
        mac.update(PURPOSE);
        mac.update(bytes);
        name = mac.finalize().into_bytes().into();
    }
    Sha256::new(name)
}

/// What stands for the token and for secrets in previews, which people show each other.
pub(crate) const MASK: &str = "••••••";

/// A template as a target's server would get it, but for its token and its secrets, which are not even read.
pub(crate) fn preview(
    application: &Application,
    target: &Target,
    name: &Name,
    kind: FileKind,
    template: &str,
) -> Result<String, TemplateError> {
    let template = Template::parse(template)?;
    let used = template.settings(&target.image.settings)?;
    masked(application, target, (name, kind), &used, &template)
}

fn masked(
    application: &Application,
    target: &Target,
    (name, kind): (&Name, FileKind),
    used: &BTreeSet<SettingName>,
    template: &Template,
) -> Result<String, TemplateError> {
    let mask = |_: &Name| Ok::<_, Infallible>(MASK.to_owned());
    let Ok(settings) = SettingValues::of_file(&target.image, kind, used, &target.settings, mask);
    let variables = Variables::new(target, name, kind, base_url(application, target), MASK, settings);
    let bytes = template.render(variables)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A template of a target's image as it was served, or would be now: what its true bytes are recorded as, and its text with
/// token and secrets masked. `Err` says in words why there is none.
pub(crate) async fn as_served(application: &Application, target: &Target, name: &Name) -> Result<(Sha256, String), String> {
    let file = target.image.files.get(name).filter(|file| file.template);
    let file = file.ok_or_else(|| format!("the boot image has no template {name}; other files are served as they are stored"))?;
    let content = self::file(application, target, name, file).await.map_err(|error| error.to_string())?;
    // The true bytes are only hashed. The text is rendered with the masks, because a filter may have written a secret in
    // another way than it is.
    let contents = Contents::new(Arc::clone(&application.files));
    let template = match application.boot.sources.template(&contents, file).await {
        Ok(template) => template,
        Err(Failure::Template(error)) => return Err(error.to_string()),
        Err(Failure::Store(error)) => return Err(error.to_string()),
        Err(Failure::Secret(problem)) => return Err(problem),
    };
    let text = masked(application, target, (name, file.kind), &file.settings, &template).map_err(|error| error.to_string())?;
    Ok((content.sha256, text))
}

/// Renders a target's script before it is asked for, so that a script which cannot be rendered is told in the log when
/// the deployment comes to be in progress, and the server's request is answered from memory.
pub(super) async fn prepare(application: &Application, target: &Target) -> Result<(), RenderError> {
    if target.script().is_some() {
        return Ok(());
    }
    let (name, script) = script_of(target)?;
    if let Content { sha256, source: Source::Memory(bytes), .. } = file(application, target, name, script).await? {
        application.boot.keep_script(target, Rendered::new(bytes, sha256));
    }
    Ok(())
}
