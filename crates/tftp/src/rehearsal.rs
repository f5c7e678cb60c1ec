//! A conversation without a network, for the fuzz target and the property tests: it takes the packets of one client and returns
//! what the server would send. It uses the same parts as a transfer, except for sockets and waits.

use super::OpenError;
use super::opening::{Opening, opening};
use super::options::agree;
use super::packet::{self, Code, Packet};
use super::transfer::LARGEST_REFUSAL;
use super::window::{Step, Window};
use std::fs::File;
use std::ops::RangeInclusive;
use std::os::unix::fs::FileExt;

/// The packets that would be sent.
#[derive(Debug, Default)]
pub struct Rehearsal {
    /// The packets that answer each packet of the client.
    pub answers: Vec<Vec<Vec<u8>>>,
    /// The negotiated block size in bytes and window size in blocks; zero if no file is sent.
    pub agreed: (u64, u64),
}

/// The packets that the server sends to a client with these packets, the first one to the server's port and the others to the
/// transfer's. `open` opens a file by the requested name, and returns its size, too.
pub fn rehearse(open: impl Fn(&[u8]) -> Result<(File, u64), OpenError>, packets: &[&[u8]]) -> Rehearsal {
    let mut rehearsal = Rehearsal::default();
    let Some((first, later)) = packets.split_first() else { return rehearsal };
    let limit = LARGEST_REFUSAL * first.len();
    let packet = Packet::parse(first);
    let opened = match opening(&packet) {
        Opening::Read(request) => match open(&request.file) {
            Ok((file, size)) => Ok((file, size, agree(&request.options, size))),
            Err(error @ OpenError::Missing) => Err((Code::FileNotFound, error.to_string())),
            Err(error @ OpenError::Refused(_)) => Err((Code::AccessViolation, error.to_string())),
            Err(OpenError::Unreadable(_)) => return rehearsal,
        },
        Opening::Refuse(code, words) => Err((code, words)),
        Opening::Nothing => return rehearsal,
    };
    let (file, size, agreement) = match opened {
        Ok(opened) => opened,
        Err((code, words)) => {
            rehearsal.answers.push(vec![packet::error(code, &words, limit)]);
            return rehearsal;
        }
    };
    rehearsal.agreed = (agreement.block, agreement.window);
    let blocks = |blocks: RangeInclusive<u64>| -> Vec<Vec<u8>> {
        let block = |number: u64| {
            let begin = (number - 1) * agreement.block;
            let length = agreement.block.min(size.saturating_sub(begin));
            let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
            let mut sent = vec![];
            file.read_exact_at(&mut bytes, begin).ok()?;
            packet::data(&mut sent, number, &bytes);
            Some(sent)
        };
        blocks.filter_map(block).collect()
    };
    let mut window = Window::new(size, agreement.block, agreement.window, !agreement.accepted.is_empty());
    rehearsal.answers.push(match window.under_way() {
        Some(first) => blocks(first),
        None => vec![packet::options(&agreement.accepted)],
    });
    for packet in later {
        let number = match Packet::parse(packet) {
            Ok(Packet::Acknowledgement(number)) => number,
            Ok(Packet::Error(..)) => break,
            _ => {
                rehearsal.answers.push(vec![]);
                continue;
            }
        };
        match window.acknowledged(number) {
            Step::Send(these) => rehearsal.answers.push(blocks(these)),
            Step::Ignore | Step::Suspect => rehearsal.answers.push(vec![]),
            Step::Complete => break,
        }
    }
    rehearsal
}

impl Rehearsal {
    /// Checks what would be sent to a client with these packets, if the files in the folder contain only `i`. It must not
    /// contain bytes of another file, more than was negotiated, or more than a forged request may cause.
    ///
    /// # Errors
    /// Returns a description of the property that does not hold.
    pub fn check(&self, packets: &[&[u8]]) -> Result<(), String> {
        let (block, window) = self.agreed;
        let requested = packets.first().map_or(0, |first| first.len());
        for (number, answer) in self.answers.iter().enumerate() {
            if answer.len() as u64 > window.max(1) {
                return Err(format!("{} packets answer packet {number}, and {window} were agreed on", answer.len()));
            }
            for packet in answer {
                match packet.split_first_chunk::<2>() {
                    Some(([0, 3], rest)) => {
                        let data = rest.get(2..).ok_or("a block has no number")?;
                        if data.len() as u64 > block || data.iter().any(|byte| *byte != b'i') {
                            return Err(format!(
                                "a block of {} bytes, where {block} were agreed on, or of another file",
                                data.len()
                            ));
                        }
                    }
                    // Each acknowledged option was requested, and a value has at most 20 digits.
                    Some(([0, 6], rest)) if number == 0 && rest.len() <= requested + 4 * 20 => {}
                    Some(([0, 5], rest)) if number == 0 && rest.len() + 2 <= (LARGEST_REFUSAL * requested).max(5) => {}
                    _ => return Err(format!("packet {number} is answered with {:?}", packet.escape_ascii().to_string())),
                }
            }
        }
        Ok(())
    }
}
