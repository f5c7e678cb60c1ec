//! The table that is printed.

/// A line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    /// What was measured.
    pub(crate) what: String,
    /// The figure.
    pub(crate) measured: String,
    /// What the machine does at best, measured in the same run.
    pub(crate) limit: String,
    /// Figure to limit, and what is asked for.
    pub(crate) target: String,
    /// Whether it is reached; `None` for a figure without a target.
    pub(crate) met: Option<bool>,
}

/// All lines so far; each is told at once on standard error as well.
#[derive(Debug, Default)]
pub(crate) struct Report(Vec<Row>);

impl Report {
    /// Adds a line.
    pub(crate) fn add(&mut self, row: Row) {
        eprintln!("{}", line(&row));
        self.0.push(row);
    }

    /// Says what goes on.
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

/// How many a second.
#[expect(clippy::cast_precision_loss, reason = "a rate is told to three digits")]
pub(crate) fn rate(count: usize, seconds: f64) -> f64 {
    count as f64 / seconds
}

/// The middle one.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The figure below which this share of all lies; 0.99 is the 99th percentile.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index, of hundreds")]
pub(crate) fn percentile(figures: &mut [f64], share: f64) -> f64 {
    figures.sort_by(f64::total_cmp);
    let place = (figures.len() as f64 * share).ceil() as usize;
    figures.get(place.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}
