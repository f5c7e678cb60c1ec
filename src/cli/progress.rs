//! Progress bars for long work, shown on terminals only.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A progress bar with a known end.
pub fn known(what: &'static str, end: i64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(end.unsigned_abs()), ProgressDrawTarget::stderr());
    styled(bar, what, "{wide_bar} {pos}/{len} {msg} {per_sec} {eta}")
}

/// A counter with an unknown end.
pub fn unknown(what: &'static str) -> ProgressBar {
    styled(ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()), what, "{spinner} {pos} {msg} {per_sec}")
}

/// A progress bar in bytes, whose message and length can change.
pub fn bytes(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    styled(bar, what, "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}")
}

fn styled(bar: ProgressBar, what: &'static str, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style).with_message(what)
}
