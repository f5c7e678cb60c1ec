//! A target's files as the bytes that its server gets.

use super::serve::{Content, Source};
use super::store::{Contents, StoreError};
use super::target::{Rendered, Target};
use super::template::{MAX_TEMPLATE, Template, TemplateError};
use super::token::Token;
use super::variables::Variables;
use crate::application::Application;
use bootledger_aggregates::boot_image::{BootFile, FileKind};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::sha256::Sha256;
use sha2::Digest;
use std::collections::HashMap;
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
    };
    let template = application.boot.sources.template(&contents, file).await.map_err(failed)?;
    let token = Token::of(&application.key, target.identity.deployment);
    let variables = Variables::new(target, name, file.kind, base_url(application, target), token.as_str());
    let bytes = template.render(variables).map_err(|error| failed(Failure::Template(error)))?;
    let sha256 = Sha256::new(sha2::Sha256::digest(&bytes).into());
    Ok(Content { sha256, size: bytes.len() as u64, source: Source::Memory(bytes.into()) })
}

/// Where a target's server reaches the boot pages.
fn base_url<'a>(application: &'a Application, target: &'a Target) -> &'a str {
    target.place.boot_url.as_ref().unwrap_or(&application.base_url).as_str()
}

/// What stands for the token in previews, which people show each other.
pub(crate) const MASK: &str = "********";

/// A template as a target's server would get it, but for its token.
pub(crate) fn preview(
    application: &Application,
    target: &Target,
    name: &Name,
    kind: FileKind,
    template: &str,
) -> Result<String, TemplateError> {
    let variables = Variables::new(target, name, kind, base_url(application, target), MASK);
    let bytes = Template::parse(template)?.render(variables)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A template of a target's image as it was served, or would be now: the hash of its true bytes, and its text with the token
/// masked. `Err` says in words why there is none.
pub(crate) async fn as_served(application: &Application, target: &Target, name: &Name) -> Result<(Sha256, String), String> {
    let file = target.image.files.get(name).filter(|file| file.template);
    let file = file.ok_or_else(|| format!("the boot image has no template {name}; other files are served as they are stored"))?;
    let content = self::file(application, target, name, file).await.map_err(|error| error.to_string())?;
    let Source::Memory(bytes) = content.source else {
        return Err(format!("{name} is served as it is stored"));
    };
    let token = Token::of(&application.key, target.identity.deployment);
    Ok((content.sha256, String::from_utf8_lossy(&bytes).replace(token.as_str(), MASK)))
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
