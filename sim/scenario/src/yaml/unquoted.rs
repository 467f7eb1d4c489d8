//! The commonest reason why a flow table is no YAML: a path with brackets in it, which needs quotes there.

use super::{Malformed, Place};

/// How many lines above the one where the parser gives up are looked at: it may read on for a while.
const LINES_ABOVE: usize = 2;

/// Says which quotes are missing where, if that is the likely reason.
pub(super) fn explain(text: &str, malformed: Malformed) -> Malformed {
    let lines: Vec<&str> = text.lines().collect();
    let last = malformed.place.line.min(lines.len());
    let found = (last.saturating_sub(LINES_ABOVE).max(1)..=last)
        .rev()
        .find_map(|line| path_in_flow(lines[line - 1]).map(|(column, path)| (line, column, path)));
    match found {
        None => malformed,
        Some((line, column, path)) => Malformed {
            place: Place { line, column, len: path.chars().count() },
            message: format!("quotes are missing: inside {{ }} a path with [ ] in it is written \"{path}\""),
            ..malformed
        },
    }
}

/// The first path with brackets that stands inside `{ }` without quotes, and its column from 1.
fn path_in_flow(line: &str) -> Option<(usize, String)> {
    let chars: Vec<char> = line.chars().collect();
    let is_word = |c: char| c.is_alphanumeric() || "_-.$".contains(c);
    let (mut at, mut depth, mut quote) = (0, 0usize, None);
    while at < chars.len() {
        match (quote, chars[at]) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, c @ ('"' | '\'')) => quote = Some(c),
            (None, '{') => depth += 1,
            (None, '}') => depth = depth.saturating_sub(1),
            (None, '#') if at == 0 || chars[at - 1].is_whitespace() => return None,
            (None, c) if is_word(c) => {
                let start = at;
                at = end_of_path(&chars, at);
                let path: String = chars[start..at].iter().collect();
                if depth > 0 && path.contains('[') {
                    return Some((start + 1, path));
                }
                continue;
            }
            (None, _) => {}
        }
        at += 1;
    }
    None
}

/// The end of words with dots between and keys in brackets right behind them.
fn end_of_path(chars: &[char], start: usize) -> usize {
    let mut at = start;
    loop {
        match chars.get(at) {
            Some(c) if c.is_alphanumeric() || "_-.$".contains(*c) => at += 1,
            Some('[') => match chars[at..].iter().position(|c| *c == ']') {
                Some(length) => at += length + 1,
                None => return at,
            },
            _ => return at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::path_in_flow;

    #[test]
    fn a_path_is_found_only_where_quotes_are_missing() {
        let found = |line: &str| path_in_flow(line).map(|(column, path)| format!("{column} {path}"));
        let missing = "  - expect: { chain.pools[nyc1:tunnel-ids].used: 0 }";
        assert_eq!(found(missing).as_deref(), Some("15 chain.pools[nyc1:tunnel-ids].used"));
        for right in [
            "  - expect: { \"chain.pools[nyc1:tunnel-ids].used\": 0 }",
            "    chain.pools[nyc1:tunnel-ids].used: 0",
            "  - expect: { val1.tunnels: [{ name: doublezero0 }] }",
            "# { chain.pools[x].used: 0 }",
            "  - expect: { val1.tunnels: [",
        ] {
            assert_eq!(found(right), None, "{right}");
        }
    }
}
