//! What a client asks for beside a file, and what it gets (RFC 2347, 2348, 2349 and 7440). Pure.

use std::time::Duration;

/// The size of a block where nothing else was agreed on (RFC 1350).
const BLOCK: u64 = 512;
/// The largest block (RFC 2348).
const LARGEST_BLOCK: u64 = 65_464;
/// The most blocks on their way at once. No boot loader asks for more, and each is memory here and in the client.
const WIDEST_WINDOW: u64 = 64;
/// The most bytes on their way at once: what a network card's buffers take.
const LARGEST_WINDOW: u64 = 256 * 1024;

/// How a transfer goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Agreement {
    /// Bytes in a block.
    pub(super) block: u64,
    /// Blocks on their way at once.
    pub(super) window: u64,
    /// How long the client wants to be waited for before something is sent again.
    pub(super) timeout: Option<Duration>,
    /// What the client is told; empty where it asked for nothing that is known.
    pub(super) told: Vec<(&'static str, u64)>,
}

/// Agrees on what a client asks for of a file of `size` bytes. Options that are unknown, repeated or have a value that is
/// none are passed over, as RFC 2347 says, and not told.
pub(super) fn agree(options: &[(String, String)], size: u64) -> Agreement {
    let asked = |name: &str, smallest: u64, largest: u64| -> Option<u64> {
        let (_, value) = options.iter().find(|(asked, _)| asked == name)?;
        let digits = value.bytes().all(|byte| byte.is_ascii_digit());
        value.parse().ok().filter(|value| digits && (smallest..=largest).contains(value))
    };
    let mut told = vec![];
    let mut accept = |name: &'static str, value: Option<u64>| {
        told.extend(value.map(|value| (name, value)));
        value
    };
    // A server may answer with less than it was asked for.
    let block = accept("blksize", asked("blksize", 8, u64::MAX).map(|size| size.min(LARGEST_BLOCK))).unwrap_or(BLOCK);
    let widest = WIDEST_WINDOW.min((LARGEST_WINDOW / block).max(1));
    let window = accept("windowsize", asked("windowsize", 1, 65_535).map(|blocks| blocks.min(widest))).unwrap_or(1);
    let timeout = accept("timeout", asked("timeout", 1, 255)).map(Duration::from_secs);
    accept("tsize", asked("tsize", 0, u64::MAX).map(|_| size));
    Agreement { block, window, timeout, told }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn agreed(options: &[(&str, &str)]) -> Agreement {
        let options: Vec<_> = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        agree(&options, 1_000_000)
    }

    #[test]
    fn without_options_a_block_of_512_bytes_is_on_its_way() {
        let plain = Agreement { block: 512, window: 1, timeout: None, told: vec![] };
        assert_eq!(agreed(&[]), plain);
        for (name, value) in [
            ("blksize", "7"),
            ("blksize", "0"),
            ("blksize", "-8"),
            ("blksize", "+1428"),
            ("blksize", ""),
            ("blksize", "1428 "),
            ("blksize", "99999999999999999999999"),
            ("windowsize", "0"),
            ("windowsize", "65536"),
            ("timeout", "0"),
            ("timeout", "256"),
            ("tsize", "x"),
            ("multicast", ""),
            ("utimeout", "1000"),
            ("blksize2", "1024"),
        ] {
            assert_eq!(agreed(&[(name, value)]), plain, "{name} {value}");
        }
    }

    #[test]
    fn every_option_is_told_as_it_was_agreed_on() {
        let all = agreed(&[("tsize", "0"), ("blksize", "1428"), ("timeout", "3"), ("windowsize", "16"), ("unknown", "1")]);
        assert_eq!((all.block, all.window, all.timeout), (1428, 16, Some(Duration::from_secs(3))));
        assert_eq!(all.told, [("blksize", 1428), ("windowsize", 16), ("timeout", 3), ("tsize", 1_000_000)]);
    }

    #[test]
    fn too_much_is_answered_with_less() {
        assert_eq!(agreed(&[("blksize", "65535")]).told, [("blksize", 65_464)]);
        assert_eq!(agreed(&[("windowsize", "65535")]).told, [("windowsize", 64)]);
        assert_eq!(agreed(&[("blksize", "65464"), ("windowsize", "64")]).told, [("blksize", 65_464), ("windowsize", 4)]);
        assert_eq!(agreed(&[("blksize", "512"), ("blksize", "1024")]).block, 512);
    }

    proptest! {
        #[test]
        fn nothing_that_is_asked_for_takes_much_memory(block in any::<u32>(), window in any::<u32>()) {
            let agreed = agreed(&[("blksize", &block.to_string()), ("windowsize", &window.to_string())]);
            prop_assert!((8..=LARGEST_BLOCK).contains(&agreed.block));
            prop_assert!((1..=WIDEST_WINDOW).contains(&agreed.window));
            prop_assert!(agreed.block * agreed.window <= LARGEST_WINDOW);
            for (name, told) in agreed.told {
                let asked = if name == "blksize" { block } else { window };
                prop_assert!(told <= u64::from(asked));
            }
        }
    }
}
