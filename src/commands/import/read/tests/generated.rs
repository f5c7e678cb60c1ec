//! Property tests with generated sheets: however spreadsheets and people write a sheet, it has the same meaning, and a damaged
//! value is one error at its row and column.

use crate::commands::import::read::{Content, Row, content};
use bootledger_aggregates::values::mac_address::MacAddress;
use bootledger_aggregates::values::name::Name;
use proptest::prelude::*;

const HEAD: [&str; 10] = ["mac", "management_ip", "network", "venture", "role", "boot_image", "hostname", "ip", "rack", "serial"];

/// Headings in other languages, for MAC address, host name, address and serial number.
const HEADINGS: [[&str; 4]; 6] = [
    ["MAC address", "Host name", "IP address", "Serial No."],
    ["MAC-Adresse", "Rechnername", "IP-Adresse", "Seriennummer"],
    ["Adresse MAC", "Nom d’hôte", "Adresse IP", "Numéro de série"],
    ["Dirección MAC", "Nombre de host", "Dirección IP", "Número de serie"],
    ["Adres MAC", "Nazwa hosta", "Adres IP", "Numer seryjny"],
    ["MAC", "FQDN", "IPv4", "S/N"],
];

/// A sheet of servers, with cells as text.
fn sheet() -> impl Strategy<Value = Vec<[String; 10]>> {
    let cell = |filled: bool, text: String| if filled { text } else { String::new() };
    // None of these words is a heading or a placeholder.
    let row = (any::<[bool; 6]>(), "w[a-z0-9-]{0,8}").prop_map(move |(filled, word)| (filled, word));
    proptest::collection::vec(row, 1..6).prop_map(move |rows| {
        let of = |(n, ([management, network, image, name, ip, rest], word)): (usize, ([bool; 6], String))| {
            [
                format!("52:54:00:00:00:{n:02x}"),
                cell(management, format!("10.9.0.{}", n + 1)),
                cell(network, word.clone()),
                "shop".to_owned(),
                word.clone(),
                cell(image, "debian-12".to_owned()),
                cell(name, format!("h{}.dc1.example", 200 + n)),
                cell(ip, format!("10.0.0.{}", n + 10)),
                cell(rest, word),
                cell(rest, format!("SN{n}A7")),
            ]
        };
        rows.into_iter().enumerate().map(of).collect()
    })
}

/// How programs write the cells and lines of a sheet.
#[derive(Clone, Debug)]
struct Style {
    separator: char,
    end: &'static str,
    quoted: bool,
    trailing: usize,
    upper: bool,
    around: &'static str,
    mark: u8,
    last_end: bool,
    as_text: u8,
    mac: u8,
    padding: &'static str,
}

/// What people put around the rows.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each habit is present or absent, independently of the others")]
struct Habits {
    /// 0 for no header, 1 for the names of the columns, 2 for capitals, 3 and more for other languages.
    header: usize,
    starred: u8,
    titles: usize,
    grouped: bool,
    ruled: bool,
    counted: Option<&'static str>,
    empty: usize,
    comment: bool,
    copied: bool,
    sum: Option<&'static str>,
    filler: &'static str,
}

fn style() -> impl Strategy<Value = Style> {
    let separator = prop_oneof![Just(';'), Just(','), Just('\t'), Just('|')];
    let end = prop_oneof![Just("\n"), Just("\r\n"), Just("\r")];
    let around = prop_oneof![Just(""), Just(" "), Just("\u{a0}"), Just("\u{202f}"), Just("\u{200b}"), Just("\u{feff}")];
    let padding = prop_oneof![3 => Just(""), 1 => Just("\u{1a}"), 1 => Just("\u{1a}\0\0\0"), 1 => Just("\0\0")];
    let lines = (separator, end, any::<bool>(), 0..4_usize, any::<bool>());
    let cells = (any::<bool>(), around, 0..7_u8, 0..3_u8, 0..6_u8, padding);
    (lines, cells).prop_map(|((separator, end, quoted, trailing, last_end), (upper, around, mark, as_text, mac, padding))| {
        // UTF-16 without a byte order mark is recognised by its zeros, and padding would add more.
        let padding = if mark == 5 { "" } else { padding };
        Style { separator, end, quoted, trailing, upper, around, mark, last_end, as_text, mac, padding }
    })
}

fn habits() -> impl Strategy<Value = Habits> {
    let counted = prop_oneof![Just(None), Just(Some("#")), Just(Some("No.")), Just(Some("Lfd. Nr.")), Just(Some("Lp."))];
    let sum = prop_oneof![2 => Just(None), 1 => Just(Some("Total")), 1 => Just(Some("Summe:")), 1 => Just(Some("Razem"))];
    let filler =
        prop_oneof![Just(""), Just("-"), Just("n/a"), Just("(none)"), Just("To be filled by O.E.M."), Just("TBD"), Just("?")];
    let above = (0..9_usize, 0..5_u8, 0..4_usize, any::<bool>(), any::<bool>(), counted);
    let among = (0..3_usize, any::<bool>(), any::<bool>(), sum, filler);
    (above, among).prop_map(|((header, starred, titles, grouped, ruled, counted), (empty, comment, copied, sum, filler))| {
        Habits {
            header,
            starred,
            titles,
            grouped,
            ruled,
            counted: counted.filter(|_| header > 0),
            empty,
            comment,
            copied: copied && header > 0,
            sum,
            filler,
        }
    })
}

impl Style {
    fn mac(&self, mac: &str) -> String {
        if mac.parse::<MacAddress>().is_err() {
            return mac.to_owned();
        }
        let bare: String = mac.chars().filter(|c| *c != ':').collect();
        match self.mac {
            0 => mac.replace(':', "-"),
            1 => format!("{}.{}.{}", &bare[..4], &bare[4..8], &bare[8..]),
            2 if self.as_text > 0 => bare,
            3 => mac.replace(':', " "),
            4 => mac.split(':').map(|part| part.strip_prefix('0').unwrap_or(part)).collect::<Vec<_>>().join(":"),
            _ => mac.to_owned(),
        }
    }

    fn cell(&self, text: &str) -> String {
        let text = if self.upper { text.to_uppercase() } else { text.to_owned() };
        let text = match self.as_text {
            1 if !text.is_empty() => format!("=\"{text}\""),
            2 if !text.is_empty() => format!("'{text}"),
            _ => text,
        };
        let text = format!("{}{text}{}", self.around, self.around);
        if self.quoted || text.contains(['"', self.separator]) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
    }

    fn line(&self, cells: &[String]) -> String {
        let mut line = cells.iter().map(|cell| self.cell(cell)).collect::<Vec<_>>().join(&self.separator.to_string());
        (0..self.trailing).for_each(|_| line.push(self.separator));
        line
    }

    fn bytes(&self, lines: &[String]) -> Vec<u8> {
        let mut text = lines.join(self.end);
        if self.last_end {
            text += self.end;
        }
        text += self.padding;
        let wide = |text: &str, bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
        match self.mark {
            1 => [b"\xef\xbb\xbf".to_vec(), text.into_bytes()].concat(),
            2 => [vec![0xff, 0xfe], wide(&text, u16::to_le_bytes)].concat(),
            3 => [vec![0xfe, 0xff], wide(&text, u16::to_be_bytes)].concat(),
            4 => [format!("sep={}{}", self.separator, self.end).into_bytes(), text.into_bytes()].concat(),
            5 => wide(&text, u16::to_le_bytes),
            6 => [b"\xef\xbb\xbf\xef\xbb\xbf".to_vec(), text.into_bytes()].concat(),
            _ => text.into_bytes(),
        }
    }
}

impl Habits {
    fn headings(&self) -> Vec<String> {
        let languages = self.header.checked_sub(3).and_then(|index| HEADINGS.get(index));
        let heading = |name: &str| {
            let name = match (languages, ["mac", "hostname", "ip", "serial"].iter().position(|known| *known == name)) {
                (Some(names), Some(place)) => names[place].to_owned(),
                _ if self.header > 1 => name.replace('_', " ").to_uppercase(),
                _ => name.to_owned(),
            };
            match self.starred {
                1 => format!("{name}*"),
                2 => format!("{name} (required, see below)"),
                3 => format!("* {name}:"),
                4 => format!("{name} [text]"),
                _ => name,
            }
        };
        self.counted.into_iter().map(str::to_owned).chain(HEAD.into_iter().map(heading)).collect()
    }

    /// The text that people write into an empty optional cell.
    fn filled(&self, column: usize, cell: &str) -> String {
        // A placeholder that could be a name is looked up in the catalogue first.
        let named = [2, 5, 8].contains(&column) && self.filler.parse::<Name>().is_ok();
        if cell.is_empty() && !named { self.filler.to_owned() } else { cell.to_owned() }
    }

    /// The lines of the file, and the row numbers of the servers in it.
    fn write(&self, style: &Style, sheet: &[[String; 10]]) -> (Vec<String>, Vec<u64>) {
        let mut lines = vec![];
        let blanks = |lines: &mut Vec<String>| {
            (0..self.empty).for_each(|n| lines.push(if n == 0 { String::new() } else { style.separator.to_string().repeat(4) }));
        };
        let row = |cells: &[&str]| style.line(&cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>());
        blanks(&mut lines);
        if self.header > 0 {
            let titles = [
                vec!["Servers of March, in all racks; by site | draft"],
                vec!["[Servers]"],
                vec!["Created", "2026-03-26", "ada"],
            ];
            lines.extend(titles.iter().take(self.titles).map(|title| row(title)));
            if self.grouped {
                lines.push(row(&["", "", "Network", "", "", "Place", "", "Rack"]));
            }
            lines.push(style.line(&self.headings()));
            if self.ruled {
                lines.push(row(&["---"; 10]));
            }
            blanks(&mut lines);
        }
        let mut servers = vec![];
        for (n, cells) in sheet.iter().enumerate() {
            let mut cells: Vec<String> = cells.iter().enumerate().map(|(column, cell)| self.filled(column, cell)).collect();
            cells[0] = style.mac(&cells[0]);
            if self.counted.is_some() {
                cells.insert(0, (n + 1).to_string());
            }
            lines.push(style.line(&cells));
            servers.push(lines.len() as u64);
            if n == 0 && self.comment {
                lines.push(row(&["# the others came later"]));
            }
            if n == 0 && self.copied {
                blanks(&mut lines);
                lines.push(style.line(&self.headings()));
            }
        }
        if let Some(word) = self.sum {
            blanks(&mut lines);
            lines.push(row(&[word, &sheet.len().to_string()]));
            lines.push(row(&[&format!("{} servers", sheet.len())]));
        }
        (lines, servers)
    }
}

/// Values as programs damage them, with the columns in which they cannot be valid.
fn damage() -> impl Strategy<Value = (usize, String)> {
    const ANYWHERE: [&str; 12] = [
        "26/03/2026",
        "12:30",
        "12:30:00 PM",
        "1,5E+10",
        "1.23457E+11",
        "#REF!",
        "#N/A",
        "########",
        "=A1",
        "12%",
        "Err:502",
        "26. Mrz",
    ];
    const NUMBERS: [&str; 8] = ["2026-03-26", "26.03.2026", "Mar-26", "TRUE", "WAHR", "70,123,456", "€ 12", "A–1"];
    const ADDRESSES: [&str; 4] = ["10.20.1", "10,20,1,50", "102015", "010.020.001.050"];
    const MACS: [&str; 4] = ["00:11:22", "5056000001", "525400000001000", "52:54:00:00:00:0g"];
    const SERIALS: [&str; 3] = ["12345678901234500000", "7E+12", "ВМ12345"];
    let names = [2, 3, 4, 5, 6, 8].into_iter().flat_map(|column| ANYWHERE.map(|cell| (column, cell)));
    let others = [0, 1, 7, 9].into_iter().flat_map(|column| ANYWHERE.into_iter().chain(NUMBERS).map(move |cell| (column, cell)));
    let addresses = [1, 7].into_iter().flat_map(|column| ADDRESSES.map(|cell| (column, cell)));
    let own = MACS.map(|cell| (0, cell)).into_iter().chain(SERIALS.map(|cell| (9, cell)));
    let all: Vec<(usize, &str)> = names.chain(others).chain(addresses).chain(own).collect();
    proptest::sample::select(all).prop_map(|(column, cell)| (column, cell.to_owned()))
}

fn without_place(rows: Vec<Row>) -> Vec<Row> {
    rows.into_iter().map(|row| Row { line: 0, notes: vec![], ..row }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn common_spellings_of_a_file_have_the_same_meaning(sheet in sheet(), style in style(), habits in habits()) {
        let plain = HEAD.join(";") + "\n" + &sheet.iter().map(|cells| cells.join(";") + "\n").collect::<String>();
        let Content { rows: expected, errors } = content(plain.as_bytes());
        prop_assert_eq!(errors, []);
        let (lines, servers) = habits.write(&style, &sheet);
        let Content { rows, errors } = content(&style.bytes(&lines));
        prop_assert_eq!(errors, [], "{}", lines.join("\n"));
        prop_assert_eq!(rows.iter().map(|row| row.line).collect::<Vec<_>>(), servers);
        prop_assert_eq!(without_place(rows), without_place(expected), "{}", lines.join("\n"));
    }

    #[test]
    fn a_damaged_cell_is_one_error_at_its_row_and_column(
        mut sheet in sheet(), style in style(), habits in habits(), place in any::<prop::sample::Index>(), (column, cell) in damage()
    ) {
        let place = place.index(sheet.len());
        sheet[place][column] = cell;
        // In capitals, a date cannot be distinguished from a serial number.
        let style = Style { upper: false, ..style };
        let habits = Habits { header: habits.header.max(1), ..habits };
        let (lines, servers) = habits.write(&style, &sheet);
        let Content { errors, .. } = content(&style.bytes(&lines));
        let seen: Vec<(u64, &str)> = errors.iter().map(|error| (error.row, error.column.as_str())).collect();
        prop_assert_eq!(seen, [(servers[place], HEAD[column])], "{:?}\n{}", errors, lines.join("\n"));
    }
}
