// Reads the texts of DHCP options back from the files of all three DHCP servers, as these servers do. Shared by the fuzz target
// `dhcp_options` and by a test of bootledger-web.

/// The text of an option in `isc.conf`. Within quotes, a backslash and three octal digits are one byte (`conflex.c`,
/// `read_string`).
pub(crate) fn isc(file: &str, name: &str) -> Option<Vec<u8>> {
    let begin = format!("option {name} \"");
    let rest = file.lines().find_map(|line| line.trim_start().strip_prefix(begin.as_str()))?;
    let mut bytes = rest.bytes();
    let mut text = vec![];
    loop {
        match bytes.next()? {
            b'"' => break,
            b'\\' => {
                let digits = [bytes.next()?, bytes.next()?, bytes.next()?];
                let octal = std::str::from_utf8(&digits).ok()?;
                text.push(u8::from_str_radix(octal, 8).ok()?);
            }
            other => text.push(other),
        }
    }
    (bytes.collect::<Vec<u8>>() == b";").then_some(text)
}

/// The data of an option in `kea.json`. A comma ends a value unless a backslash precedes it (`option_definition.cc`).
pub(crate) fn kea(file: &str, name: &str) -> Option<Vec<u8>> {
    let file: serde_json::Value = serde_json::from_str(file).ok()?;
    let options = file["Dhcp4"]["subnet4"][0]["option-data"].as_array()?;
    let data = options.iter().find(|option| option["name"] == name)?["data"].as_str()?;
    let mut text = String::new();
    let mut characters = data.chars();
    while let Some(one) = characters.next() {
        match one {
            '\\' => text.push(characters.next()?),
            // An unescaped comma would end the value.
            ',' => return None,
            other => text.push(other),
        }
    }
    Some(text.into_bytes())
}

/// The value of an option in `dnsmasq.conf`. Within quotes, a backslash escapes a quote and itself (`option.c`, `read_file`);
/// without quotes, the value is bytes in hexadecimal, or one byte as a number.
pub(crate) fn dnsmasq(file: &str, code: u8) -> Option<Vec<u8>> {
    let mark = format!(",{code},");
    let line = file.lines().find(|line| line.starts_with("dhcp-option=tag:net/") && line.contains(&mark))?;
    let value = line.split_once(&mark)?.1;
    let Some(quoted) = value.strip_prefix('"') else {
        return match value.strip_suffix('b') {
            Some(byte) if !value.contains(':') => Some(vec![byte.parse().ok()?]),
            _ => value.split(':').map(|group| u8::from_str_radix(group, 16).ok()).collect(),
        };
    };
    let mut text = String::new();
    let mut characters = quoted.chars();
    loop {
        match characters.next()? {
            '"' => break,
            '\\' => text.push(characters.next()?),
            other => text.push(other),
        }
    }
    characters.as_str().is_empty().then(|| text.into_bytes())
}
