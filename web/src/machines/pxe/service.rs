//! The boot service: the state that the routes of booting servers share, over HTTP and over TFTP.

use super::table::BootTable;
use crate::http::application::Application;
use std::sync::Arc;

/// The application, and the deployments in progress. Cheap to clone.
#[derive(Clone)]
pub struct BootService {
    /// The application, as all other handlers have it.
    pub application: Application,
    /// The deployments in progress, in memory.
    pub table: Arc<BootTable>,
}
