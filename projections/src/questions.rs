//! Questions about several views at once, such as which address is free or what a change of a site affects.

pub mod free;
pub mod held;
pub mod infrastructure;
pub mod repeats;
pub mod role_uses;
pub mod search;
pub mod settings;
pub mod site_uses;
pub mod strays;
pub mod value_history;
pub mod zone_serials;
