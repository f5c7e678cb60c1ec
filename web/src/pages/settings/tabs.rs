//! The tabs of the pages below `/settings`.

use crate::pages::components::block::tabs;
use maud::Markup;

/// The tabs of all settings; `current` is this page's path.
pub(super) fn tabs_of(current: &str) -> Markup {
    let all = [
        ("Your account", "/settings"),
        ("Users", "/settings/users"),
        ("Tokens", "/settings/tokens"),
        ("Sessions", "/settings/sessions"),
        ("Secrets", "/settings/secrets"),
        ("Webhooks", "/settings/webhooks"),
    ];
    let all: Vec<(&str, String, bool)> = all.into_iter().map(|(name, path)| (name, path.to_owned(), path == current)).collect();
    tabs("Settings", &all)
}
