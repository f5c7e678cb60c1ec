//! Words for actors: the subject of a sentence about an event.

use bootledger_aggregates::actor::SystemActor;

/// Who or what acted, in the middle of a sentence, such as `user ada` or `the reactor`.
pub fn actor(code: &str) -> &str {
    match SystemActor::of_code(code) {
        Some(SystemActor::CatalogueFile) => "an import of a catalogue file",
        Some(SystemActor::CommandLine) => "an administrator on the command line",
        Some(SystemActor::Demo) => "the set-up of the demo",
        Some(SystemActor::DriftCheck) => "a drift check",
        Some(SystemActor::FirstStart) => "the first start of the service",
        Some(SystemActor::Reactor) => "the reactor",
        Some(SystemActor::Service) => "the service",
        None if code.is_empty() => "an unknown actor",
        None => code,
    }
}
