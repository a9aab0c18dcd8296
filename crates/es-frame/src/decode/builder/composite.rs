//! Columns of structs whose members are known by the type of the field: points, ranges, and
//! relations of a join.

use std::net::IpAddr;

use polars::prelude::ArrowDataType;
use polars_arrow::array::{Array, StructArray};

use super::slots::{Numbers, Texts};
use super::{Builder, Validity};
use crate::decode::number;
use crate::decode::scan::Scanner;
use crate::decode::shape::{BOUNDS, Shape};
use crate::decode::stop::{Misfit, Trouble};
use crate::decode::text::unescape;
use crate::error::Error;

/// Points on the globe.
pub(crate) struct Points {
    lat: Numbers<f64>,
    lon: Numbers<f64>,
    validity: Validity,
}

impl Points {
    pub(super) fn new(rows: usize) -> Self {
        Self { lat: Numbers::new(rows), lon: Numbers::new(rows), validity: Validity::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.lat.len()
    }

    pub(super) fn push_nulls(&mut self, nulls: usize) {
        self.validity.push_nulls(self.lat.len(), nulls);
        self.lat.push_nulls(nulls);
        self.lon.push_nulls(nulls);
    }

    /// Takes a point in one of its notations: an object of `lat` and `lon`, GeoJSON, `lat,lon`,
    /// WKT, a geohash, or an array of longitude and latitude. A third number, the altitude, is
    /// left out, as the index leaves it out.
    pub(super) fn read(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Trouble> {
        let (lat, lon) = match scanner.peek() {
            Some(b'{') => read_object(scanner)?,
            Some(b'[') => read_pair(scanner)?,
            Some(b'"') => {
                let text = unescape(scanner.quoted()?).ok_or(Misfit)?;
                point_of_text(&text).ok_or(Misfit)?
            }
            _ => return Err(Trouble::Misfit),
        };
        self.lat.push(lat);
        self.lon.push(lon);
        Ok(())
    }

    pub(super) fn finish(self, dtype: ArrowDataType) -> Result<Box<dyn Array>, Error> {
        let rows = self.lat.len();
        let members = vec![self.lat.finish(ArrowDataType::Float64)?, self.lon.finish(ArrowDataType::Float64)?];
        Ok(StructArray::try_new(dtype, rows, members, self.validity.finish(rows))?.boxed())
    }
}

fn coordinate(scanner: &mut Scanner<'_>) -> Result<f64, Trouble> {
    match scanner.peek() {
        Some(b'"') => {
            let text = unescape(scanner.quoted()?).ok_or(Misfit)?;
            Ok(number::float(&text).ok_or(Misfit)?)
        }
        Some(b'{' | b'[') => Err(Trouble::Misfit),
        _ => Ok(number::float(scanner.plain()?).ok_or(Misfit)?),
    }
}

fn read_pair(scanner: &mut Scanner<'_>) -> Result<(f64, f64), Trouble> {
    if !scanner.enter(b'[', b']', "a point is missing")? {
        return Err(Trouble::Misfit);
    }
    let lon = coordinate(scanner)?;
    if !scanner.goes_on(b']')? {
        return Err(Trouble::Misfit);
    }
    let lat = coordinate(scanner)?;
    if scanner.goes_on(b']')? {
        coordinate(scanner)?;
        if scanner.goes_on(b']')? {
            return Err(Trouble::Misfit);
        }
    }
    Ok((lat, lon))
}

fn read_object(scanner: &mut Scanner<'_>) -> Result<(f64, f64), Trouble> {
    if !scanner.enter(b'{', b'}', "a point is missing")? {
        return Err(Trouble::Misfit);
    }
    let (mut lat, mut lon, mut pair, mut hash) = (None, None, None, None);
    loop {
        match scanner.key()? {
            "lat" => lat = Some(coordinate(scanner)?),
            "lon" => lon = Some(coordinate(scanner)?),
            "coordinates" if scanner.peek() == Some(b'[') => pair = Some(read_pair(scanner)?),
            "geohash" if scanner.peek() == Some(b'"') => hash = of_geohash(scanner.quoted()?),
            _ => scanner.skip()?,
        }
        if !scanner.goes_on(b'}')? {
            break;
        }
    }
    Ok(lat.zip(lon).or(pair).or(hash).ok_or(Misfit)?)
}

fn point_of_text(text: &str) -> Option<(f64, f64)> {
    let text = text.trim();
    if let Some((lat, rest)) = text.split_once(',') {
        let lon = rest.split_once(',').map_or(rest, |(lon, _)| lon);
        return number::float(lat).zip(number::float(lon));
    }
    let is_point = text.get(..5).is_some_and(|word| word.eq_ignore_ascii_case("point"));
    if !is_point {
        return of_geohash(text);
    }
    let inside = text[5..].trim_start().trim_start_matches(['z', 'Z']).trim().strip_prefix('(')?.strip_suffix(')')?;
    let mut numbers = inside.split_ascii_whitespace().map(number::float);
    let (lon, lat) = (numbers.next()??, numbers.next()??);
    Some((lat, lon))
}

/// The south-west corner of a geohash's cell, which is the point that Elasticsearch takes it
/// for. Five bits a character, longitude first (G. Niemeyer, <http://geohash.org>).
fn of_geohash(hash: &str) -> Option<(f64, f64)> {
    const DIGITS: &[u8] = b"0123456789bcdefghjkmnpqrstuvwxyz";
    if hash.is_empty() || hash.len() > 12 {
        return None;
    }
    let ((mut south, mut north), (mut west, mut east)) = ((-90.0, 90.0), (-180.0, 180.0));
    let mut is_lon = true;
    for byte in hash.bytes() {
        let value = DIGITS.iter().position(|digit| *digit == byte.to_ascii_lowercase())?;
        for bit in (0..5).rev() {
            let (low, high) = if is_lon { (&mut west, &mut east) } else { (&mut south, &mut north) };
            let middle: f64 = (*low + *high) / 2.0;
            *(if value >> bit & 1 == 1 { low } else { high }) = middle;
            is_lon = !is_lon;
        }
    }
    Some((south, west))
}

/// Ranges, with the bounds that were written.
pub(crate) struct Ranges {
    bounds: [Builder; 4],
    rows: usize,
    validity: Validity,
}

impl Ranges {
    pub(super) fn new(bound: &Shape, rows: usize) -> Self {
        Self { bounds: BOUNDS.map(|_| Builder::new(bound, rows)), rows: 0, validity: Validity::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.rows
    }

    pub(super) fn push_nulls(&mut self, nulls: usize) {
        self.validity.push_nulls(self.rows, nulls);
        self.rows += nulls;
        for bound in &mut self.bounds {
            bound.push_nulls(nulls);
        }
    }

    /// Takes a range: an object of bounds, or a block of IP addresses.
    pub(super) fn read(&mut self, shape: &Shape, scanner: &mut Scanner<'_>) -> Result<(), Trouble> {
        let Shape::Range(bound) = shape else { return Err(Trouble::Misfit) };
        // Nothing is appended before all bounds are found to fit.
        let mut found: [Option<&str>; 4] = [None; 4];
        let block;
        match scanner.peek() {
            Some(b'"') if matches!(**bound, Shape::Address) => {
                let text = unescape(scanner.quoted()?).ok_or(Misfit)?;
                block = addresses(&text).ok_or(Misfit)?;
                found[0] = Some(&block.0);
                found[2] = Some(&block.1);
            }
            Some(b'{') => {
                if scanner.enter(b'{', b'}', "a range is missing")? {
                    loop {
                        let key = scanner.key()?;
                        let place = BOUNDS.iter().position(|name| *name == key);
                        let raw = scanner.raw()?;
                        match place {
                            Some(place) if raw != "null" => found[place] = Some(raw),
                            Some(_) => {}
                            None => return Err(Trouble::Misfit),
                        }
                        if !scanner.goes_on(b'}')? {
                            break;
                        }
                    }
                }
            }
            _ => return Err(Trouble::Misfit),
        }
        for raw in found.into_iter().flatten() {
            Builder::new(bound, 1).read(bound, &mut Scanner::new(raw))?;
        }
        for (builder, raw) in self.bounds.iter_mut().zip(found) {
            match raw {
                Some(raw) => builder.read(bound, &mut Scanner::new(raw))?,
                None => builder.push_nulls(1),
            }
        }
        self.rows += 1;
        Ok(())
    }

    pub(super) fn finish(self, shape: &Shape, dtype: ArrowDataType) -> Result<Box<dyn Array>, Error> {
        let Shape::Range(bound) = shape else { unreachable!("ranges are built of the shape of a range") };
        let members = self.bounds.into_iter().map(|builder| builder.finish(bound)).collect::<Result<_, _>>()?;
        Ok(StructArray::try_new(dtype, self.rows, members, self.validity.finish(self.rows))?.boxed())
    }
}

/// The first and last address of a block such as `10.0.0.0/8`, as JSON texts.
fn addresses(block: &str) -> Option<(String, String)> {
    let (address, length) = block.split_once('/')?;
    let length: u32 = length.parse().ok()?;
    let (first, last) = match address.parse().ok()? {
        IpAddr::V4(address) => {
            let rest = u32::MAX.checked_shr(length).unwrap_or(0);
            let bits = address.to_bits();
            let ends = (bits & !rest, bits | rest);
            (length <= 32).then_some((IpAddr::V4(ends.0.into()), IpAddr::V4(ends.1.into())))?
        }
        IpAddr::V6(address) => {
            let rest = u128::MAX.checked_shr(length).unwrap_or(0);
            let bits = address.to_bits();
            let ends = (bits & !rest, bits | rest);
            (length <= 128).then_some((IpAddr::V6(ends.0.into()), IpAddr::V6(ends.1.into())))?
        }
    };
    Some((format!("\"{first}\""), format!("\"{last}\"")))
}

/// Relations of a join field.
pub(crate) struct Joins {
    name: Texts,
    parent: Texts,
    validity: Validity,
}

impl Joins {
    pub(super) fn new(rows: usize) -> Self {
        Self { name: Texts::new(rows), parent: Texts::new(0), validity: Validity::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.name.len()
    }

    pub(super) fn push_nulls(&mut self, nulls: usize) {
        self.validity.push_nulls(self.name.len(), nulls);
        self.name.push_nulls(nulls);
        self.parent.push_nulls(nulls);
    }

    /// Takes a relation: its name, or an object of its name and the parent's id.
    pub(super) fn read(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Trouble> {
        let (mut name, mut parent) = (None, None);
        match scanner.peek() {
            Some(b'"') => name = Some(unescape(scanner.quoted()?).ok_or(Misfit)?),
            Some(b'{') => {
                let mut more = scanner.enter(b'{', b'}', "a relation is missing")?;
                while more {
                    let key = scanner.key()?;
                    let value = match scanner.peek() {
                        Some(b'"') => Some(unescape(scanner.quoted()?).ok_or(Misfit)?),
                        // An id may be written as a number.
                        Some(b'{' | b'[') => return Err(Trouble::Misfit),
                        _ => Some(scanner.plain()?.into()).filter(|text| text != "null"),
                    };
                    match key {
                        "name" => name = value,
                        "parent" => parent = value,
                        _ => {}
                    }
                    more = scanner.goes_on(b'}')?;
                }
            }
            _ => {}
        }
        self.name.push(&name.ok_or(Misfit)?);
        match parent {
            Some(parent) => self.parent.push(&parent),
            None => self.parent.push_nulls(1),
        }
        Ok(())
    }

    pub(super) fn finish(self, dtype: ArrowDataType) -> Result<Box<dyn Array>, Error> {
        let rows = self.name.len();
        let members = vec![self.name.finish(), self.parent.finish()];
        Ok(StructArray::try_new(dtype, rows, members, self.validity.finish(rows))?.boxed())
    }
}
