//! Placeholders: what firmware and operators write when a serial number is not known.
//!
//! Sources: the outputs of dmidecode in system76/firmware-open issue 432 and dell/libsmbios issue 66, the placeholder lists of
//! lf-edge/eve pull request 6381 and lpereira/hardinfo pull requests 234 and 318.

/// Placeholders that manufacturers leave in firmware, or that programs write when they can read nothing: never a serial number,
/// regardless of the source. Written without spaces and punctuation, in lower case.
const OF_MAKERS: [&str; 37] = [
    "tobefilledbyoem",
    "tobefilledbyoemstring",
    "tobefilled",
    "filledbyoem",
    "tobeset",
    "defaultstring",
    "defaultserial",
    "defaultserialnumber",
    "systemserialnumber",
    "systemserial",
    "chassisserialnumber",
    "chassisserial",
    "baseboardserialnumber",
    "baseboardserial",
    "boardserialnumber",
    "boardserial",
    "serialnumber",
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
    "undefined",
    "invalid",
    "none",
    "null",
    "na",
];

/// Placeholders that operators write. In an inventory, one means that there is no number; in an API request, it may be a number
/// that an operator chose.
const OF_PEOPLE: [&str; 33] = [
    "default",
    "serialno",
    "serial",
    "sn",
    "oem",
    "unbekannt",
    "inconnu",
    "desconocido",
    "nieznany",
    "nil",
    "nan",
    "empty",
    "blank",
    "missing",
    "pending",
    "tbd",
    "tbc",
    "tba",
    "todo",
    "ka",
    "nichtvorhanden",
    "notfound",
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

/// Digit sequences that manufacturers cut to the length of the field.
const COUNTED: [&str; 4] = ["12345678901234567890", "01234567890123456789", "123456789abcdef", "0123456789abcdef"];

fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn counted(plain: &str, least: usize) -> bool {
    plain.len() >= least && COUNTED.iter().any(|row| row.starts_with(plain))
}

fn all(plain: &str, sign: char, least: usize) -> bool {
    plain.len() >= least && plain.chars().all(|c| c == sign)
}

/// Whether a text is certainly not a serial number: a placeholder that manufacturers leave in firmware.
pub fn is_of_makers(text: &str) -> bool {
    let plain = plain(text);
    OF_MAKERS.contains(&plain.as_str()) || ['0', 'x', 'f'].into_iter().any(|sign| all(&plain, sign, 8)) || counted(&plain, 9)
}

/// Whether a text is a placeholder for an unknown serial number.
pub fn is_filler(text: &str) -> bool {
    let short = plain(text);
    short.is_empty()
        || is_of_makers(text)
        || OF_PEOPLE.contains(&short.as_str())
        || all(&short, '0', 1)
        || all(&short, 'x', 1)
        || all(&short, 'f', 3)
        || counted(&short, 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_of_vendors_are_certain_and_those_of_operators_are_not() {
        for text in [
            "To Be Filled By O.E.M.",
            "Default string",
            "System Serial Number",
            "Not Specified",
            "None",
            "0000000000",
            "0123456789",
            "123456789",
            "xxxxxxxxxx",
            "FFFFFFFF",
        ] {
            assert!(is_of_makers(text) && is_filler(text), "{text}");
        }
        for text in ["TBD", "0", "x", "1234567", "pending", "k.A.", "000", "--"] {
            assert!(!is_of_makers(text) && is_filler(text), "{text}");
        }
        for text in ["S-1", "7CZ12", "70123456", "0123456789X", "00000001"] {
            assert!(!is_of_makers(text) && !is_filler(text), "{text}");
        }
    }

    #[test]
    fn placeholders_of_vendors_and_operators_are_not_serial_numbers() {
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
