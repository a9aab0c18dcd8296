//! Pictures of numbers made of characters. Pure.

/// Eighths of a block, from one to a whole.
const EIGHTHS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// Blocks of eight heights.
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Marks of eight heights, where there are no blocks.
const ASCII_HEIGHTS: [char; 8] = ['.', ':', '-', '=', '+', '*', '%', '#'];

/// A bar with its label and the text behind it.
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) value: f64,
    pub(super) text: String,
}

/// Horizontal bars from zero, the largest of which fills a line of so many columns. A value below
/// zero has no bar.
pub(super) fn bars(bars: &[Bar], columns: usize, unicode: bool) -> String {
    let longest = |text: fn(&Bar) -> &str| bars.iter().map(|bar| text(bar).chars().count()).max().unwrap_or(0);
    let (label_width, text_width) = (longest(|bar| &bar.label), longest(|bar| &bar.text));
    let room = columns.saturating_sub(label_width + text_width + 4).max(8);
    let highest = bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
    let mut picture = String::new();
    for Bar { label, value, text } in bars {
        let share = if highest > 0.0 { (value / highest).max(0.0) } else { 0.0 };
        let drawn = length(share * room as f64, unicode);
        picture.push_str(&format!("{label:<label_width$}  {drawn:<room$}  {text:>text_width$}\n"));
    }
    picture
}

/// A bar of so many columns, to the eighth of a column.
fn length(columns: f64, unicode: bool) -> String {
    if !unicode {
        return "#".repeat(columns.round() as usize);
    }
    let eighths = (columns * 8.0).round() as usize;
    let mut bar = "█".repeat(eighths / 8);
    if let Some(part) = (eighths % 8).checked_sub(1) {
        bar.push(EIGHTHS[part]);
    }
    bar
}

/// A trend in one line: a mark for each value, the lowest for the smallest.
pub(super) fn trend(values: &[f64], unicode: bool) -> String {
    let marks = if unicode { HEIGHTS } else { ASCII_HEIGHTS };
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mark = |value: &f64| {
        let share = if high > low { (value - low) / (high - low) } else { 0.0 };
        marks[((share * 7.0).round() as usize).min(7)]
    };
    values.iter().map(mark).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(label: &str, value: f64, text: &str) -> Bar {
        Bar { label: label.to_owned(), value, text: text.to_owned() }
    }

    #[test]
    fn the_largest_bar_fills_the_line() {
        let values =
            [bar("Jan", 8.0, "8.0"), bar("February", 16.0, "16.0"), bar("Mar", 0.5, "0.5"), bar("Apr", -1.0, "-1.0")];
        let lines = bars(&values, 32, true);
        assert_eq!(
            lines.lines().collect::<Vec<_>>(),
            [
                "Jan       ████████           8.0",
                "February  ████████████████  16.0",
                "Mar       ▌                  0.5",
                "Apr                         -1.0",
            ]
        );
        assert!(bars(&values, 32, false).starts_with("Jan       ########           8.0\n"));
        assert!(lines.lines().all(|line| line.chars().count() == 32), "{lines}");
        assert_eq!(bars(&[bar("a", 0.0, "0")], 20, true), format!("a{}0\n", " ".repeat(18)));
    }

    #[test]
    fn a_trend_rises_from_its_lowest_value() {
        assert_eq!(trend(&[1.0, 2.0, 4.5, 8.0], true), "▁▂▅█");
        assert_eq!(trend(&[1.0, 8.0], false), ".#");
        assert_eq!(trend(&[3.0, 3.0], true), "▁▁");
        assert_eq!(trend(&[], true), "");
    }
}
