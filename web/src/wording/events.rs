//! Labels for types of events: `DeploymentStarted` is "Deployment started".

use crate::english::capitalised;

/// Words that are written in capitals.
const ABBREVIATIONS: [&str; 4] = ["dhcp", "dns", "ip", "mac"];

/// The label of a type of event.
pub(crate) fn label(event_type: &str) -> String {
    let mut words: Vec<String> = vec![];
    for letter in event_type.chars() {
        match words.last_mut() {
            Some(word) if !letter.is_uppercase() => word.push(letter),
            _ => words.push(letter.to_lowercase().collect()),
        }
    }
    for word in &mut words {
        if ABBREVIATIONS.contains(&word.as_str()) {
            *word = word.to_uppercase();
        }
    }
    capitalised(&words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::label;

    #[test]
    fn a_type_becomes_words() {
        let labels = ["DeploymentStarted", "DhcpEntryCreated", "DnsEntriesRemoved", "UserLockedOut"].map(label);
        assert_eq!(labels, ["Deployment started", "DHCP entry created", "DNS entries removed", "User locked out"]);
    }
}
