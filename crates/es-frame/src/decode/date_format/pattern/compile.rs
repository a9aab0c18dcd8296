//! The text of a pattern as pieces.

use super::piece::{Item, Part};

/// Compiles a pattern. The letters of `names` are known with `built_in` alone.
pub(super) fn compile(text: &str, built_in: bool) -> Result<Vec<Item>, String> {
    // Items of the pattern, and of each optional part that is open.
    let mut open: Vec<Vec<Item>> = vec![Vec::new()];
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let push = |open: &mut Vec<Vec<Item>>, item: Item| {
            if let Some(items) = open.last_mut() {
                items.push(item);
            }
        };
        match letter {
            '\'' => {
                // Two quotes are one, in a quoted text and outside.
                if letters.next_if_eq(&'\'').is_some() {
                    push(&mut open, Item::Literal('\''));
                    continue;
                }
                loop {
                    match letters.next() {
                        None => return Err("a quote has no end".to_owned()),
                        Some('\'') if letters.next_if_eq(&'\'').is_none() => break,
                        Some(quoted) => push(&mut open, Item::Literal(quoted)),
                    }
                }
            }
            '[' => open.push(Vec::new()),
            ']' => {
                let inner = open.pop().filter(|_| !open.is_empty()).ok_or("a bracket closes nothing")?;
                push(&mut open, Item::Optional(inner));
            }
            '#' | '{' | '}' => return Err(format!("{letter:?} is reserved")),
            '@' if built_in => push(&mut open, Item::Zone),
            letter if letter.is_ascii_alphabetic() => {
                let mut count = 1;
                while letters.next_if_eq(&letter).is_some() {
                    count += 1;
                }
                push(&mut open, item(letter, count, built_in)?);
            }
            other => push(&mut open, Item::Literal(other)),
        }
    }
    // Java closes what is left open.
    while let Some(inner) = open.pop() {
        match open.last_mut() {
            Some(items) => items.push(Item::Optional(inner)),
            None => {
                let mut items = inner;
                reserve(&mut items);
                return Ok(items);
            }
        }
    }
    Ok(Vec::new())
}

/// The item of a letter that stands `count` times.
fn item(letter: char, count: usize, built_in: bool) -> Result<Item, String> {
    let refused = || Err(format!("it has {} in it", letter.to_string().repeat(count)));
    let number = |part, most| match count {
        1 => Ok(Item::Number { part, least: 1, most, reserved: 0 }),
        count if count == most => Ok(Item::Number { part, least: most, most, reserved: 0 }),
        _ => refused(),
    };
    match (letter, count) {
        ('u' | 'y', 2) => Ok(Item::ShortYear),
        ('u' | 'y', 1) => Ok(Item::Number { part: Part::Year, least: 1, most: 9, reserved: 0 }),
        ('u' | 'y', 4..=9) => Ok(Item::Year { part: Part::Year, digits: count, reserved: 0 }),
        ('M' | 'L', 1 | 2) => number(Part::Month, 2),
        ('M' | 'L', 3 | 4) => Ok(Item::Month { full: count == 4 }),
        ('d', _) => number(Part::Day, 2),
        ('D', 1 | 3) => number(Part::DayOfYear, 3),
        ('H', _) => number(Part::Hour, 2),
        ('k', _) => number(Part::ClockHour, 2),
        ('K', _) => number(Part::HalfHour, 2),
        ('h', _) => number(Part::ClockHalfHour, 2),
        ('m', _) => number(Part::Minute, 2),
        ('s', _) => number(Part::Second, 2),
        ('S', 1..=9) => Ok(Item::Fraction { least: count, most: count }),
        ('a', 1) => Ok(Item::Half),
        ('E', 1..=4) => Ok(Item::Weekday { full: count == 4 }),
        ('X' | 'x', 1..=5) | ('Z', 1..=3 | 5) => Ok(Item::Offset),
        ('V', 2) => Ok(Item::Zone),
        ('F', 1) if built_in => Ok(Item::Fraction { least: 1, most: 9 }),
        ('j', 1) if built_in => Ok(Item::Year { part: Part::WeekYear, digits: 4, reserved: 0 }),
        ('w', 1) if built_in => Ok(Item::Number { part: Part::Week, least: 1, most: 2, reserved: 0 }),
        ('i', 1) if built_in => Ok(Item::Number { part: Part::Weekday, least: 1, most: 1, reserved: 0 }),
        _ => refused(),
    }
}

/// Leaves numbers that stand right behind one of any width the digits that they need.
fn reserve(items: &mut [Item]) {
    let mut behind = 0;
    for item in items.iter_mut().rev() {
        match item {
            Item::Number { least, most, reserved, .. } => {
                if least == most {
                    behind += *least;
                } else {
                    *reserved = behind;
                    behind = 0;
                }
            }
            Item::Year { reserved, .. } => {
                *reserved = behind;
                behind = 0;
            }
            Item::Fraction { least, most } if least == most => behind += *least,
            Item::Optional(inner) => {
                reserve(inner);
                behind = 0;
            }
            _ => behind = 0,
        }
    }
}
