//! The window of blocks in transit (RFC 1350, 2; RFC 7440). Does no I/O: it only computes block numbers.
//!
//! ```text
//!   options sent ── ACK 0 ──► blocks on their way ── ACK of the last ──► complete
//!                                │         ▲
//!                                └─ ACK n ─┘ what follows n
//! ```
//! A duplicate acknowledgement never causes a packet to be sent (the "Sorcerer's Apprentice" bug, RFC 1123, 4.2.3.1):
//! otherwise, a single packet that the network duplicates would duplicate all that follow.

use std::ops::RangeInclusive;

/// The window over the blocks of a file, which are numbered from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Window {
    width: u64,
    last: u64,
    confirmed: u64,
    sent: u64,
    options_sent: bool,
}

/// The meaning of an acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The acknowledgement is old or invalid, and is ignored.
    Ignore,
    /// The client may have missed the window's first block. It repeats this acknowledgement for every other block that it
    /// receives, so the block is sent again only if no better acknowledgement arrives soon.
    Suspect,
    /// These blocks have to be sent.
    Send(RangeInclusive<u64>),
    /// The client has received all blocks.
    Complete,
}

impl Window {
    /// The window over a file; `with_options` if options have to be acknowledged first.
    pub(super) fn new(size: u64, block: u64, width: u64, with_options: bool) -> Self {
        // A block that is not full ends the transfer, so a file of whole blocks is followed by an empty one.
        let last = size / block + 1;
        Self { width, last, confirmed: 0, sent: if with_options { 0 } else { width.min(last) }, options_sent: with_options }
    }

    /// The blocks in transit, which are sent at first and whenever the client is silent; `None` for the options.
    pub(super) fn under_way(&self) -> Option<RangeInclusive<u64>> {
        (!self.options_sent).then(|| self.confirmed + 1..=self.sent)
    }

    /// Processes an acknowledgement.
    pub(super) fn acknowledged(&mut self, number: u16) -> Step {
        if self.options_sent {
            if number != 0 {
                return Step::Ignore;
            }
            self.options_sent = false;
            return self.advance();
        }
        // The distance from the last confirmed block, modulo 65536; a window is never that wide.
        let ahead = u64::from(number.wrapping_sub(super::packet::wire(self.confirmed)));
        if ahead == 0 && self.width > 1 {
            return Step::Suspect;
        }
        if ahead == 0 || ahead > self.sent - self.confirmed {
            return Step::Ignore;
        }
        self.confirmed += ahead;
        if self.confirmed == self.last { Step::Complete } else { self.advance() }
    }

    fn advance(&mut self) -> Step {
        self.sent = (self.confirmed + self.width).min(self.last);
        Step::Send(self.confirmed + 1..=self.sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::wire;
    use proptest::prelude::*;

    #[test]
    fn one_block_at_a_time_as_in_1350() {
        let mut window = Window::new(1000, 512, 1, false);
        assert_eq!(window.under_way(), Some(1..=1));
        assert_eq!(window.acknowledged(1), Step::Send(2..=2));
        assert_eq!(window.under_way(), Some(2..=2));
        assert_eq!(window.acknowledged(2), Step::Complete);
    }

    #[test]
    fn a_doubled_acknowledgement_sends_nothing() {
        let mut window = Window::new(100_000, 512, 1, false);
        assert_eq!(window.acknowledged(1), Step::Send(2..=2));
        assert_eq!(window.acknowledged(1), Step::Ignore);
        assert_eq!(window.acknowledged(0), Step::Ignore);
        assert_eq!(window.acknowledged(3), Step::Ignore);
        assert_eq!(window.acknowledged(2), Step::Send(3..=3));

        let mut window = Window::new(100_000, 512, 4, false);
        assert_eq!(window.acknowledged(4), Step::Send(5..=8));
        assert_eq!(window.acknowledged(4), Step::Suspect);
        assert_eq!(window.acknowledged(3), Step::Ignore);
    }

    #[test]
    fn options_are_acknowledged_before_the_first_block() {
        let mut window = Window::new(10, 512, 4, true);
        assert_eq!(window.under_way(), None);
        assert_eq!(window.acknowledged(1), Step::Ignore);
        assert_eq!(window.acknowledged(0), Step::Send(1..=1));
        assert_eq!(window.acknowledged(1), Step::Complete);
    }

    #[test]
    fn a_window_continues_after_the_acknowledged_blocks() {
        let mut window = Window::new(8 * 512, 512, 4, false);
        assert_eq!(window.under_way(), Some(1..=4));
        // The third block was lost: the client acknowledges two.
        assert_eq!(window.acknowledged(2), Step::Send(3..=6));
        assert_eq!(window.acknowledged(6), Step::Send(7..=9));
        assert_eq!(window.acknowledged(9), Step::Complete);
    }

    #[test]
    fn files_of_whole_blocks_and_empty_ones_end_with_an_empty_block() {
        assert_eq!(Window::new(0, 512, 1, false).under_way(), Some(1..=1));
        assert_eq!(Window::new(512, 512, 8, false).under_way(), Some(1..=2));
        assert_eq!(Window::new(511, 512, 8, false).under_way(), Some(1..=1));
    }

    #[test]
    fn numbers_begin_again_at_zero() {
        let mut window = Window::new(200_000 * 8, 8, 1, false);
        for block in 1..=200_000 {
            assert_eq!(window.acknowledged(wire(block)), Step::Send(block + 1..=block + 1));
        }
        assert_eq!(window.acknowledged(wire(200_001)), Step::Complete);
    }

    proptest! {
        /// Whichever packets a client sends, only blocks of the file are sent, never more than a window, and never backwards.
        #[test]
        fn no_acknowledgement_corrupts_the_window(
            size in 0..2_000_000_u64, width in 1..64_u64, with_options in any::<bool>(),
            numbers in proptest::collection::vec(prop_oneof![any::<u16>(), 0..80_u16], 0..200)
        ) {
            let mut window = Window::new(size, 8, width, with_options);
            let last = size / 8 + 1;
            for number in numbers {
                let before = window.confirmed;
                match window.acknowledged(number) {
                    Step::Send(blocks) => {
                        prop_assert!(!blocks.is_empty() && blocks.end() - blocks.start() < width && *blocks.end() <= last);
                        prop_assert!(*blocks.start() > before && blocks.start() - before <= width + 1);
                        prop_assert_eq!(window.under_way(), Some(blocks));
                    }
                    Step::Complete => {
                        prop_assert_eq!(window.confirmed, last);
                        break;
                    }
                    Step::Ignore | Step::Suspect => prop_assert_eq!(window.confirmed, before),
                }
            }
        }

        /// A client that loses any packets, and acknowledges what it has, gets the whole file.
        #[test]
        fn a_lossy_client_gets_every_block(
            size in 0..20_000_u64, width in 1..20_u64, losses in proptest::collection::vec(any::<bool>(), 0..2000)
        ) {
            let mut window = Window::new(size, 8, width, false);
            let (mut has, mut turn) = (0, 0);
            let mut losses = losses.into_iter().chain(std::iter::repeat(false));
            loop {
                turn += 1;
                prop_assert!(turn < 200_000, "it does not end");
                for block in window.under_way().expect("no options were sent") {
                    if losses.next() == Some(false) && block == has + 1 {
                        has = block;
                    }
                }
                if window.acknowledged(wire(has)) == Step::Complete {
                    break;
                }
            }
            prop_assert_eq!(has, size / 8 + 1);
        }
    }
}
