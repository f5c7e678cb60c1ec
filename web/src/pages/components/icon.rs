//! Icons. They add nothing to the text beside them, so they are hidden from screen readers.

use crate::pages::assets;
use maud::{Markup, html};

/// The names of all icons. `icon` with another name draws nothing.
#[cfg(test)]
pub(crate) const ALL: &[&str] = &[
    "speedometer2",
    "rocket-takeoff",
    "hdd-rack",
    "pc-horizontal",
    "diagram-3",
    "globe2",
    "router",
    "disc",
    "people",
    "building",
    "clock-history",
    "gear",
    "box-arrow-right",
    "check-circle-fill",
    "exclamation-triangle-fill",
    "x-circle-fill",
    "hourglass-split",
    "dash-circle",
    "circle",
    "arrow-repeat",
    "play-fill",
    "lock-fill",
    "search",
    "clipboard",
    "plus-lg",
    "download",
    "pencil",
    "trash",
    "info-circle-fill",
    "person-circle",
    "key",
    "power",
    "upload",
    "list",
    "server",
];

/// An icon of the sprite.
pub(crate) fn icon(name: &str) -> Markup {
    html! { svg.icon aria-hidden="true" { use href=(format!("{}#{name}", assets::ICONS.url())) {} } }
}
