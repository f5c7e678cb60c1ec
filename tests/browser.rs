//! Stories of people at the pages: each starts the service over a database of its own, and drives real pages in a browser.

mod api_docs;
mod axe;
mod cancel;
mod centre;
mod live;
mod viewer;
mod walk;
