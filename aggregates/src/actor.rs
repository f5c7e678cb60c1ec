//! Who causes events. Events store a code: the kind and the name of a user, token, plugin or server, such as `user ada` or
//! `plugin dns`, or one word for a part of Bootledger. The web crate writes the words that people read.

/// A part of Bootledger that causes events, or a way in which an administrator uses the program without signing in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemActor {
    /// The import of a catalogue file.
    CatalogueFile,
    /// A command that an administrator runs on the machine.
    CommandLine,
    /// The set-up of the demo.
    Demo,
    /// The comparison of a site's DNS and DHCP servers with what they should have.
    DriftCheck,
    /// The first start of the service, which creates the administrator.
    FirstStart,
    /// The worker that runs the plugins of deployments.
    Reactor,
    /// The service, for everything else that happens without a request.
    Service,
}

impl SystemActor {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::CatalogueFile, Self::CommandLine, Self::Demo, Self::DriftCheck, Self::FirstStart, Self::Reactor, Self::Service];

    /// The code in events. It is stored permanently.
    pub fn code(self) -> &'static str {
        match self {
            Self::CatalogueFile => "catalogue_file",
            Self::CommandLine => "command_line",
            Self::Demo => "demo",
            Self::DriftCheck => "drift_check",
            Self::FirstStart => "first_start",
            Self::Reactor => "reactor",
            Self::Service => "service",
        }
    }

    /// The actor with this code, if it is one of Bootledger's own.
    pub fn of_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|actor| actor.code() == code)
    }
}

/// The code of the actor in a stored event. Until November 2026, events had words with spaces for some actors.
pub fn upcast(actor: String) -> String {
    let actor_of_words = match actor.as_str() {
        "catalogue file" => SystemActor::CatalogueFile,
        "command line" => SystemActor::CommandLine,
        "drift check" => SystemActor::DriftCheck,
        "first start" => SystemActor::FirstStart,
        _ => return actor,
    };
    actor_of_words.code().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{SystemActor, upcast};

    #[test]
    fn stored_words_are_read_as_codes_and_everything_else_as_it_is() {
        for (stored, code) in [
            ("catalogue file", "catalogue_file"),
            ("command line", "command_line"),
            ("drift check", "drift_check"),
            ("first start", "first_start"),
            ("demo", "demo"),
            ("reactor", "reactor"),
            ("service", "service"),
            ("user ada", "user ada"),
            ("", ""),
        ] {
            assert_eq!(upcast(stored.to_owned()), code);
        }
        for actor in SystemActor::ALL {
            assert_eq!(
                (SystemActor::of_code(actor.code()), upcast(actor.code().to_owned())),
                (Some(actor), actor.code().to_owned())
            );
        }
        assert_eq!(SystemActor::of_code("user service"), None);
    }
}
