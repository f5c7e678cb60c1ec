//! Decides the answer to a request before anything is sent: a file and the options of its transfer, or a refusal. It reads from
//! the disk, and uses no socket and no clock.

use super::options::{Agreement, agree};
use super::packet::{Code, Packet, Request};
use super::{Malformed, Outcome};
use bootledger_web::boot::loaders::{Loader, LoaderError, Loaders};

/// The answer to the first packet.
#[derive(Debug)]
pub(super) enum Opening {
    /// The file is sent with these options.
    Send(Loader, Agreement),
    /// The request is refused with this message, and counted as this outcome.
    Refuse(Code, String, Outcome),
    /// The file cannot be read.
    Fail(LoaderError),
    /// Nothing is sent.
    Nothing,
}

/// The only mode in which files are sent.
pub(super) const OCTET: &str = "octet";

/// The answer to the first packet, which may be any bytes.
pub(super) fn open(loaders: &Loaders, packet: &Result<Packet, Malformed>) -> Opening {
    match packet {
        Ok(Packet::Read(request)) => read(loaders, request),
        Ok(Packet::Write) => refuse(Code::AccessViolation, "nothing is written here"),
        Ok(Packet::Acknowledgement(_) | Packet::Error(..) | Packet::Stray) | Err(Malformed::Short) => Opening::Nothing,
        Err(malformed) => refuse(Code::IllegalOperation, &malformed.to_string()),
    }
}

fn read(loaders: &Loaders, request: &Request) -> Opening {
    if request.mode != OCTET {
        return refuse(Code::NotDefined, "files are sent in octet (binary) mode only");
    }
    match loaders.open(&request.file) {
        Ok(loader) => {
            let agreement = agree(&request.options, loader.size);
            Opening::Send(loader, agreement)
        }
        Err(error @ (LoaderError::Outside | LoaderError::Refused(_))) => refuse(Code::AccessViolation, &error.to_string()),
        Err(LoaderError::Missing) => Opening::Refuse(Code::FileNotFound, "no such file".to_owned(), Outcome::Missing),
        Err(error) => Opening::Fail(error),
    }
}

fn refuse(code: Code, words: &str) -> Opening {
    Opening::Refuse(code, words.to_owned(), Outcome::Refused)
}
