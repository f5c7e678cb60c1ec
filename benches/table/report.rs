//! The report that the bench prints.

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Row {
    /// What was measured.
    pub(crate) what: String,
    /// The measured figure.
    pub(crate) measured: String,
    /// The best that this machine can do, measured in the same run.
    pub(crate) limit: String,
    /// The ratio of figure to limit, and the target.
    pub(crate) target: String,
    /// Whether the target is met; `None` for a figure without a target.
    pub(crate) met: Option<bool>,
}

/// All rows so far. Each is also printed to standard error as soon as it is added.
#[derive(Debug, Default)]
pub(crate) struct Report(Vec<Row>);

impl Report {
    /// Adds a row.
    pub(crate) fn add(&mut self, row: Row) {
        eprintln!("{}", line(&row));
        self.0.push(row);
    }

    /// Prints what the bench is doing.
    pub(crate) fn say(&self, text: &str) {
        eprintln!("    [{} rows] {text}", self.0.len());
    }

    /// Prints the table as Markdown.
    pub(crate) fn print(&self) {
        println!("| what | measured | limit in the same run | target | reached |\n|---|---|---|---|---|");
        for row in &self.0 {
            println!("{}", line(row));
        }
    }
}

fn line(row: &Row) -> String {
    let met = match row.met {
        Some(true) => "yes",
        Some(false) => "**no**",
        None => "–",
    };
    format!("| {} | {} | {} | {} | {met} |", row.what, row.measured, row.limit, row.target)
}

/// `count` per second.
#[expect(clippy::cast_precision_loss, reason = "a rate is shown with three digits")]
pub(crate) fn rate(count: usize, seconds: f64) -> f64 {
    count as f64 / seconds
}

/// The median of the figures.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The figure at this percentile; a `share` of 0.99 is the 99th percentile.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index, of hundreds")]
pub(crate) fn percentile(figures: &mut [f64], share: f64) -> f64 {
    figures.sort_by(f64::total_cmp);
    let place = (figures.len() as f64 * share).ceil() as usize;
    figures.get(place.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}
