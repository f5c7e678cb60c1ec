//! User stories on the pages: each starts the service over a database of its own and drives real pages in a browser.

mod api_docs;
mod axe;
mod behind;
mod cancel;
mod centre;
mod csv;
mod deploy;
mod first_sign_in;
mod installer;
mod jobs;
mod keyboard;
mod live;
mod openid;
mod refused;
mod routes;
mod tabs;
mod viewer;
mod walk;
mod without_script;
