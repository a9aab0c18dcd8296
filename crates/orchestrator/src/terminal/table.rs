//! Tables of plain text.

/// The layout of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A table that is as wide as what is in it. The last column may be of any length.
#[derive(Clone, Debug)]
pub struct Table {
    heads: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    pub fn new(heads: &[(&'static str, Align)]) -> Self {
        Self { heads: heads.to_vec(), rows: Vec::new() }
    }

    /// Adds a row with a cell for each column.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Returns whether it has no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
            cells.chain([self.heads[column].0.chars().count()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.heads.len()).map(width).collect();
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            let mut text = String::new();
            for ((cell, width), (_, align)) in cells.zip(&widths).zip(&self.heads) {
                match align {
                    Align::Left => text.push_str(&format!("{cell:<width$}  ")),
                    Align::Right => text.push_str(&format!("{cell:>width$}  ")),
                }
            }
            text.trim_end().to_owned()
        };
        writeln!(f, "{}", line(&mut self.heads.iter().map(|(head, _)| *head)))?;
        for row in &self.rows {
            writeln!(f, "{}", line(&mut row.iter().map(String::as_str)))?;
        }
        Ok(())
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

/// A time that something took, as a person says it: 850 ms, 12.3 s, 4 m 05 s.
pub fn took(duration: std::time::Duration) -> String {
    let seconds = duration.as_secs();
    match duration.as_millis() {
        0..1_000 => format!("{} ms", duration.as_millis()),
        1_000..60_000 => format!("{:.1} s", duration.as_secs_f64()),
        _ => format!("{} m {:02} s", seconds / 60, seconds % 60),
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
    fn numbers_and_times_are_read_easily() {
        assert_eq!([0, 999, 1_000, 336_776, 1_000_000].map(count), ["0", "999", "1,000", "336,776", "1,000,000"]);
        assert_eq!([912, 5_300, 1_100_000].map(size), ["912 B", "5.3 kB", "1.1 MB"]);
        assert_eq!([0, 1, 1_200].map(|n| counted(n, "shard")), ["0 shards", "1 shard", "1,200 shards"]);
        assert_eq!([1, 2].map(|n| counted(n, "index")), ["1 index", "2 indices"]);
        let table = [(850, "850 ms"), (12_340, "12.3 s"), (245_000, "4 m 05 s")];
        for (milliseconds, text) in table {
            assert_eq!(took(Duration::from_millis(milliseconds)), text);
        }
    }
}
