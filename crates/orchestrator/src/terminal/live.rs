//! The lines of a run that is under way: one for each asset, with a bar over all its partitions, and
//! one for the total. Pure: it takes events with their times, and lays out text.

use std::time::{Duration, Instant};

use indexmap::IndexMap;

use super::screen::Screen;
use super::table::{count, counted, took};
use super::text::{Tone, shorten, width};

/// An asset that something will be done with, and its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedAsset {
    /// Its name.
    pub name: String,
    /// Its parts, with the rows that each will have, where that is known.
    pub parts: Vec<(Option<String>, Option<u64>)>,
}

/// The state of a part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Waiting,
    Active,
    Done,
    Failed,
    Skipped,
}

#[derive(Clone, Copy, Debug, Default)]
struct Part {
    state: State,
    done: u64,
    total: Option<u64>,
    /// Of the rows done, those of an earlier process.
    resumed: u64,
}

/// The counts of a step that is under way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) done: u64,
    pub(super) total: Option<u64>,
    pub(super) resumed: u64,
    pub(super) phase: Option<&'static str>,
}

/// The ends of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It did its work, and wrote so many rows, where its kind writes rows.
    Done(Option<u64>),
    /// It failed or was interrupted.
    Failed,
    /// It did not start.
    Skipped,
}

/// One asset of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct AssetLine {
    parts: IndexMap<Option<String>, Part>,
    started: Option<Instant>,
    ended: Option<Instant>,
    /// The phase of the work, and when it began.
    phase: Option<(&'static str, Instant)>,
}

impl AssetLine {
    pub(super) fn start(&mut self, part: &Option<String>, now: Instant) {
        self.started.get_or_insert(now);
        self.ended = None;
        self.part(part).state = State::Active;
    }

    pub(super) fn advance(&mut self, part: &Option<String>, counts: &Counts, now: Instant) {
        let seen = self.part(part);
        seen.state = State::Active;
        (seen.done, seen.resumed) = (counts.done, counts.resumed);
        seen.total = counts.total.or(seen.total);
        self.started.get_or_insert(now);
        if self.phase.map(|(name, _)| name) != counts.phase {
            self.phase = counts.phase.map(|name| (name, now));
        }
    }

    pub(super) fn end(&mut self, part: &Option<String>, end: End, now: Instant) {
        let seen = self.part(part);
        match end {
            End::Done(rows) => {
                seen.state = State::Done;
                seen.done = rows.unwrap_or(seen.done);
                seen.total = Some(seen.done);
            }
            End::Failed => seen.state = State::Failed,
            End::Skipped => seen.state = State::Skipped,
        }
        if self.parts.values().all(|part| !matches!(part.state, State::Waiting | State::Active)) {
            self.ended = Some(now);
        }
    }

    fn part(&mut self, part: &Option<String>) -> &mut Part {
        self.parts.entry(part.clone()).or_default()
    }

    pub(super) fn is_active(&self) -> bool {
        self.parts.values().any(|part| part.state == State::Active)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Parts that were begun and have ended.
    fn settled(&self) -> usize {
        self.number(State::Done) + self.number(State::Failed)
    }

    fn number(&self, state: State) -> usize {
        self.parts.values().filter(|part| part.state == state).count()
    }

    fn rows(&self) -> u64 {
        self.parts.values().map(|part| part.done).sum()
    }

    /// The rows of all parts, if all are known.
    fn total(&self) -> Option<u64> {
        let total: u64 = self.parts.values().map(|part| part.total).sum::<Option<u64>>()?;
        (total > 0).then_some(total)
    }

    /// The share of the work that is done, from 0 to 1, if there is something to tell it by.
    fn fraction(&self) -> Option<f64> {
        let share = |part: &Part| match (part.state, part.total) {
            (State::Done | State::Failed, _) => 1.0,
            (State::Active, Some(total)) if total > 0 => (part.done as f64 / total as f64).min(1.0),
            _ => 0.0,
        };
        if let Some(total) = self.total() {
            let weight = |part: &Part| part.total.unwrap_or(0) as f64 / total as f64;
            return Some(self.parts.values().map(|part| share(part) * weight(part)).sum());
        }
        let sum: f64 = self.parts.values().map(share).sum();
        (self.parts.len() > 1 || sum > 0.0).then_some(sum / self.parts.len().max(1) as f64)
    }

    /// Rows a second of this process, once there is something to divide.
    fn rate(&self, now: Instant) -> Option<f64> {
        let since = self.phase.map(|(_, began)| began).or(self.started)?;
        let spent = self.ended.unwrap_or(now).saturating_duration_since(since).as_secs_f64();
        let rows = self.rows().saturating_sub(self.parts.values().map(|part| part.resumed).sum());
        (rows > 0 && spent > 0.0).then_some(rows as f64 / spent)
    }

    /// The time left, if the pace stays as it is.
    fn left(&self, now: Instant) -> Option<Duration> {
        let fraction = self.fraction().filter(|fraction| *fraction > 0.0 && *fraction < 1.0)?;
        let seconds = match (self.total(), self.rate(now)) {
            (Some(total), Some(rate)) => total.saturating_sub(self.rows()) as f64 / rate,
            _ => now.saturating_duration_since(self.started?).as_secs_f64() * (1.0 - fraction) / fraction,
        };
        Duration::try_from_secs_f64(seconds).ok()
    }

    /// The last words of a line.
    fn tail(&self, now: Instant) -> (String, Tone) {
        let failed = self.number(State::Failed);
        if self.ended.is_some() {
            let spent = self.started.map(|start| took(self.ended.unwrap_or(now).saturating_duration_since(start)));
            return match (failed, self.number(State::Skipped), spent) {
                (0, 0, Some(spent)) => (format!("done in {}", spent), Tone::Good),
                (0, 0, None) => ("unchanged".to_owned(), Tone::Dim),
                (0, _, _) => ("skipped".to_owned(), Tone::Dim),
                _ => (failures(failed), Tone::Bad),
            };
        }
        if failed > 0 {
            return (failures(failed), Tone::Bad);
        }
        if !self.is_active() {
            return (String::new(), Tone::Dim);
        }
        let phase = self.phase.map(|(name, _)| name);
        match (phase, self.left(now), self.started) {
            (_, Some(left), _) => (format!("{} left", whole(left)), Tone::Plain),
            (Some(phase), _, _) => (phase.to_owned(), Tone::Plain),
            (None, None, Some(start)) => (format!("for {}", whole(now.saturating_duration_since(start))), Tone::Plain),
            (None, None, None) => (String::new(), Tone::Plain),
        }
    }
}

fn failures(failed: usize) -> String {
    if failed == 1 { "failed".to_owned() } else { format!("{failed} failed") }
}

/// A time that still changes: tenths of a second would only flicker.
fn whole(time: Duration) -> String {
    if time < Duration::from_secs(60) { format!("{} s", time.as_secs().max(1)) } else { took(time) }
}

/// All assets of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Board {
    assets: IndexMap<String, AssetLine>,
    started: Option<Instant>,
}

impl Board {
    /// The assets of a plan, before anything is done.
    pub(super) fn new(planned: &[PlannedAsset]) -> Self {
        let line = |asset: &PlannedAsset| {
            let part = |(name, total): &(Option<String>, Option<u64>)| {
                (name.clone(), Part { total: *total, ..Part::default() })
            };
            (asset.name.clone(), AssetLine { parts: asset.parts.iter().map(part).collect(), ..AssetLine::default() })
        };
        Self { assets: planned.iter().map(line).collect(), started: None }
    }

    /// An asset; one that was not planned is added.
    pub(super) fn asset(&mut self, name: &str, now: Instant) -> &mut AssetLine {
        self.started.get_or_insert(now);
        self.assets.entry(name.to_owned()).or_default()
    }

    pub(super) fn of(&self, name: &str) -> Option<&AssetLine> {
        self.assets.get(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.assets.keys().map(String::as_str)
    }

    /// The line of an asset.
    pub(super) fn line(&self, name: &str, now: Instant, screen: &Screen) -> String {
        let Some(asset) = self.assets.get(name) else { return String::new() };
        self.columns(
            &Columns {
                name,
                has_failed: asset.number(State::Failed) > 0,
                fraction: asset.fraction().or((!asset.is_active()).then_some(0.0)),
                spent: asset.started.map_or(Duration::ZERO, |start| now.saturating_duration_since(start)),
                parts: (asset.settled(), asset.parts.len()),
                rows: asset.rows(),
                total: asset.total(),
                rate: asset.rate(now),
                tail: asset.tail(now),
            },
            screen,
        )
    }

    /// The line of all assets together.
    pub(super) fn total_line(&self, now: Instant, screen: &Screen) -> String {
        let of_part = |asset: &AssetLine| asset.fraction().unwrap_or(0.0) * asset.parts.len() as f64;
        // What is skipped is no longer to be done.
        let wanted = |asset: &AssetLine| asset.parts.len() - asset.number(State::Skipped);
        let parts: usize = self.assets.values().map(wanted).sum();
        let spent = self.started.map_or(Duration::ZERO, |start| now.saturating_duration_since(start));
        self.columns(
            &Columns {
                name: "total",
                has_failed: self.assets.values().any(|asset| asset.number(State::Failed) > 0),
                fraction: Some(self.assets.values().map(of_part).sum::<f64>() / parts.max(1) as f64),
                spent,
                parts: (self.assets.values().map(AssetLine::settled).sum(), parts),
                rows: self.assets.values().map(AssetLine::rows).sum(),
                total: None,
                rate: None,
                tail: (format!("for {}", whole(spent)), Tone::Plain),
            },
            screen,
        )
    }

    fn columns(&self, line: &Columns<'_>, screen: &Screen) -> String {
        let room = screen.width.saturating_sub(1);
        let most_parts = self.assets.values().map(|asset| asset.parts.len()).sum::<usize>();
        // One part of one asset needs no count.
        let parts_width = if most_parts > 1 { 2 * most_parts.to_string().len() + 1 } else { 0 };
        let longest = self.names().map(width).max().unwrap_or(0).max(width("total"));
        let (is_wide, is_narrow) = (screen.width >= 100, screen.width < 76);
        let name_width = longest.min(if is_narrow { 12 } else { screen.width * 23 / 100 });
        let rows = match (line.rows, line.total) {
            (0, _) => String::new(),
            (rows, Some(total)) if is_wide && rows < total => format!("{}/{} rows", count(rows), count(total)),
            (rows, _) => counted(rows, "row"),
        };
        let rate = line.rate.filter(|_| !is_narrow).map(|rate| format!("{}/s", count(rate as u64))).unwrap_or_default();
        let (rows_width, rate_width, tail_width) = match (is_wide, is_narrow) {
            (true, _) => (27, 11, 16),
            (_, false) => (14, 9, 15),
            (_, true) => (14, 0, 15),
        };
        let rest = name_width + parts_width + rows_width + rate_width + tail_width + 8;
        let bar_width = room.saturating_sub(rest).clamp(4, 40);
        let parts = if most_parts > 1 { format!("{}/{}", line.parts.0, line.parts.1) } else { String::new() };
        let (tail, tone) = &line.tail;
        let done = if line.has_failed { Tone::Bad } else { Tone::Good };
        let bar = bar(line.fraction, line.spent, bar_width, done, screen);
        let name = shorten(line.name, name_width, screen.unicode);
        let text = format!(
            "{name}{}  {bar} {parts:>parts_width$} {rows:>rows_width$}  {rate:>rate_width$}  {}",
            " ".repeat(name_width - width(&name)),
            tone.paint(tail, screen.colour)
        );
        text.trim_end().to_owned()
    }

    /// A line about an asset for a log.
    pub(super) fn note(&self, name: &str, now: Instant) -> Option<String> {
        let asset = self.assets.get(name)?;
        let parts = asset.parts.len();
        let mut words = Vec::new();
        if parts > 1 {
            words.push(format!("{} of {parts} partitions", asset.settled()));
        }
        match (asset.rows(), asset.total()) {
            (0, _) => {}
            (rows, Some(total)) => words.push(format!("{} of {}", count(rows), counted(total, "row"))),
            (rows, None) => words.push(counted(rows, "row")),
        }
        words.extend(asset.rate(now).map(|rate| format!("{}/s", count(rate as u64))));
        let (tail, _) = asset.tail(now);
        words.extend((!tail.is_empty()).then_some(tail));
        Some(format!("  {name}: {}", words.join(", ")))
    }
}

/// The content of a line.
struct Columns<'a> {
    name: &'a str,
    has_failed: bool,
    fraction: Option<f64>,
    spent: Duration,
    parts: (usize, usize),
    rows: u64,
    total: Option<u64>,
    rate: Option<f64>,
    tail: (String, Tone),
}

/// A bar of so many columns; one that wanders where nobody knows how much there is to do.
fn bar(fraction: Option<f64>, spent: Duration, columns: usize, full_tone: Tone, screen: &Screen) -> String {
    let (full, empty) = if screen.unicode { ("━", "─") } else { ("#", ".") };
    let paint = |text: String, tone: Tone| tone.paint(&text, screen.colour);
    match fraction {
        Some(fraction) => {
            let done = (fraction * columns as f64).floor().clamp(0.0, columns as f64) as usize;
            let tone = if done == columns { full_tone } else { Tone::Strong };
            paint(full.repeat(done), tone) + &paint(empty.repeat(columns - done), Tone::Dim)
        }
        None => {
            let block = (columns / 4).max(1);
            let way = columns - block;
            // There and back again.
            let step = (spent.as_millis() / 120) as usize % (2 * way).max(1);
            let before = if step <= way { step } else { 2 * way - step };
            let sides = [before, columns - block - before].map(|side| paint(empty.repeat(side), Tone::Dim));
            format!("{}{}{}", sides[0], paint(full.repeat(block), Tone::Strong), sides[1])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(number: u32) -> Option<String> {
        Some(format!("2013-{number:02}"))
    }

    /// Two assets, ten seconds into their run.
    fn board() -> (Board, Instant) {
        let parts = (1..=4).map(|number| (month(number), Some(25_000))).collect();
        let planned = [
            PlannedAsset { name: "departures".to_owned(), parts },
            PlannedAsset { name: "departures_and_their_weather".to_owned(), parts: vec![(None, None)] },
        ];
        let mut board = Board::new(&planned);
        let begin = Instant::now();
        for number in 1..=2 {
            board.asset("departures", begin).start(&month(number), begin);
        }
        let later = begin + Duration::from_secs(10);
        board.asset("departures", later).end(&month(1), End::Done(Some(25_000)), later);
        let counts = Counts { done: 15_000, total: Some(25_000), ..Counts::default() };
        board.asset("departures", later).advance(&month(2), &counts, later);
        (board, later)
    }

    fn lines(board: &Board, now: Instant, screen: &Screen) -> Vec<String> {
        let mut lines: Vec<String> = board.names().map(|name| board.line(name, now, screen)).collect();
        lines.push(board.total_line(now, screen));
        lines
    }

    #[test]
    fn a_line_tells_of_all_partitions_of_an_asset() {
        let (board, now) = board();
        assert_eq!(
            lines(&board, now, &Screen::wide(80)),
            [
                "departures          ━━━━──────── 1/4    40,000 rows    4,000/s  15 s left",
                "departure…_weather  ──────────── 0/1",
                "total               ━━━───────── 1/5    40,000 rows             for 10 s",
            ]
        );
        let ascii = Screen { unicode: false, ..Screen::wide(80) };
        assert!(lines(&board, now, &ascii)[0].contains(" ####........ "), "{:?}", lines(&board, now, &ascii));
        assert_eq!(
            board.note("departures", now).unwrap(),
            "  departures: 1 of 4 partitions, 40,000 of 100,000 rows, 4,000/s, 15 s left"
        );
    }

    #[test]
    fn every_line_fits_any_screen() {
        let (board, now) = board();
        for columns in [60, 80, 100, 150, 250] {
            for line in lines(&board, now, &Screen::wide(columns)) {
                assert!(width(&line) < columns, "{columns}: {line}");
            }
        }
        let line = &lines(&board, now, &Screen::wide(150))[0];
        assert!(line.contains("40,000/100,000 rows") && line.contains("departures   "), "{line}");
    }

    #[test]
    fn a_line_says_how_its_asset_ended() {
        let (mut board, now) = board();
        board.asset("departures", now).end(&month(2), End::Failed, now);
        assert!(board.line("departures", now, &Screen::wide(80)).ends_with("failed"));
        for number in 3..=4 {
            board.asset("departures", now).end(&month(number), End::Done(Some(25_000)), now);
        }
        assert!(board.line("departures", now, &Screen::wide(80)).ends_with("4/4    90,000 rows    9,000/s  failed"));
        let weather = board.asset("departures_and_their_weather", now);
        weather.end(&None, End::Skipped, now);
        assert!(board.line("departures_and_their_weather", now, &Screen::wide(80)).ends_with("skipped"));
        assert!(board.total_line(now, &Screen::wide(80)).contains(" 4/4 "));
    }

    #[test]
    fn rows_of_an_earlier_process_do_not_count_for_the_rate() {
        let begin = Instant::now();
        let mut line = AssetLine::default();
        line.start(&None, begin);
        let later = begin + Duration::from_secs(5);
        line.advance(&None, &Counts { done: 600, total: Some(1_100), resumed: 500, phase: None }, later);
        assert_eq!(line.rate(later), Some(20.0));
        assert_eq!(line.left(later), Some(Duration::from_secs(25)));
    }

    #[test]
    fn a_phase_is_told_where_the_time_left_is_not_known() {
        let begin = Instant::now();
        let mut line = AssetLine::default();
        line.start(&None, begin);
        line.advance(&None, &Counts { done: 10, phase: Some("encoding"), ..Counts::default() }, begin);
        assert_eq!(line.tail(begin).0, "encoding");
    }

    #[test]
    fn a_bar_of_unknown_length_wanders() {
        let screen = Screen::wide(80);
        let bars: Vec<String> =
            (0..16).map(|step| bar(None, Duration::from_millis(120 * step), 8, Tone::Good, &screen)).collect();
        assert_eq!((bars[0].as_str(), bars[6].as_str()), ("━━──────", "──────━━"));
        assert!(bars.iter().all(|bar| width(bar) == 8 && bar.matches('━').count() == 2), "{bars:?}");
        assert_eq!(bars[12], bars[0]);
    }
}
