//! Reads stored contents for a handler, and turns failures of the store into errors of its request.

use super::store::{Contents, StoreError};
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use bootledger_aggregates::values::sha256::Sha256;
use bytes::Bytes;
use std::sync::Arc;

/// Reads a boot file or a log from the store.
///
/// # Errors
/// Returns an error if the store has different bytes or none, or does not answer.
pub(crate) async fn read(backend: &mut Backend, sha256: Sha256, size: u64) -> Result<Bytes, Error> {
    let contents = Contents::new(Arc::clone(&backend.application().files));
    contents.read_whole(sha256, size).await.map_err(store_failed)
}

/// The error of a request for which the store failed.
pub(crate) fn store_failed(error: StoreError) -> Error {
    if matches!(error, StoreError::Missing(_)) {
        return Error::Internal(error.into());
    }
    if let Some(cause) = error.cause() {
        return Error::impeded(cause, error);
    }
    let message = "the store of boot files does not answer; try again".to_owned();
    Error::Unavailable { message, retry_after: 2, source: Some(error.into()) }
}
