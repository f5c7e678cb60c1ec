//! Decides the answer to the first packet before a file is opened: the request for a file, or a refusal.

use super::Malformed;
use super::packet::{Code, Packet, Request};

/// The meaning of the first packet.
#[derive(Debug)]
pub(super) enum Opening<'a> {
    /// The client requests a file.
    Read(&'a Request),
    /// The packet is refused with this message.
    Refuse(Code, String),
    /// Nothing is sent.
    Nothing,
}

/// The only mode in which files are sent.
const OCTET: &str = "octet";

/// The meaning of the first packet, which may be any bytes.
pub(super) fn opening(packet: &Result<Packet, Malformed>) -> Opening<'_> {
    match packet {
        Ok(Packet::Read(request)) if request.mode == OCTET => Opening::Read(request),
        Ok(Packet::Read(_)) => Opening::Refuse(Code::NotDefined, "files are sent in octet (binary) mode only".to_owned()),
        Ok(Packet::Write) => Opening::Refuse(Code::AccessViolation, "writing is not supported".to_owned()),
        Ok(Packet::Acknowledgement(_) | Packet::Error(..) | Packet::Stray) | Err(Malformed::Short) => Opening::Nothing,
        Err(malformed) => Opening::Refuse(Code::IllegalOperation, malformed.to_string()),
    }
}
