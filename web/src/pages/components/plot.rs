//! Charts: SVG rendered by the server, with the numbers in a table beside it for users who cannot see the chart or
//! want the numbers.

use maud::{Markup, html};

/// One series of a chart: its name, and its class of colour (`a` to `e`).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Series {
    /// The name of what is counted.
    pub(crate) name: &'static str,
    /// The class in the stylesheet.
    pub(crate) class: &'static str,
}

/// A stacked column chart with one column for each label. `rows` are the labels with a number for each series. `unfinished` says
/// that the last row is not complete, such as `today, until 14:03 UTC`.
pub(crate) fn columns(
    title: &str,
    series: &[Series],
    rows: &[(String, Vec<i64>)],
    unfinished: Option<&str>,
    unit: impl Fn(i64) -> String,
) -> Markup {
    let most = rows.iter().map(|(_, numbers)| numbers.iter().sum::<i64>()).max().unwrap_or(0).max(1);
    let (width, height) = (410, 120);
    let step = width / i64::try_from(rows.len()).unwrap_or(1).max(1);
    let scale = |number: i64| number * height / most;
    let last = rows.len().saturating_sub(1);
    let called = |index: usize, label: &str| match unfinished.filter(|_| index == last) {
        Some(unfinished) => format!("{label} ({unfinished})"),
        None => label.to_owned(),
    };
    let message = rows.iter().enumerate().map(|(index, (label, numbers))| {
        let parts: Vec<String> =
            series.iter().zip(numbers).map(|(series, number)| format!("{} {}", unit(*number), series.name)).collect();
        format!("{}: {}", called(index, label), parts.join(", "))
    });
    let message: Vec<String> = message.collect();
    html! {
        figure {
            figcaption { h3 { (title) } ul.legend { @for series in series { li { span class=(format!("swatch {}", series.class)) {} (series.name) } } } }
            svg.plot viewBox="0 0 460 150" role="img" aria-label=(format!("{title}. The table below has the same numbers.")) {
                line.axis x1="44" y1="126" x2="456" y2="126" {}
                text x="0" y="14" { (unit(most)) }
                text x="0" y="126" { (unit(0)) }
                @for (index, (label, numbers)) in rows.iter().enumerate() {
                    @let x = 44 + i64::try_from(index).unwrap_or(0) * step;
                    @let open = unfinished.is_some() && index == last;
                    @if open {
                        rect.open x=(x - 1) y="3" width=(step + 1) height="123" { title { (message[index]) } }
                        text x=(x + step) y="144" text-anchor="end" { "today" }
                    }
                    @for part in stacked(numbers, scale) {
                        rect class=(series[part.series].class) x=(x + 1) y=(126 - part.top) width=((step - 3).max(2)) height=(part.height) { title { (message[index]) } }
                    }
                    // The label of an unfinished column needs the place of its neighbours.
                    @if index % (rows.len() / 5).max(1) == 0 && (unfinished.is_none() || index + 4 <= last) { text x=(x) y="144" { (label.get(5..).unwrap_or(label)) } }
                }
            }
            details {
                summary { "Numbers" }
                div.scroll tabindex="0" role="region" aria-label=(title) {
                    table {
                        thead { tr { th scope="col" { "Day" } @for series in series { th.number scope="col" { (series.name) } } } }
                        tbody { @for (index, (label, numbers)) in rows.iter().enumerate() { tr { th scope="row" { (called(index, label)) } @for number in numbers { td.number { (unit(*number)) } } } } }
                    }
                }
            }
        }
    }
}

struct Part {
    series: usize,
    top: i64,
    height: i64,
}

/// The parts of one column: the top and height of each; empty parts are left out.
fn stacked(numbers: &[i64], scale: impl Fn(i64) -> i64) -> Vec<Part> {
    let mut below = 0;
    let mut parts = vec![];
    for (series, number) in numbers.iter().enumerate().filter(|(_, number)| **number > 0) {
        let height = scale(*number).max(1);
        parts.push(Part { series, top: below + height, height });
        below += height;
    }
    parts
}

/// A bar of a bar chart.
pub(crate) struct Bar {
    /// The name of what the bar shows.
    pub(crate) name: String,
    /// The number that determines the length.
    pub(crate) length: i64,
    /// The number as text.
    pub(crate) words: String,
    /// The class in the stylesheet.
    pub(crate) class: &'static str,
    /// The path that the bar links to.
    pub(crate) path: String,
}

/// Horizontal bars on one scale; the texts beside them contain the same numbers.
pub(crate) fn bars(title: &str, bars: &[Bar]) -> Markup {
    let most = bars.iter().map(|bar| bar.length).max().unwrap_or(0).max(1);
    html! {
        figure {
            figcaption { h3 { (title) } }
            svg.plot viewBox=(format!("0 0 460 {}", bars.len() * 28 + 4)) role="group" aria-label=(title) {
                @for (index, bar) in bars.iter().enumerate() {
                    @let y = index * 28 + 2;
                    a href=(bar.path) {
                        text x="0" y=(y + 16) { (bar.name) }
                        rect class=(bar.class) x="110" y=(y) rx="3" height="22" width=((bar.length * 160 / most).max(2)) {}
                        text x=(118 + (bar.length * 160 / most).max(2)) y=(y + 16) { (bar.words) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::selectors::{attributes, texts};

    #[test]
    fn columns_are_stacked_and_empty_ones_are_omitted() {
        let parts = stacked(&[2, 0, 3], |number| number * 10);
        let message: Vec<(usize, i64, i64)> = parts.iter().map(|part| (part.series, part.top, part.height)).collect();
        assert_eq!(message, [(0, 20, 20), (2, 50, 30)]);
    }

    #[test]
    fn the_numbers_are_there_as_a_table() {
        let series = [Series { name: "started", class: "a" }];
        let html = columns("Deployments", &series, &[("2026-01-31".to_owned(), vec![7])], None, |number| number.to_string())
            .into_string();
        assert!(html.contains("<td class=\"number\">7</td>") && html.contains("<title>2026-01-31: 7 started</title>"), "{html}");
    }

    #[test]
    fn an_unfinished_column_is_marked_in_the_chart_and_in_the_table() {
        let series = [Series { name: "done", class: "b" }];
        let rows = ["2026-01-30", "2026-01-31"].map(|day| (day.to_owned(), vec![7]));
        let html = columns("Deployments", &series, &rows, Some("today, until 14:03 UTC"), |number| number.to_string());
        let marked = "2026-01-31 (today, until 14:03 UTC)";
        assert_eq!(attributes(&html, "rect.open", "x").len(), 1);
        assert_eq!(texts(&html, "tbody th"), ["2026-01-30", marked]);
        assert!(texts(&html, "rect.b title")[1].starts_with(marked));
    }
}
