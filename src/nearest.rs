//! Suggests what a mistyped word may have been, for error messages.

/// The known word that is most similar to the written one, if any is similar.
pub(crate) fn nearest<'k>(written: &str, known: &[&'k str]) -> Option<&'k str> {
    let plain = |text: &str| text.to_ascii_lowercase().replace(['-', ' '], "_");
    let written = plain(written);
    let distances = known.iter().map(|known| (distance(&written, &plain(known)), *known));
    let near = distances.min_by_key(|(distance, _)| *distance)?;
    let contains = || {
        let inside =
            |known: &&&str| written.len() >= 4 && (known.contains(&written) || (known.len() >= 4 && written.contains(**known)));
        known.iter().find(inside).copied()
    };
    if near.0 <= 1 + written.len() / 4 { Some(near.1) } else { contains() }
}

/// The Levenshtein distance: the number of letters to insert, remove or replace. A long text is never similar.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().take(65).collect(), other.chars().take(65).collect());
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (n, c) in one.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], n + 1);
        for (m, d) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(c != d);
            diagonal = row[m + 1];
            row[m + 1] = replaced.min(row[m] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}
