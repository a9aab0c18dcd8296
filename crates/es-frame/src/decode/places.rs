//! Which member of a document leads where, and in which order members come.
//!
//! Documents of one index repeat their members in the same order. So each place remembers the
//! order in which its members came, and the member that comes next is first taken for the one
//! that came next before, quote, colon and all.

use std::collections::{HashMap, HashSet};

use super::scan::Scanner;
use super::stop::Stop;
use super::text::unescape;
use super::window::{KEY_BYTES, Window};

/// The object that something is in, by its number.
pub(crate) type PlaceId = usize;

/// The target of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Nowhere: it is passed over.
    Skip,
    /// To a cell.
    Cell(usize),
    /// To cells further inside.
    Place(PlaceId),
    /// To several of these, by the number of the list of them.
    Several(usize),
    /// To a member inside the value of a cell, by the number of its path.
    Inside(usize),
}

/// The places of a table.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    places: Vec<Place>,
    several: Vec<Vec<Target>>,
    /// Cells whose values are objects.
    objects: HashSet<usize>,
    /// Paths inside the values of cells, for names with dots in them.
    inside: Vec<(usize, String)>,
}

#[derive(Clone, Debug, Default)]
struct Place {
    members: Vec<Member>,
    /// The places of members among `members`, by their names as they stand in documents.
    by_name: HashMap<Box<str>, usize>,
    /// Members in the order in which they come, by their places and as they are: which one comes
    /// next is asked for each value of a page, so that it is at hand.
    order: Vec<(usize, Member)>,
}

#[derive(Clone, Debug)]
struct Member {
    key: Key,
    target: Target,
}

/// A name with its quotes and colon.
#[derive(Clone, Debug)]
struct Key {
    text: Box<[u8]>,
    /// The text and the bits that count, if it is short enough to be compared in one piece.
    window: u128,
    mask: u128,
}

/// The number of members that a document may leave out before the next one is looked up.
const AHEAD: usize = 6;
/// The number of names without a target that are remembered of a place: objects can have any.
const MOST_SKIPPED: usize = 500;

impl Places {
    /// The root of documents.
    pub(crate) const ROOT: PlaceId = 0;

    /// A root without members.
    pub(crate) fn new() -> Self {
        Self { places: vec![Place::default()], several: Vec::new(), objects: HashSet::new(), inside: Vec::new() }
    }

    /// A further root.
    pub(crate) fn add_root(&mut self) -> PlaceId {
        self.places.push(Place::default());
        self.places.len() - 1
    }

    /// Makes a path of objects below a place lead to a cell.
    pub(crate) fn lead(&mut self, place: PlaceId, path: &str, cell: usize) {
        match path.split_once('.') {
            None => self.add(place, path, Target::Cell(cell)),
            Some((object, rest)) => {
                let inner = match self.inner(place, object) {
                    Some(inner) => inner,
                    None => {
                        let inner = self.add_root();
                        self.add(place, object, Target::Place(inner));
                        inner
                    }
                };
                self.lead(inner, rest, cell);
            }
        }
    }

    /// Makes a name, dots and all, lead to a cell.
    pub(crate) fn lead_flat(&mut self, place: PlaceId, name: &str, cell: usize) {
        self.add(place, name, Target::Cell(cell));
    }

    /// Says that the values of a cell are objects, whose members names with dots lead to.
    pub(crate) fn holds_objects(&mut self, cell: usize) {
        self.objects.insert(cell);
    }

    /// The cell and the path that a member inside a value is at.
    pub(crate) fn inside(&self, number: usize) -> (usize, String) {
        self.inside[number].clone()
    }

    /// The place that a member of an object leads to.
    fn inner(&self, place: PlaceId, name: &str) -> Option<PlaceId> {
        let target = self.named(place, name)?;
        self.all(&target).iter().find_map(|target| match target {
            Target::Place(inner) => Some(*inner),
            _ => None,
        })
    }

    fn named(&self, place: PlaceId, name: &str) -> Option<Target> {
        let place = &self.places[place];
        place.by_name.get(name).map(|member| place.members[*member].target)
    }

    /// The parts of a target.
    pub(crate) fn all<'t>(&'t self, target: &'t Target) -> &'t [Target] {
        match target {
            Target::Several(list) => &self.several[*list],
            other => std::slice::from_ref(other),
        }
    }

    fn add(&mut self, place: PlaceId, name: &str, target: Target) {
        match self.named(place, name) {
            None => {
                self.remember(place, name, target);
            }
            Some(Target::Several(list)) => self.several[list].push(target),
            Some(other) => {
                self.several.push(vec![other, target]);
                let place = &mut self.places[place];
                let member = place.by_name[name];
                place.members[member].target = Target::Several(self.several.len() - 1);
            }
        }
    }

    fn remember(&mut self, place: PlaceId, name: &str, target: Target) -> usize {
        let place = &mut self.places[place];
        place.by_name.insert(name.into(), place.members.len());
        place.members.push(Member { key: Key::new(name), target });
        place.members.len() - 1
    }

    /// Takes the name of the next member and its colon, and tells where it leads, and what its
    /// value begins with, unless the end of the answer is near. `next` is the place in the order
    /// where it is looked for, and then the one behind it.
    #[inline(always)]
    pub(crate) fn take<'b>(
        &mut self,
        place: PlaceId,
        next: &mut usize,
        scanner: &mut Scanner<'b>,
    ) -> Result<(Target, Option<Window<'b>>), Stop> {
        let here = &self.places[place];
        if let Some((_, Member { key, target })) = here.order.get(*next)
            && let Some(ahead) = scanner.ahead()
            && key.begins(ahead.key())
            && key.text.len() <= KEY_BYTES
        {
            scanner.at += key.text.len();
            *next += 1;
            return Ok((*target, ahead.behind(key.text.len())));
        }
        let target = self.look_up(place, next, scanner)?;
        Ok((target, scanner.window()))
    }

    #[inline(never)]
    fn look_up(&mut self, place: PlaceId, next: &mut usize, scanner: &mut Scanner<'_>) -> Result<Target, Stop> {
        scanner.peek();
        let here = &self.places[place];
        for ahead in *next..(*next + AHEAD).min(here.order.len()) {
            let (_, member) = &here.order[ahead];
            if let Some(length) = member.key.found(scanner) {
                scanner.at += length;
                *next = ahead + 1;
                return Ok(member.target);
            }
        }
        let name = scanner.key()?;
        let member = match self.places[place].by_name.get(name) {
            Some(member) => *member,
            None => {
                let unescaped = unescape(name).ok_or_else(|| scanner.broken("a name is no text"))?;
                let target = self.target(place, &unescaped);
                if target == Target::Skip && self.places[place].members.len() > MOST_SKIPPED {
                    return Ok(target);
                }
                self.remember(place, name, target)
            }
        };
        let here = &mut self.places[place];
        let known = &here.members[member];
        let target = known.target;
        match here.order.iter().position(|(place, _)| *place == member) {
            Some(place) => *next = place + 1,
            None => {
                here.order.insert((*next).min(here.order.len()), (member, known.clone()));
                *next += 1;
            }
        }
        Ok(target)
    }

    /// The target of a name, or of a path of names with dots between them.
    pub(crate) fn target(&mut self, place: PlaceId, name: &str) -> Target {
        if let Some(target) = self.named(place, name) {
            return target;
        }
        let mut found = Vec::new();
        for (dot, _) in name.match_indices('.') {
            let (head, rest) = (&name[..dot], &name[dot + 1..]);
            let Some(target) = self.named(place, head) else { continue };
            for target in self.all(&target).to_vec() {
                match target {
                    Target::Place(inner) => found.push(self.target(inner, rest)),
                    Target::Cell(cell) if self.objects.contains(&cell) => {
                        self.inside.push((cell, rest.to_owned()));
                        found.push(Target::Inside(self.inside.len() - 1));
                    }
                    _ => {}
                }
            }
        }
        found.retain(|target| *target != Target::Skip);
        match found.as_slice() {
            [] => Target::Skip,
            [one] => *one,
            _ => {
                self.several.push(found);
                Target::Several(self.several.len() - 1)
            }
        }
    }
}

impl Key {
    fn new(name: &str) -> Self {
        let text = format!("\"{name}\":").into_bytes();
        let (mut window, mut mask) = ([0; KEY_BYTES], u128::MAX);
        if text.len() <= KEY_BYTES {
            window[..text.len()].copy_from_slice(&text);
            mask = u128::MAX >> (8 * (KEY_BYTES - text.len()) as u32);
        } else {
            window.copy_from_slice(&text[..KEY_BYTES]);
        }
        Self { text: text.into(), window: u128::from_le_bytes(window), mask }
    }

    /// True if bytes begin with the key, or with the beginning of a long one.
    #[inline(always)]
    fn begins(&self, bytes: u128) -> bool {
        bytes & self.mask == self.window
    }

    /// The length of the key if it is next.
    #[inline(always)]
    fn found(&self, scanner: &Scanner<'_>) -> Option<usize> {
        let length = self.text.len();
        match scanner.sixteen(scanner.at) {
            Some(bytes) if !self.begins(bytes) => None,
            Some(_) if length <= KEY_BYTES => Some(length),
            _ => scanner.bytes.get(scanner.at..)?.starts_with(&self.text).then_some(length),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take_all(places: &mut Places, text: &str) -> Vec<Target> {
        let mut scanner = Scanner::new(text);
        let mut next = 0;
        let mut targets = Vec::new();
        if scanner.enter(b'{', b'}', "").unwrap() {
            loop {
                targets.push(places.take(Places::ROOT, &mut next, &mut scanner).unwrap().0);
                scanner.skip().unwrap();
                if !scanner.goes_on(b'}').unwrap() {
                    break;
                }
            }
        }
        targets
    }

    #[test]
    fn members_are_found_in_any_order_and_with_any_left_out() {
        use Target::{Cell, Place, Skip};
        let mut places = Places::new();
        places.lead(0, "a", 0);
        places.lead(0, "o.x", 1);
        places.lead(0, "a_name_of_more_than_sixteen_bytes", 2);
        let long = "a_name_of_more_than_sixteen_bytes";
        for _ in 0..2 {
            let found = take_all(&mut places, &format!(r#"{{"a":1,"u":2,"o":{{}},"{long}":3}}"#));
            assert_eq!(found, [Cell(0), Skip, Place(1), Cell(2)]);
            let found = take_all(&mut places, &format!(r#"{{ "{long}" : 3, "o.x":4,"a":1 }}"#));
            assert_eq!(found, [Cell(2), Cell(1), Cell(0)]);
            assert_eq!(take_all(&mut places, r#"{"\u0061":1,"":2,"o.y":1}"#), [Cell(0), Skip, Skip]);
        }
    }

    #[test]
    fn a_member_can_lead_to_several_cells() {
        let mut places = Places::new();
        places.lead(0, "o", 0);
        places.lead(0, "o.x", 1);
        places.lead(0, "o", 2);
        let found = take_all(&mut places, r#"{"o":{}}"#);
        assert_eq!(places.all(&found[0]), [Target::Cell(0), Target::Place(1), Target::Cell(2)]);
        assert_eq!(take_all(&mut places, r#"{"o.x":{}}"#), [Target::Cell(1)]);
    }
}
