//! What firmware and people write where a serial number is not known.
//!
//! Sources: the outputs of dmidecode in system76/firmware-open issue 432 and dell/libsmbios issue 66, the placeholder lists of
//! lf-edge/eve pull request 6381 and lpereira/hardinfo pull requests 234 and 318.

/// Without spaces and punctuation, in lower case.
const FILLERS: [&str; 67] = [
    "tobefilledbyoem",
    "tobefilledbyoemstring",
    "tobefilled",
    "filledbyoem",
    "tobeset",
    "defaultstring",
    "default",
    "defaultserial",
    "systemserialnumber",
    "systemserial",
    "chassisserialnumber",
    "chassisserial",
    "baseboardserialnumber",
    "baseboardserial",
    "boardserialnumber",
    "boardserial",
    "serialnumber",
    "serialno",
    "serial",
    "sn",
    "oem",
    "oemstring",
    "oemdefault",
    "sernum",
    "snnotset",
    "notspecified",
    "notapplicable",
    "notavailable",
    "notpresent",
    "notset",
    "notsettable",
    "notfilled",
    "notknown",
    "notprovided",
    "unspecified",
    "unknown",
    "unbekannt",
    "inconnu",
    "desconocido",
    "nieznany",
    "none",
    "null",
    "nil",
    "nan",
    "empty",
    "blank",
    "invalid",
    "undefined",
    "missing",
    "pending",
    "tbd",
    "tbc",
    "tba",
    "todo",
    "na",
    "ka",
    "keine",
    "keiner",
    "keins",
    "aucun",
    "ninguno",
    "brak",
    "leer",
    "vide",
    "noserial",
    "noserialnumber",
    "nosn",
];

/// Whether a text stands where a serial number is not known.
pub fn is_filler(text: &str) -> bool {
    let plain: String = text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let all = |sign: char| !plain.is_empty() && plain.chars().all(|c| c == sign);
    let counted = plain.len() > 6
        && ["12345678901234567890", "01234567890123456789", "123456789abcdef", "0123456789abcdef"]
            .iter()
            .any(|row| row.starts_with(&plain));
    plain.is_empty() || FILLERS.contains(&plain.as_str()) || all('0') || all('x') || (plain.len() > 2 && all('f')) || counted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fillers_of_makers_and_people_are_no_serial_numbers() {
        for text in [
            "To Be Filled By O.E.M.",
            "Default string",
            "0",
            "00000000",
            "x",
            "XXXX",
            "0123456789",
            "123456789",
            "k.A.",
            "[blank]",
            "--",
            "FFFFFFFF",
        ] {
            assert!(is_filler(text), "{text}");
        }
        for text in ["S-1", "7CZ12", "70123456", "1234", "NA12345", "x1"] {
            assert!(!is_filler(text), "{text}");
        }
    }
}
