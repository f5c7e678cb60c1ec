//! Templates of boot files, in a sandbox.
//!
//! An operator writes a template, and it is rendered while a server boots. So it is checked when it is saved, and can then
//! neither fail at night nor harm the service: variables are strict, nothing can be included or imported (the engine is built
//! without it), loops are bounded (by fuel), the output is bounded, a template can access only the values of one server, and
//! there is no HTML escaping, because no output is HTML. Only the filters and tests named here exist. Rendering reads no clock,
//! no file and no network.
//!
//! A template is measured every time before the engine reads it: one that was saved before a bound existed is refused with the
//! reason, as it would be when it is saved. Templates for people are read and rendered on the threads of `deep`.

mod bounds;
pub(crate) mod deep;
mod engine;
mod error;
mod growth;
mod needs;
mod sandbox;
mod saved;
mod scan;
mod served;
#[cfg(test)]
mod tests;
mod unquoted;
mod writing;

pub use engine::Template;
pub(crate) use error::RenderError;
pub use error::TemplateError;
pub use sandbox::{MAX_OUTPUT, MAX_TEMPLATE};
pub use saved::{Uses, check_template, examine};
pub(crate) use saved::{check_saved, check_stored, samples};
pub(crate) use writing::quoted;
