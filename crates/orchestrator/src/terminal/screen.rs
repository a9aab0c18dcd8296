//! The properties of a stream that output is laid out for: its width, its characters, its colours.
//! It asks the process once; the layout itself is left to functions that take a [`Screen`].

use std::io::IsTerminal as _;

use super::logging::colour;

/// The width of output that nobody measured.
const USUAL_WIDTH: usize = 80;

/// Narrower output than this is not laid out: its lines are cut by the terminal.
const NARROWEST: usize = 40;

/// A stream as output is laid out for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// The columns of a line.
    pub width: usize,
    /// The lines, of a terminal.
    pub height: Option<usize>,
    /// Names that do not fit are shortened. Where a program reads, every name is whole.
    pub shortens: bool,
    /// Characters beyond ASCII can be shown.
    pub unicode: bool,
    /// Colours are wanted.
    pub colour: bool,
}

impl Screen {
    /// Standard output.
    pub fn stdout() -> Self {
        let stream = std::io::stdout();
        Self::of(stream.is_terminal(), terminal_size::terminal_size_of(&stream))
    }

    /// Standard error.
    pub fn stderr() -> Self {
        let stream = std::io::stderr();
        Self::of(stream.is_terminal(), terminal_size::terminal_size_of(&stream))
    }

    fn of(is_terminal: bool, size: Option<(terminal_size::Width, terminal_size::Height)>) -> Self {
        let size = size.filter(|_| is_terminal).map(|(width, height)| (usize::from(width.0), usize::from(height.0)));
        Self {
            width: width(size.map(|(width, _)| width), std::env::var("COLUMNS").ok().as_deref()),
            height: size.map(|(_, height)| height),
            shortens: is_terminal,
            unicode: supports_unicode::supports_unicode(),
            colour: colour(is_terminal),
        }
    }
}

/// The columns of a line: those of the terminal, or what `COLUMNS` says where there is none.
fn width(terminal: Option<usize>, columns: Option<&str>) -> usize {
    let known = terminal.filter(|width| *width > 0).or_else(|| columns?.trim().parse().ok().filter(|width| *width > 0));
    known.unwrap_or(USUAL_WIDTH).max(NARROWEST)
}

#[cfg(test)]
impl Screen {
    /// A terminal without colours.
    pub(crate) fn wide(width: usize) -> Self {
        Self { width, height: Some(40), shortens: true, unicode: true, colour: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_terminal_comes_before_the_variable() {
        let table = [
            (Some(150), Some("90"), 150),
            (None, Some("90"), 90),
            (None, Some("0"), 80),
            (None, Some("wide"), 80),
            (Some(0), None, 80),
            (None, None, 80),
            (Some(10), None, 40),
        ];
        for (terminal, columns, wanted) in table {
            assert_eq!(width(terminal, columns), wanted, "{terminal:?} {columns:?}");
        }
    }
}
