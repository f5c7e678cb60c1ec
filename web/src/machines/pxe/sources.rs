//! Compiled templates, so that a template is read and parsed once for all servers.

use crate::images::store::{Contents, StoreError};
use crate::images::template::deep::Busy;
use crate::images::template::{self, MAX_TEMPLATE, Template, TemplateError};
use bootledger_aggregates::boot_image::BootFile;
use bootledger_aggregates::values::sha256::Sha256;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How many compiled templates are kept; images share them, so there are few.
const KEPT_TEMPLATES: usize = 64;

/// Compiled templates, by their hash.
#[derive(Debug, Default)]
pub(super) struct Sources(Mutex<HashMap<Sha256, Arc<Template>>>);

impl Sources {
    /// The compiled template of a file.
    pub(super) async fn template(&self, contents: &Contents, file: &BootFile) -> Result<Arc<Template>, Failure> {
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
        let template = Arc::new(Template::read(text.to_owned()).await.map_err(Failure::Template)?);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_TEMPLATES {
            kept.clear();
        }
        kept.insert(file.sha256, Arc::clone(&template));
        Ok(template)
    }
}

/// Why a template is not rendered.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Template(TemplateError),
    #[error(transparent)]
    Busy(Busy),
    #[error(transparent)]
    Store(StoreError),
    #[error("it needs a secret that cannot be read: {0}")]
    Secret(String),
}

impl From<template::RenderError> for Failure {
    fn from(error: template::RenderError) -> Self {
        match error {
            template::RenderError::Template(error) => Self::Template(error),
            template::RenderError::Busy(busy) => Self::Busy(busy),
        }
    }
}
