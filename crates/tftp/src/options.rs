//! Negotiates the options of a transfer (RFC 2347, 2348, 2349 and 7440). Does no I/O.

use std::time::Duration;

/// The default size of a block (RFC 1350).
const BLOCK: u64 = 512;
/// The maximum size of a block (RFC 2348).
const LARGEST_BLOCK: u64 = 65_464;
/// The maximum number of blocks in transit. No boot loader requests more, and each needs memory here and in the client.
const WIDEST_WINDOW: u64 = 64;
/// The maximum number of bytes in transit: what the buffers of a network card hold.
const LARGEST_WINDOW: u64 = 256 * 1024;

/// The negotiated options of a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Agreement {
    /// The size of a block in bytes.
    pub(super) block: u64,
    /// The number of blocks in transit.
    pub(super) window: u64,
    /// The retransmission timeout that the client requested.
    pub(super) timeout: Option<Duration>,
    /// The options that are acknowledged; empty if the client requested none that are known.
    pub(super) accepted: Vec<(&'static str, u64)>,
}

/// Negotiates the options that a client requests for a file of `size` bytes. Options that are unknown, repeated or invalid are
/// ignored, as RFC 2347 specifies, and not acknowledged.
pub(super) fn agree(options: &[(String, String)], size: u64) -> Agreement {
    let requested = |name: &str, smallest: u64, largest: u64| -> Option<u64> {
        let (_, value) = options.iter().find(|(requested, _)| requested == name)?;
        let digits = value.bytes().all(|byte| byte.is_ascii_digit());
        value.parse().ok().filter(|value| digits && (smallest..=largest).contains(value))
    };
    let mut accepted = vec![];
    let mut accept = |name: &'static str, value: Option<u64>| {
        accepted.extend(value.map(|value| (name, value)));
        value
    };
    // A server may acknowledge a smaller value than requested.
    let block = accept("blksize", requested("blksize", 8, u64::MAX).map(|size| size.min(LARGEST_BLOCK))).unwrap_or(BLOCK);
    let widest = WIDEST_WINDOW.min((LARGEST_WINDOW / block).max(1));
    let window = accept("windowsize", requested("windowsize", 1, 65_535).map(|blocks| blocks.min(widest))).unwrap_or(1);
    let timeout = accept("timeout", requested("timeout", 1, 255)).map(Duration::from_secs);
    accept("tsize", requested("tsize", 0, u64::MAX).map(|_| size));
    Agreement { block, window, timeout, accepted }
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
        let plain = Agreement { block: 512, window: 1, timeout: None, accepted: vec![] };
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
    fn every_option_is_acknowledged_as_negotiated() {
        let all = agreed(&[("tsize", "0"), ("blksize", "1428"), ("timeout", "3"), ("windowsize", "16"), ("unknown", "1")]);
        assert_eq!((all.block, all.window, all.timeout), (1428, 16, Some(Duration::from_secs(3))));
        assert_eq!(all.accepted, [("blksize", 1428), ("windowsize", 16), ("timeout", 3), ("tsize", 1_000_000)]);
    }

    #[test]
    fn too_much_is_answered_with_less() {
        assert_eq!(agreed(&[("blksize", "65535")]).accepted, [("blksize", 65_464)]);
        assert_eq!(agreed(&[("windowsize", "65535")]).accepted, [("windowsize", 64)]);
        assert_eq!(agreed(&[("blksize", "65464"), ("windowsize", "64")]).accepted, [("blksize", 65_464), ("windowsize", 4)]);
        assert_eq!(agreed(&[("blksize", "512"), ("blksize", "1024")]).block, 512);
    }

    proptest! {
        #[test]
        fn no_requested_option_uses_much_memory(block in any::<u32>(), window in any::<u32>()) {
            let agreed = agreed(&[("blksize", &block.to_string()), ("windowsize", &window.to_string())]);
            prop_assert!((8..=LARGEST_BLOCK).contains(&agreed.block));
            prop_assert!((1..=WIDEST_WINDOW).contains(&agreed.window));
            prop_assert!(agreed.block * agreed.window <= LARGEST_WINDOW);
            for (name, accepted) in agreed.accepted {
                let requested = if name == "blksize" { block } else { window };
                prop_assert!(accepted <= u64::from(requested));
            }
        }
    }
}
