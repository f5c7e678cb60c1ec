//! Encodes and decodes TFTP packets (RFC 1350, 5; RFC 2347). Does no I/O: any bytes are either a packet or not.

/// The maximum size of a request (RFC 2347).
pub(super) const LARGEST_REQUEST: usize = 512;

/// The size of the header before a block's data.
pub(super) const DATA_HEADER: usize = 4;

/// The error codes of an error packet (RFC 1350, 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    NotDefined = 0,
    FileNotFound = 1,
    AccessViolation = 2,
    IllegalOperation = 4,
}

/// A packet from a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Packet {
    Read(Request),
    Write,
    Acknowledgement(u16),
    Error(u16, String),
    /// Data, or an acknowledgement of options, which no client of this server sends.
    Stray,
}

/// A request to read a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// The file name as it was sent, unchecked. Firmware may have added bytes that are not text.
    pub(super) file: Vec<u8>,
    /// The mode in lower case, such as `octet`.
    pub(super) mode: String,
    /// The options: names, in lower case, and values.
    pub(super) options: Vec<(String, String)>,
}

/// Why bytes are not a packet. The message is sent to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("not a TFTP packet")]
    Short,
    #[error("TFTP has no such operation")]
    Operation,
    #[error("a request has a file's name and a mode, each with a zero byte behind it, in at most 512 bytes")]
    Request,
}

impl Packet {
    /// Parses a packet.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let (&operation, rest) = bytes.split_first_chunk::<2>().ok_or(Malformed::Short)?;
        let number = || rest.first_chunk::<2>().map(|number| u16::from_be_bytes(*number)).ok_or(Malformed::Short);
        match u16::from_be_bytes(operation) {
            1 => Request::parse(rest).map(Self::Read),
            2 => Ok(Self::Write),
            3 | 6 => Ok(Self::Stray),
            4 => number().map(Self::Acknowledgement),
            5 => {
                let message = rest.get(2..).unwrap_or_default().split(|byte| *byte == 0).next().unwrap_or_default();
                Ok(Self::Error(number()?, String::from_utf8_lossy(message).into_owned()))
            }
            _ => Err(Malformed::Operation),
        }
    }
}

impl Request {
    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() + 2 > LARGEST_REQUEST {
            return Err(Malformed::Request);
        }
        let mut texts = bytes.split_inclusive(|byte| *byte == 0).map_while(|text| text.strip_suffix(b"\0"));
        let file = texts.next().ok_or(Malformed::Request)?.to_vec();
        let mode = lower(texts.next().ok_or(Malformed::Request)?);
        let mut options = vec![];
        // Some firmware pads its request with zeros: an option without a name, or without a value, ends the list.
        while let (Some(name), Some(value)) = (texts.next().filter(|name| !name.is_empty()), texts.next()) {
            options.push((lower(name), String::from_utf8_lossy(value).into_owned()));
        }
        Ok(Self { file, mode, options })
    }
}

/// A word in lower case. A word with bytes that are not text becomes an unknown one.
fn lower(word: &[u8]) -> String {
    String::from_utf8_lossy(word).to_ascii_lowercase()
}

/// Writes a block's header and data into `packet`, replacing its content.
pub(super) fn data(packet: &mut Vec<u8>, block: u64, content: &[u8]) {
    packet.clear();
    packet.extend_from_slice(&3_u16.to_be_bytes());
    packet.extend_from_slice(&wire(block).to_be_bytes());
    packet.extend_from_slice(content);
}

/// The number of a block in a packet. It restarts at zero after 65535, as expected by every client that fetches larger files.
pub(super) fn wire(block: u64) -> u16 {
    let [.., high, low] = block.to_be_bytes();
    u16::from_be_bytes([high, low])
}

/// An error packet of at most `limit` bytes, with a shortened message or none. The message must not contain a zero byte; ours
/// do not.
pub(super) fn error(code: Code, message: &str, limit: usize) -> Vec<u8> {
    let room = message.floor_char_boundary(limit.saturating_sub(5));
    let fitted = message.get(..room).unwrap_or_default();
    // Half a word is worse than none.
    let fitted = if fitted.len() < message.len() { fitted.rsplit_once(' ').map_or("", |(words, _)| words) } else { fitted };
    let mut packet = vec![0, 5, 0, code as u8];
    packet.extend(fitted.bytes().chain([0]));
    packet
}

/// An acknowledgement of options (RFC 2347).
pub(super) fn options(accepted: &[(&str, u64)]) -> Vec<u8> {
    let mut packet = vec![0, 6];
    for (name, value) in accepted {
        packet.extend(name.bytes().chain([0]).chain(value.to_string().into_bytes()).chain([0]));
    }
    packet
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &[u8]) -> Result<Packet, Malformed> {
        Packet::parse(&[b"\0\x01", text].concat())
    }

    fn request(file: &str, mode: &str, options: &[(&str, &str)]) -> Request {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Request { file: file.as_bytes().to_vec(), mode: mode.to_owned(), options }
    }

    #[test]
    fn requests_are_read_with_their_options() {
        assert_eq!(read(b"a.efi\0octet\0"), Ok(Packet::Read(request("a.efi", "octet", &[]))));
        assert_eq!(
            read(b"a.efi\0OCTET\0BLKSIZE\x001428\0tsize\x000\0"),
            Ok(Packet::Read(request("a.efi", "octet", &[("blksize", "1428"), ("tsize", "0")])))
        );
        // The request is padded with zeros, or cut off in the middle of an option.
        assert_eq!(read(b"a\0octet\0\0\0\0\0"), Ok(Packet::Read(request("a", "octet", &[]))));
        // Bytes that are not text are kept in the file name; an option that contains them is unknown.
        let mut with_a_byte = request("", "octet", &[("\u{fffd}", "1"), ("tsize", "0")]);
        with_a_byte.file = b"a.efi\xff".to_vec();
        assert_eq!(read(b"a.efi\xff\0octet\0\xfe\x001\0tsize\x000\0"), Ok(Packet::Read(with_a_byte)));
        // A request of iPXE, which ends with an option that has an empty value.
        let sizes = [("blksize", "1432"), ("tsize", "0"), ("multicast", "")];
        let ipxe = b"a\0octet\0blksize\x001432\0tsize\x000\0multicast\0\0";
        assert_eq!(read(ipxe), Ok(Packet::Read(request("a", "octet", &sizes))));
        assert_eq!(read(b"a\0octet\0tsize\x000\0blksi"), Ok(Packet::Read(request("a", "octet", &[("tsize", "0")]))));
    }

    #[test]
    fn malformed_packets_are_errors() {
        assert_eq!(Packet::parse(b""), Err(Malformed::Short));
        assert_eq!(Packet::parse(b"\0"), Err(Malformed::Short));
        assert_eq!(Packet::parse(b"\0\x04\0"), Err(Malformed::Short));
        assert_eq!(Packet::parse(b"\0\x05\0"), Err(Malformed::Short));
        assert_eq!(Packet::parse(b"\0\x07"), Err(Malformed::Operation));
        assert_eq!(Packet::parse(b"GET / HTTP/1.1"), Err(Malformed::Operation));
        for short in [&b""[..], b"a", b"a\0", b"a\0octet"] {
            assert_eq!(read(short), Err(Malformed::Request), "{short:?}");
        }
        assert_eq!(read(&[b"a".repeat(600), b"\0octet\0".to_vec()].concat()), Err(Malformed::Request));
    }

    #[test]
    fn answers_are_read_as_they_are_written() {
        assert_eq!(Packet::parse(b"\0\x04\x01\x02"), Ok(Packet::Acknowledgement(0x102)));
        assert_eq!(Packet::parse(&error(Code::FileNotFound, "none", 9)), Ok(Packet::Error(1, "none".to_owned())));
        assert_eq!(error(Code::FileNotFound, "no such file", 16), b"\0\x05\0\x01no such\0");
        assert_eq!(error(Code::FileNotFound, "no such file", 0), b"\0\x05\0\x01\0");
        assert_eq!(Packet::parse(b"\0\x05\0\x08"), Ok(Packet::Error(8, String::new())));
        assert_eq!(Packet::parse(b"\0\x02whatever"), Ok(Packet::Write));
        assert_eq!(options(&[("blksize", 1428), ("tsize", 7)]), b"\0\x06blksize\x001428\0tsize\x007\0");
        let mut packet = vec![1; 9];
        data(&mut packet, 65_537, b"ab");
        assert_eq!(packet, b"\0\x03\0\x01ab");
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..1200)) {
            let _ = Packet::parse(&bytes);
        }

        #[test]
        fn any_request_is_read_as_it_was_meant(
            file in "[^\0]{0,60}", mode in "[a-z]{0,8}", options in proptest::collection::vec(("[a-z0-9]{1,9}", "[^\0]{0,9}"), 0..6)
        ) {
            let mut bytes = vec![0, 1];
            let texts = [&file, &mode].into_iter().chain(options.iter().flat_map(|(name, value)| [name, value]));
            for text in texts {
                bytes.extend(text.bytes().chain([0]));
            }
            prop_assert_eq!(Packet::parse(&bytes), Ok(Packet::Read(Request { file: file.into_bytes(), mode, options })));
        }
    }
}
