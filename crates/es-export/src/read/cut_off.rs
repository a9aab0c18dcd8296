//! Detection of an ES|QL result that the server cut off. Pure.
//!
//! A query without `LIMIT` gets one of 1,000 rows, and none gets more than 10,000 (the cluster
//! settings `esql.query.result_truncation_default_size` and `..._max_size`). The server warns of
//! the first and is silent about the second, so a result that is as long as such a limit is only
//! whole where the query set a lower one itself.
//!
//! Source: "Result set size limit" in the limitations of ES|QL.

/// The limits that are assumed where the server does not report its own.
const DEFAULT_ROWS: u64 = 1_000;
const MOST_ROWS: u64 = 10_000;

/// Commands that give at most as many rows as they are given. `STATS` is none of them: a row is
/// in as many groups as its field has values.
const NO_MORE_ROWS: [&str; 13] = [
    "keep",
    "drop",
    "eval",
    "rename",
    "sort",
    "where",
    "dissect",
    "grok",
    "sample",
    "completion",
    "rerank",
    "enrich",
    "change_point",
];

/// The limit that cut a result of so many rows off, if one did.
pub(crate) fn limit_that_cut(query: &str, rows: u64, warnings: &[String]) -> Option<u64> {
    let added = warnings.iter().find_map(|warning| {
        let (_, rest) = warning.split_once("default limit of [")?;
        rest.split_once(']')?.0.parse::<u64>().ok()
    });
    if let Some(added) = added {
        return (rows >= added).then_some(added);
    }
    match own_limit(query) {
        // The server kept to the query.
        Some(own) if rows >= own => None,
        // Fewer rows than the query's own limit: they ended, or the server's highest limit did.
        Some(own) if own <= MOST_ROWS => None,
        Some(_) => is_a_round_limit(rows).then_some(rows),
        None => (rows == DEFAULT_ROWS || is_a_round_limit(rows)).then_some(rows),
    }
}

/// Returns `true` if so many rows may be those that the highest limit left. The setting may be another than the
/// default, and whoever sets it takes a multiple of a thousand.
fn is_a_round_limit(rows: u64) -> bool {
    rows == MOST_ROWS || (rows > MOST_ROWS && rows.is_multiple_of(1_000))
}

/// The number of rows that a query limits itself to, if what follows gives no more than that.
fn own_limit(query: &str) -> Option<u64> {
    for command in commands(query).iter().rev() {
        let mut words = command.split_whitespace();
        let name = words.next()?.to_ascii_lowercase();
        if name == "limit" {
            let number = words.next()?;
            return if words.next().is_none() { number.replace('_', "").parse().ok() } else { None };
        }
        if !NO_MORE_ROWS.contains(&name.as_str()) {
            return None;
        }
    }
    None
}

/// The commands of a query, without comments and with the contents of quotes left out.
fn commands(query: &str) -> Vec<String> {
    let mut commands = vec![String::new()];
    let mut depth = 0_usize;
    let mut rest = query;
    while let Some(character) = rest.chars().next() {
        let skipped = quoted(rest, "\"\"\"", false)
            .or_else(|| quoted(rest, "\"", true))
            .or_else(|| quoted(rest, "`", false))
            .or_else(|| comment(rest));
        if let Some(skipped) = skipped {
            rest = &rest[skipped..];
            // A quoted text or a comment separates words.
            push(&mut commands, ' ');
            continue;
        }
        rest = &rest[character.len_utf8()..];
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            '|' if depth == 0 => {
                commands.push(String::new());
                continue;
            }
            _ => {}
        }
        push(&mut commands, character);
    }
    commands
}

fn push(commands: &mut [String], character: char) {
    if let Some(last) = commands.last_mut() {
        last.push(character);
    }
}

/// The length of what is quoted at the beginning of a text, quotes included.
fn quoted(text: &str, quote: &str, has_escapes: bool) -> Option<usize> {
    let inside = text.strip_prefix(quote)?;
    let mut at = 0;
    while at < inside.len() {
        if has_escapes && inside.as_bytes()[at] == b'\\' {
            at += 2;
        } else if inside.as_bytes()[at..].starts_with(quote.as_bytes()) {
            return Some(quote.len() + at + quote.len());
        } else {
            at += 1;
        }
    }
    Some(text.len())
}

/// The length of a comment at the beginning of a text.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    let inside = text.strip_prefix("/*")?;
    Some(inside.find("*/").map_or(text.len(), |end| end + 4))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_own_limit_is_the_last_one() {
        let table = [
            ("FROM a | LIMIT 10", Some(10)),
            ("from a | limit 10_000 | keep x | sort y", Some(10_000)),
            ("FROM a | LIMIT 5000 | LIMIT 20", Some(20)),
            ("FROM a | LIMIT 20 | STATS c = COUNT(*) BY tags", None),
            ("FROM a | LIMIT 20 | MV_EXPAND tags", None),
            ("FROM a | LIMIT 20 | LOOKUP JOIN b ON k", None),
            ("FROM a | WHERE x == \"| LIMIT 3\"", None),
            ("FROM a | WHERE x == \"\"\"\" | LIMIT 3\"\"\" | LIMIT 4", Some(4)),
            ("FROM a | KEEP `a | LIMIT 3`", None),
            ("FROM a // | LIMIT 3\n | KEEP x", None),
            ("FROM a | LIMIT 3 // all", Some(3)),
            ("FROM a | LIMIT /* many */ 7", Some(7)),
            ("FROM a | FORK (WHERE x | LIMIT 3) (LIMIT 4)", None),
            ("FROM a | LIMIT 3 BY k", None),
            ("FROM a | LIMIT ?n", None),
            ("FROM a", None),
            ("", None),
            ("FROM a | WHERE x == \"\\\" | LIMIT 2\" | LIMIT 9", Some(9)),
        ];
        for (query, expected) in table {
            assert_eq!(own_limit(query), expected, "{query}");
        }
    }

    #[test]
    fn a_result_as_long_as_the_servers_limit_was_cut_off() {
        let warned = vec!["x".to_owned(), "No limit defined, adding default limit of [1000]".to_owned()];
        let changed = vec!["No limit defined, adding default limit of [50]".to_owned()];
        let table: [(&str, u64, &[String], Option<u64>); 14] = [
            ("FROM a", 1_000, &warned, Some(1_000)),
            ("FROM a", 999, &warned, None),
            ("FROM a", 50, &changed, Some(50)),
            ("FROM a", 1_000, &[], Some(1_000)),
            ("FROM a", 10_000, &[], Some(10_000)),
            ("FROM a", 12, &[], None),
            ("FROM a | LIMIT 1000", 1_000, &[], None),
            ("FROM a | LIMIT 10000", 10_000, &[], None),
            ("FROM a | LIMIT 20000", 10_000, &[], Some(10_000)),
            ("FROM a | LIMIT 20000", 9_999, &[], None),
            ("FROM a | LIMIT 100000", 50_000, &[], Some(50_000)),
            ("FROM a | LIMIT 20 | MV_EXPAND t", 1_000, &warned, Some(1_000)),
            ("FROM a | LIMIT 20 | MV_EXPAND t", 60, &[], None),
            ("FROM a | LIMIT 5 // | LIMIT 9999999", 5, &[], None),
        ];
        for (query, rows, warnings, expected) in table {
            assert_eq!(limit_that_cut(query, rows, warnings), expected, "{query} {rows}");
        }
    }

    proptest! {
        #[test]
        fn the_last_limit_counts_whatever_stands_before_it(query in "[a-z =,|]{0,40}", limit in 1..9_000_u64) {
            prop_assert_eq!(own_limit(&format!("{query} | LIMIT {limit}")), Some(limit));
        }
    }
}
