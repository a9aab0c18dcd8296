//! The members of a JSON object: the columns of a document, and the fields of a struct.

use std::collections::HashSet;

use super::cells::Cells;
use super::line::Line;
use super::text::write_inside;
use super::value::Refusal;
use crate::error::{Error, ErrorKind};

/// Named values, in the order they are written.
#[derive(Default)]
pub(crate) struct Members<'a> {
    members: Vec<Member<'a>>,
}

struct Member<'a> {
    key: Key,
    content: Content<'a>,
}

enum Content<'a> {
    Cells(Cells<'a>),
    /// Members that a dot in a column's name stands for.
    Object(Members<'a>),
}

impl<'a> Members<'a> {
    /// Members under their names as they are.
    pub(crate) fn flat(columns: Vec<(&str, Cells<'a>)>) -> Self {
        let member = |(name, cells)| Member { key: Key::new(name), content: Content::Cells(cells) };
        Self { members: columns.into_iter().map(member).collect() }
    }

    /// Members whose names are paths of objects. An object stands where the first of its
    /// members does.
    ///
    /// # Errors
    /// [`ErrorKind::UnsupportedType`] for a name that is an object's as well, and for one with
    /// nothing before, between or after its dots.
    pub(crate) fn objects(columns: Vec<(&str, Cells<'a>)>) -> Result<Self, Error> {
        let paths = columns.iter().map(|(name, _)| *name).collect::<Vec<_>>();
        check_paths(&paths)?;
        let mut members = Self::default();
        for (path, cells) in columns {
            members.insert(path, cells);
        }
        Ok(members)
    }

    fn insert(&mut self, path: &str, cells: Cells<'a>) {
        let Some((name, rest)) = path.split_once('.') else {
            self.members.push(Member { key: Key::new(path), content: Content::Cells(cells) });
            return;
        };
        let key = Key::new(name);
        for member in &mut self.members {
            if let Content::Object(object) = &mut member.content
                && member.key.text == key.text
            {
                return object.insert(rest, cells);
            }
        }
        let mut object = Self::default();
        object.insert(rest, cells);
        self.members.push(Member { key, content: Content::Object(object) });
    }

    /// Appends the members that have values, in braces. False, and nothing appended, when
    /// none has.
    #[inline]
    pub(crate) fn write(&self, row: usize, line: &mut Line<'_>) -> Result<bool, Refusal> {
        let start = line.at();
        for member in &self.members {
            let before = line.at();
            let written = match &member.content {
                Content::Cells(cells) => {
                    if !cells.is_valid(row) {
                        continue;
                    }
                    member.key.write(line);
                    cells.write(row, line)
                }
                Content::Object(members) => {
                    member.key.write(line);
                    members.write(row, line)
                }
            };
            match written {
                Ok(true) => {}
                Ok(false) => line.rewind(before),
                Err(refusal) => return Err(refusal.inside(member.key.name())),
            }
        }
        if line.at() == start {
            return Ok(false);
        }
        // Each key brings the comma before it, and the first one's is the object's brace.
        line.set(start, b'{');
        line.put(b'}');
        Ok(true)
    }

    /// About how many bytes an object takes.
    pub(crate) fn typical_size(&self) -> usize {
        let size = |member: &Member<'_>| {
            let content = match &member.content {
                Content::Cells(cells) => cells.typical_size(),
                Content::Object(members) => members.typical_size(),
            };
            member.key.text.len() + content
        };
        Key::WINDOW + self.members.iter().map(size).sum::<usize>()
    }
}

/// A member's name as it is written, with the comma before and the colon after it.
pub(crate) struct Key {
    text: Vec<u8>,
    /// The text if it fits, so that it is copied in one piece of a fixed size.
    window: [u8; Key::WINDOW],
}

impl Key {
    const WINDOW: usize = 32;

    pub(crate) fn new(name: &str) -> Self {
        let mut text = b",\"".to_vec();
        write_inside(name.as_bytes(), &mut Line::new(&mut text, 0));
        text.extend_from_slice(b"\":");
        let mut window = [0; Self::WINDOW];
        if text.len() <= Self::WINDOW {
            window[..text.len()].copy_from_slice(&text);
        }
        Self { text, window }
    }

    #[inline(always)]
    pub(crate) fn write(&self, line: &mut Line<'_>) {
        if self.text.len() <= Self::WINDOW {
            line.put_prefix(&self.window, self.text.len());
        } else {
            line.put_bytes(&self.text);
        }
    }

    /// The name for a message: escapes stay as they are.
    fn name(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.text[2..self.text.len() - 2])
    }
}

/// Refuses paths of which one is inside another, or that have an empty part.
pub(crate) fn check_paths(paths: &[&str]) -> Result<(), Error> {
    let whole: HashSet<&str> = paths.iter().copied().collect();
    for path in paths {
        if path.split('.').any(str::is_empty) {
            return Err(Error::new(
                ErrorKind::UnsupportedType,
                format!("column {path:?} does not name a member of an object: a part of it is empty"),
            )
            .with_help("rename the column, or write names with dots as they are"));
        }
        let parents = path.match_indices('.').map(|(dot, _)| &path[..dot]);
        if let Some(parent) = parents.into_iter().find(|parent| whole.contains(parent)) {
            return Err(Error::new(
                ErrorKind::UnsupportedType,
                format!("column {parent} cannot be both a value and the object that column {path} is a member of"),
            )
            .with_help("rename one of the two columns, or leave it out"));
        }
    }
    Ok(())
}
