//! The types of objects and of their events.

use bootledger_aggregates::event::KINDS;

/// The type of aggregate that a text names, regardless of case, number, spaces and hyphens: `boot-images` is `boot_image`.
pub(crate) fn kind_of(text: &str) -> Option<&'static str> {
    let plain = text.trim().to_lowercase().replace([' ', '-'], "_");
    let singular = plain.strip_suffix('s').unwrap_or(&plain);
    KINDS.iter().map(|(kind, _)| *kind).find(|kind| *kind == plain || *kind == singular)
}

/// All types of events, with the type of their aggregate.
pub(crate) fn event_types() -> impl Iterator<Item = (&'static str, &'static str)> {
    KINDS.iter().flat_map(|(kind, types)| types.iter().map(move |event_type| (*kind, *event_type)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_objects_are_found_in_any_form() {
        assert_eq!(
            ["Devices", "boot image", "dhcp-servers", "nothing"].map(kind_of),
            [Some("device"), Some("boot_image"), Some("dhcp_server"), None]
        );
    }
}
