//! Tables of plain text, and numbers as a person reads them.

use super::screen::Screen;
use super::text::{Tone, shorten, width, wrap};

/// The columns between two cells.
const GAP: usize = 2;

/// Names are not shortened below this.
const SHORTEST_NAME: usize = 12;

/// Text is not wrapped to less than this while names can be shortened.
const NARROWEST_TEXT: usize = 24;

/// The layout of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
    /// Names, which are shortened in the middle where they do not fit.
    Name,
    /// Text, which goes on in the next line where it does not fit. Only the last column.
    Text,
}

/// A cell of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A cell with a colour.
    pub fn toned(text: impl Into<String>, tone: Tone) -> Self {
        Self { text: text.into(), tone }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, tone: Tone::Plain }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

/// A table that is as wide as what is in it, or as the screen that it is made to fit.
#[derive(Clone, Debug)]
pub struct Table {
    heads: Vec<(&'static str, Align)>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table.
    pub fn new(heads: &[(&'static str, Align)]) -> Self {
        Self { heads: heads.to_vec(), rows: Vec::new() }
    }

    /// Adds a row with a cell for each column.
    pub fn row<C: Into<Cell>>(&mut self, cells: impl IntoIterator<Item = C>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// Returns whether it has no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table for a screen: text is wrapped, and names are shortened, where it is too wide.
    pub fn fit(&self, screen: &Screen) -> String {
        let widths = self.fitting(screen.width, screen.shortens);
        self.lines(&widths, screen)
    }

    /// The widths of the columns at their natural size.
    fn natural(&self) -> Vec<usize> {
        let of_column = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column)).map(|cell| width(&cell.text));
            cells.chain([width(self.heads[column].0)]).max().unwrap_or(0)
        };
        (0..self.heads.len()).map(of_column).collect()
    }

    /// The widths of the columns in so many columns of a screen: text gives way first, then names.
    fn fitting(&self, room: usize, shortens: bool) -> Vec<usize> {
        let mut widths = self.natural();
        let gaps = GAP * widths.len().saturating_sub(1);
        let excess = |widths: &[usize]| (widths.iter().sum::<usize>() + gaps).saturating_sub(room);
        let steps = [(Align::Text, NARROWEST_TEXT), (Align::Name, SHORTEST_NAME), (Align::Text, NARROWEST_TEXT / 2)];
        for (wanted, least) in steps {
            if wanted == Align::Name && !shortens {
                continue;
            }
            while excess(&widths) > 0 {
                let columns = self.heads.iter().enumerate().filter(|(_, (_, align))| *align == wanted);
                let widest = columns.map(|(column, _)| column).max_by_key(|column| widths[*column]);
                let Some(column) = widest.filter(|column| widths[*column] > least) else { break };
                widths[column] -= 1;
            }
        }
        widths
    }

    fn lines(&self, widths: &[usize], screen: &Screen) -> String {
        let mut text = String::new();
        if self.heads.iter().any(|(head, _)| !head.is_empty()) {
            let heads: Vec<Cell> = self.heads.iter().map(|(head, _)| Cell::toned(*head, Tone::Dim)).collect();
            self.line(&mut text, &heads, widths, screen);
        }
        for row in &self.rows {
            self.line(&mut text, row, widths, screen);
        }
        text
    }

    fn line(&self, text: &mut String, cells: &[Cell], widths: &[usize], screen: &Screen) {
        let mut line = String::new();
        let mut further: Vec<String> = Vec::new();
        let mut margin = 0;
        for ((cell, size), (_, align)) in cells.iter().zip(widths).zip(&self.heads) {
            let shown = match align {
                Align::Name if screen.shortens => shorten(&cell.text, *size, screen.unicode),
                Align::Text => {
                    let mut lines = wrap(&cell.text, *size).into_iter();
                    let first = lines.next().unwrap_or_default();
                    further = lines.map(|line| " ".repeat(margin) + &cell.tone.paint(&line, screen.colour)).collect();
                    first
                }
                Align::Left | Align::Right | Align::Name => cell.text.clone(),
            };
            let padding = " ".repeat(size.saturating_sub(width(&shown)));
            let shown = cell.tone.paint(&shown, screen.colour);
            line.push_str(&match align {
                Align::Right => format!("{padding}{shown}"),
                _ => format!("{shown}{padding}"),
            });
            line.push_str(&" ".repeat(GAP));
            margin += size + GAP;
        }
        text.push_str(line.trim_end());
        text.push('\n');
        for line in further {
            text.push_str(&line);
            text.push('\n');
        }
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plain = Screen { width: usize::MAX, height: None, shortens: false, unicode: true, colour: false };
        f.write_str(&self.lines(&self.natural(), &plain))
    }
}

/// A number with commas: 336,776.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with its noun: 1 row, 2 rows.
pub fn counted(number: u64, noun: &str) -> String {
    let number_text = count(number);
    match (number, noun.strip_suffix("index")) {
        (1, _) => format!("{number_text} {noun}"),
        (_, Some(before)) => format!("{number_text} {before}indices"),
        (_, None) => format!("{number_text} {noun}s"),
    }
}

/// A time that something took, as a person says it: 850 ms, 12.3 s, 4 min 05 s, 2 h 10 min.
pub fn took(duration: std::time::Duration) -> String {
    let seconds = (duration.as_millis() + 500) / 1_000;
    match duration.as_millis() {
        0..1_000 => format!("{} ms", duration.as_millis()),
        // Beyond this, a tenth of a second would round up to 60.0 s.
        1_000..59_950 => format!("{:.1} s", duration.as_secs_f64()),
        59_950..3_599_500 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// A size in bytes, as a person says it: 912 B, 5.3 kB, 1.1 MB.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn columns_are_as_wide_as_their_cells() {
        let mut table = Table::new(&[("asset", Align::Left), ("rows", Align::Right), ("detail", Align::Left)]);
        table.row(["a".to_owned(), "1,234".to_owned(), "x".to_owned()]);
        table.row(["departures".to_owned(), "7".to_owned(), String::new()]);
        assert_eq!(table.to_string(), "asset        rows  detail\na           1,234  x\ndepartures      7\n");
    }

    #[test]
    fn text_wraps_and_names_are_shortened_until_a_table_fits() {
        let mut table = Table::new(&[("asset", Align::Name), ("rows", Align::Right), ("why", Align::Text)]);
        table.row(["departures_of_new_york_2013", "336,776", "changed `index.mappings`; `weather` will change"]);
        assert_eq!(
            table.fit(&Screen::wide(62)),
            "asset                           rows  why\n\
             departures_of_new_york_2013  336,776  changed\n\
             \x20                                     `index.mappings`;\n\
             \x20                                     `weather` will change\n"
        );
        let narrow = table.fit(&Screen { shortens: true, ..Screen::wide(50) });
        assert!(narrow.contains("\ndepart"), "{narrow}");
        assert!(narrow.contains('…') && narrow.lines().all(|line| width(line) <= 50), "{narrow}");
        // Where a program reads, a name is whole.
        let read = table.fit(&Screen { shortens: false, ..Screen::wide(50) });
        assert!(read.contains("departures_of_new_york_2013"), "{read}");
    }

    #[test]
    fn colours_take_no_room() {
        let mut table = Table::new(&[("a", Align::Left), ("b", Align::Left)]);
        table.row([Cell::toned("bad", Tone::Bad), "x".into()]);
        let coloured = table.fit(&Screen { colour: true, ..Screen::wide(80) });
        assert!(coloured.ends_with("\x1b[31;1mbad\x1b[0m  x\n"), "{coloured:?}");
    }

    #[test]
    fn numbers_and_times_are_read_easily() {
        assert_eq!([0, 999, 1_000, 336_776, 1_000_000].map(count), ["0", "999", "1,000", "336,776", "1,000,000"]);
        assert_eq!([912, 5_300, 1_100_000].map(size), ["912 B", "5.3 kB", "1.1 MB"]);
        assert_eq!([0, 1, 1_200].map(|n| counted(n, "shard")), ["0 shards", "1 shard", "1,200 shards"]);
        assert_eq!([1, 2].map(|n| counted(n, "index")), ["1 index", "2 indices"]);
        let table = [
            (850, "850 ms"),
            (3_200, "3.2 s"),
            (12_340, "12.3 s"),
            (59_949, "59.9 s"),
            (59_960, "1 min 00 s"),
            (65_000, "1 min 05 s"),
            (245_000, "4 min 05 s"),
            (3_599_499, "59 min 59 s"),
            (3_599_700, "1 h 00 min"),
            (7_800_000, "2 h 10 min"),
        ];
        for (milliseconds, text) in table {
            assert_eq!(took(Duration::from_millis(milliseconds)), text);
        }
    }
}
