//! Checks the substitution expression of a NAPTR record, such as `!^.*$!sip:info@example.net!` (RFC 3402, 3.2), as BIND does: a
//! server refuses the whole zone if it cannot read one.
//!
//! BIND's checks are `txt_valid_regex` in `lib/dns/rdata/generic/naptr_35.c` and `isc_regex_validate` in `lib/isc/regex.c`; the
//! expressions are POSIX extended regular expressions. `web/tests/dhcp/accepted.rs` compares this code with BIND on thousands
//! of expressions.

/// The character classes that a bracket expression may name.
const CLASSES: [&[u8]; 12] =
    [b"alnum", b"digit", b"punct", b"alpha", b"graph", b"space", b"blank", b"lower", b"upper", b"cntrl", b"print", b"xdigit"];

/// Why a substitution expression cannot be read; an empty one means no substitution.
pub(super) fn problem(text: &[u8]) -> Option<&'static str> {
    let (delimiter, rest) = text.split_first()?;
    if text.contains(&0) {
        return Some("it has the octet 0");
    }
    if delimiter.is_ascii_digit() || matches!(delimiter, b'\\' | b'i') {
        return Some("its first character, which separates its parts, cannot be a digit, a backslash or i");
    }
    let (mut part, mut expression, mut highest) = (0, vec![], 0);
    let mut octets = rest.iter().copied();
    while let Some(octet) = octets.next() {
        if octet == *delimiter {
            part += 1;
            if part > 2 {
                return Some("the character that separates its parts occurs more than three times");
            }
            continue;
        }
        if part == 2 && octet != b'i' {
            return Some("only the flag i can follow its last part");
        }
        if part == 0 {
            expression.push(octet);
        }
        if octet == b'\\' {
            let Some(next) = octets.next() else { return Some("it ends with a backslash") };
            match (part, next) {
                (0, next) => expression.push(next),
                (_, b'0') => return Some("its replacement refers to group 0; groups begin with 1"),
                (_, next) if next.is_ascii_digit() => highest = highest.max(usize::from(next - b'0')),
                _ => {}
            }
        }
    }
    if part != 2 {
        return Some("it needs an expression and a replacement, as in !^.*$!sip:info@example.net!");
    }
    match groups(&expression) {
        None => Some("its expression is not a POSIX extended regular expression"),
        Some(groups) if highest > groups => Some("its replacement refers to a group that the expression does not have"),
        Some(_) => None,
    }
}

/// The state of the expression parser.
enum State {
    Outside,
    Bound { low: u32, high: u32, comma: bool, seen_high: bool },
    Bracket,
    Element { seen: bool },
    Equivalence { seen: bool },
    Class { start: usize },
}

/// The number of groups in an expression; `None` if the expression is invalid.
#[expect(clippy::too_many_lines, reason = "one table of states, so that it can be compared with BIND's")]
fn groups(text: &[u8]) -> Option<usize> {
    let at = |index: usize| text.get(index).copied().unwrap_or_default();
    let (mut atom, mut multiple, mut empty_ok) = (false, false, false);
    let (mut open, mut groups) = (0_usize, 0_usize);
    // State of a bracket expression: whether it has a character, whether it is negated, the progress of a range, and the start
    // of that range.
    let (mut seen, mut negated, mut range, mut range_start) = (false, false, 0_u8, 0_u16);
    let (mut state, mut index) = (State::Outside, 0);
    while index < text.len() {
        let octet = text[index];
        match state {
            State::Outside => match octet {
                b'\\' => {
                    let next = at(index + 1);
                    if next == 0 || (b'1'..=b'9').contains(&next) && usize::from(next - b'0') > groups {
                        return None;
                    }
                    (atom, multiple, index) = (true, false, index + 2);
                }
                b'[' => {
                    (negated, multiple, seen, state, index) = (false, false, false, State::Bracket, index + 1);
                }
                b'{' if at(index + 1).is_ascii_digit() => {
                    if !atom || multiple {
                        return None;
                    }
                    state = State::Bound { low: 0, high: 0, comma: false, seen_high: false };
                    (multiple, index) = (true, index + 1);
                }
                b'(' => {
                    (atom, multiple, empty_ok) = (false, false, true);
                    (open, groups, index) = (open + 1, groups + 1, index + 1);
                }
                b')' => {
                    if open > 0 && !atom && !empty_ok {
                        return None;
                    }
                    (atom, multiple, open, index) = (true, false, open.saturating_sub(1), index + 1);
                }
                b'|' => {
                    if !atom {
                        return None;
                    }
                    (atom, empty_ok, multiple, index) = (false, false, false, index + 1);
                }
                b'^' | b'$' => (atom, multiple, index) = (true, true, index + 1),
                b'+' | b'*' | b'?' => {
                    if multiple || !atom {
                        return None;
                    }
                    (multiple, index) = (true, index + 1);
                }
                _ => (atom, multiple, index) = (true, false, index + 1),
            },
            State::Bound { ref mut low, ref mut high, ref mut comma, ref mut seen_high } => {
                match octet {
                    b'0'..=b'9' => {
                        let number = if *comma { &mut *high } else { &mut *low };
                        *number = *number * 10 + u32::from(octet - b'0');
                        if *number > 255 {
                            return None;
                        }
                        *seen_high = *comma;
                    }
                    b',' if !*comma => *comma = true,
                    b'}' if *seen_high && *low > *high => return None,
                    b'}' => state = State::Outside,
                    _ => return None,
                }
                index += 1;
            }
            State::Bracket => match octet {
                b'^' if !seen && !negated => (negated, index) = (true, index + 1),
                b'-' if range != 2 && seen => {
                    if range == 1 {
                        return None;
                    }
                    (range, index) = (2, index + 1);
                }
                b'[' => {
                    let next = at(index + 1);
                    if matches!(next, b'=' | b':') && range == 2 {
                        return None;
                    }
                    index += 1;
                    match next {
                        b'.' => (range, state, index) = (range.saturating_sub(1), State::Element { seen: false }, index + 1),
                        b'=' => (state, index) = (State::Equivalence { seen: false }, index + 1),
                        b':' => (state, index) = (State::Class { start: index + 1 }, index + 1),
                        _ => {}
                    }
                    seen = true;
                }
                b']' if seen => (range, atom, state, index) = (0, true, State::Outside, index + 1),
                b']' if at(index + 1) == 0 => return None,
                octet => {
                    if range == 2 && u16::from(octet) < range_start {
                        return None;
                    }
                    (seen, range, range_start, index) = (true, range.saturating_sub(1), u16::from(octet), index + 1);
                }
            },
            State::Element { seen: ref mut found } => {
                if octet == b'.' && at(index + 1) == b']' {
                    if !*found {
                        return None;
                    }
                    (state, index) = (State::Bracket, index + 2);
                } else {
                    range_start = if *found { 256 } else { u16::from(octet) };
                    *found = true;
                    index += 1;
                }
            }
            State::Equivalence { seen: ref mut found } => {
                if octet == b'=' && at(index + 1) == b']' {
                    if !*found {
                        return None;
                    }
                    (state, index) = (State::Bracket, index + 2);
                } else {
                    *found = true;
                    index += 1;
                }
            }
            State::Class { start } => {
                if octet == b':' && at(index + 1) == b']' {
                    if !CLASSES.contains(&&text[start..index]) {
                        return None;
                    }
                    (state, index) = (State::Bracket, index + 2);
                } else {
                    index += 1;
                }
            }
        }
    }
    (open == 0 && atom && matches!(state, State::Outside)).then_some(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_substitution_is_read_as_bind_reads_it() {
        for fine in
            ["", "!^.*$!sip:x@example.net!", "!^(.*)$!\\1!i", "/a{1,2}[[:alpha:]]|(b)/x/", "!a{!x!", "!()!!", "!)!x!", "!^a*!x!"]
        {
            assert_eq!(problem(fine.as_bytes()), None, "{fine}");
        }
        for wrong in [
            "bad",
            "!!x!",
            "!a!b",
            "!a!b!!",
            "!a!b!g",
            "!(a!b!",
            "!a!\\1!",
            "!a!\\0!",
            "1a1b1",
            "!a**!b!",
            "![z-a]!b!",
            "![a!b!",
            "!a{256}!b!",
            "!a{2,1}!b!",
            "!|a!b!",
            "![[:nope:]]!b!",
            "!a\\",
            "!a\0!b!",
            "!^*!x!",
        ] {
            assert!(problem(wrong.as_bytes()).is_some(), "{wrong}");
        }
    }

    #[rustfmt::skip]
    #[test]
    fn an_expression_is_valid_as_in_posix_and_its_groups_are_counted() {
        let none: &[&str] = &[
            "a", ".*", "^", "$", "^a$", "a?", "a+", "a{", "a{x", ")", "a)", "a|)", "a|b", r"\.", r"\x", r"\0", r"\.*", "a{0}", "a{12}",
            "a{255}", "a{2,}", "a{2,2}", "a{2,3}", "[a]", "[]]", "[]a]", "[^a]", "[^]]", "[^^]", "[a^]", "[-a]", "[a-]", "[a-a]",
            "[a-z]", "[+--]", "[+--z]", "[a-zb-c]", "[[]", "[[a]", "[[:digit:]]", "[[:digit:]x]", "[[=a=]]", "[[===]]", "[[.a.]]",
            "[[...]]", "[[.-.]]", "[[.a.]-z]", "[a-[.z.]]", "[[:alpha:]]*", "[[=a=](]", "[[:digit:](]",
        ];
        let more: [(usize, &[&str]); 2] = [
            (1, &["(a)", "()", "(a|b)", "(a))", "(a)*", r"(a)\1", "a*(b)", "(^a)"]),
            (2, &["(a)(b)", "((a))", r"(a)(b)\1", r"(a)(b)\2"]),
        ];
        for (count, expressions) in [(0, none)].into_iter().chain(more) {
            for expression in expressions {
                assert_eq!(groups(expression.as_bytes()), Some(count), "{expression}");
            }
        }
        for wrong in [
            "", r"\", r"a\", r"\1", r"(a)\2", "*", "a**", "a+?", "^*", "a^*", r"\.**", "|a", "a|", "a||b", "a|*", "(", "(a", "(|a)", "(a|)",
            "(*a)", "{1}", "a*{1}", "a{1}{2}", "a{2}*", "a{1", "a{1x}", "a{1,2,3}", "a{3,2}", "a{256}", "a{1,256}", "[", "[]", "[^]",
            "[a", "[z-a]", "[a--]", "[a-z-9]", "[a-[:alpha:]]", "[a-[=b=]]", "[[:nope:]]", "[[:a:b:]]", "[[:alpha]", "[[==]]", "[[=a]",
            "[[..]]", "[[.a]", "[[:]", "[[:alpha:x:]]", "[[.z.]-a]", "[[.space.]-a]",
        ] {
            assert_eq!(groups(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn an_escaped_character_of_a_replacement_is_no_group() {
        for fine in [r"!a!\x!", r"!a!b\!c!", r"!a\!b!x!", r"!(a)(b)!\2!"] {
            assert_eq!(problem(fine.as_bytes()), None, "{fine}");
        }
        for wrong in ["iaibi", r"\a\b\", r"!(a)(b)!\3!"] {
            assert!(problem(wrong.as_bytes()).is_some(), "{wrong}");
        }
    }
}
