//! The pauses between attempts of something that fails.

use std::time::Duration;

/// The first pause after a failure.
const SHORTEST: Duration = Duration::from_secs(1);

/// The longest pause between two attempts.
const LONGEST: Duration = Duration::from_mins(1);

/// Doubles from a second to a minute. Half of it is random, so that a hundred agents do not return at once.
pub(crate) fn back_off(times: u32) -> Duration {
    let whole = SHORTEST.saturating_mul(1 << times.saturating_sub(1).min(6)).min(LONGEST);
    whole.mul_f64(rand::random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_minute_and_differ() {
        let pauses: Vec<f64> = (1..100).map(|times| back_off(times).as_secs_f64()).collect();
        assert!((0.5..=1.0).contains(&pauses[0]) && (1.0..=2.0).contains(&pauses[1]), "{pauses:?}");
        assert!(pauses[10..].iter().all(|pause| (30.0..=60.0).contains(pause)), "{pauses:?}");
        assert!(pauses[10..].windows(2).any(|pair| pair[0].to_bits() != pair[1].to_bits()), "{pauses:?}");
    }
}
