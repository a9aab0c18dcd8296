//! The bytes of an answer, token by token.
//!
//! The expected form is tried first, in one piece and without white space around it, as servers
//! write it; the general form of everything is there too. Numbers and texts are read in
//! `number` and `text`; what they mean for a column is left to the builders.

use super::stop::Stop;
use super::window::{Ahead, Window};

/// Values may lie in one another this deep. The server itself refuses documents deeper than this.
pub(crate) const DEEPEST: usize = 1000;

const EACH: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// A position in an answer.
pub(crate) struct Scanner<'b> {
    pub(crate) text: &'b str,
    pub(crate) bytes: &'b [u8],
    pub(crate) at: usize,
    /// The id of the document that is being read, as it stands in the answer, for messages.
    pub(crate) document: &'b str,
}

impl<'b> Scanner<'b> {
    pub(crate) fn new(text: &'b str) -> Self {
        Self { text, bytes: text.as_bytes(), at: 0, document: "" }
    }

    /// The answer is not what it should be from here on.
    #[cold]
    pub(crate) fn broken(&self, what: &'static str) -> Stop {
        Stop::Broken { at: self.at, what }
    }

    /// The byte at the position, which may be white space.
    #[inline(always)]
    pub(crate) fn byte(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// The next byte that is no white space.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        let mut byte = self.byte()?;
        while matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
            byte = self.byte()?;
        }
        Some(byte)
    }

    /// The member that comes next; `None` near the end.
    #[inline(always)]
    pub(crate) fn ahead(&self) -> Option<Ahead<'b>> {
        Ahead::of(self.bytes.get(self.at..)?)
    }

    /// The next bytes; `None` near the end.
    #[inline(always)]
    pub(crate) fn window(&self) -> Option<Window<'b>> {
        Window::of(self.bytes.get(self.at..)?)
    }

    /// Sixteen bytes from a position on; `None` near the end.
    #[inline(always)]
    pub(crate) fn sixteen(&self, at: usize) -> Option<u128> {
        self.bytes.get(at..)?.first_chunk().map(|chunk| u128::from_le_bytes(*chunk))
    }

    /// Takes one byte that must be next.
    #[inline]
    pub(crate) fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), Stop> {
        if self.peek() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        Err(self.broken(what))
    }

    /// Takes what stands after a member or an item: true for a comma, false for the end.
    #[inline(always)]
    pub(crate) fn goes_on(&mut self, end: u8) -> Result<bool, Stop> {
        match self.byte() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == end => {
                self.at += 1;
                Ok(false)
            }
            _ => self.goes_on_after_space(end),
        }
    }

    #[inline(never)]
    fn goes_on_after_space(&mut self, end: u8) -> Result<bool, Stop> {
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == end => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(self.broken("a comma or the end of an object or array is missing")),
        }
    }

    /// Enters an object or array: false, with its end taken, if it is empty.
    #[inline]
    pub(crate) fn enter(&mut self, begin: u8, end: u8, what: &'static str) -> Result<bool, Stop> {
        self.expect(begin, what)?;
        if self.peek() == Some(end) {
            self.at += 1;
            return Ok(false);
        }
        Ok(true)
    }

    /// Takes a key and its colon, and returns the key without its quotes, escapes as they are.
    pub(crate) fn key(&mut self) -> Result<&'b str, Stop> {
        if self.peek() != Some(b'"') {
            return Err(self.broken("the name of a member is missing"));
        }
        let key = self.quoted()?;
        self.expect(b':', "the colon after a name is missing")?;
        Ok(key)
    }

    /// The text between the quote at the position and the one that ends it, escapes as they
    /// are. The position moves behind it.
    #[inline]
    pub(crate) fn quoted(&mut self) -> Result<&'b str, Stop> {
        let start = self.at + 1;
        let mut at = start;
        loop {
            at = self.quote_or_escape(at).ok_or_else(|| self.broken("a text has no end"))?;
            if self.bytes[at] == b'"' {
                break;
            }
            at += 2;
        }
        let text = self.text.get(start..at).ok_or_else(|| self.broken("a text has no end"))?;
        self.at = at + 1;
        Ok(text)
    }

    /// The position of the next quote or backslash, from a position on.
    #[inline(always)]
    pub(crate) fn quote_or_escape(&self, at: usize) -> Option<usize> {
        let rest = self.bytes.get(at..)?;
        // Most texts are short, and the search that is quick on long ones is slow to begin.
        let near = Window::of(rest).and_then(|window| window.quote_or_escape(0));
        near.or_else(|| memchr::memchr2(b'"', b'\\', rest)).map(|found| at + found)
    }

    /// Takes any value and returns its text.
    pub(crate) fn raw(&mut self) -> Result<&'b str, Stop> {
        self.peek();
        let start = self.at;
        self.skip()?;
        self.text.get(start..self.at).ok_or_else(|| self.broken("a value has no end"))
    }

    /// Takes any value.
    pub(crate) fn skip(&mut self) -> Result<(), Stop> {
        match self.peek() {
            Some(b'"') => self.quoted().map(drop),
            Some(b'[') if self.try_integers() => Ok(()),
            Some(b'{' | b'[') => self.skip_nested(),
            Some(b'n') if self.try_null() => Ok(()),
            _ if self.short_integer().is_some() => Ok(()),
            _ => self.plain().map(drop),
        }
    }

    /// Takes an array of integers, which the `sort` values of most hits are. False, and nothing
    /// taken, for any other.
    fn try_integers(&mut self) -> bool {
        let start = self.at;
        loop {
            self.at += 1;
            if self.short_integer().is_none() {
                break;
            }
            match self.byte() {
                Some(b',') => {}
                Some(b']') => {
                    self.at += 1;
                    return true;
                }
                _ => break,
            }
        }
        self.at = start;
        false
    }

    /// Takes an object or array. What is inside is checked as far as its brackets, commas and
    /// tokens go.
    fn skip_nested(&mut self) -> Result<(), Stop> {
        let mut within = Nesting::default();
        loop {
            // A value begins here.
            match self.peek() {
                Some(b'{') => {
                    if self.enter(b'{', b'}', "an object is missing")? {
                        within.enter(true).ok_or_else(|| self.too_deep())?;
                        self.key()?;
                        continue;
                    }
                }
                Some(b'[') => {
                    if self.enter(b'[', b']', "an array is missing")? {
                        within.enter(false).ok_or_else(|| self.too_deep())?;
                        continue;
                    }
                }
                Some(b'"') => drop(self.quoted()?),
                _ => drop(self.plain()?),
            }
            // It has ended: what follows is up to what it is in.
            while let Some(is_object) = within.innermost() {
                if self.goes_on(if is_object { b'}' } else { b']' })? {
                    if is_object {
                        self.key()?;
                    }
                    break;
                }
                within.leave();
            }
            if within.depth == 0 {
                return Ok(());
            }
        }
    }

    /// Values lie in one another deeper than [`DEEPEST`].
    #[cold]
    pub(crate) fn too_deep(&self) -> Stop {
        self.broken("values lie too deep in one another")
    }

    /// Takes a null.
    #[inline]
    pub(crate) fn try_null(&mut self) -> bool {
        let found = self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(b"null"));
        if found {
            self.at += 4;
        }
        found
    }

    /// Takes `""`, if it is next.
    pub(crate) fn try_empty_text(&mut self) -> bool {
        let found = self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(b"\"\""));
        if found {
            self.at += 2;
        }
        found
    }

    /// Takes a number, `true`, `false` or `null`.
    pub(crate) fn plain(&mut self) -> Result<&'b str, Stop> {
        self.peek();
        let start = self.at;
        let rest = self.bytes.get(start..).unwrap_or_default();
        let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte)).count();
        let token = self.text.get(start..start + length).unwrap_or_default();
        if !matches!(token, "true" | "false" | "null") && !is_number(token) {
            return Err(self.broken("a value is missing"));
        }
        self.at += length;
        Ok(token)
    }
}

/// The objects and arrays that a value is in, a bit each, so that passing over the many small
/// ones of an answer takes no memory from the heap.
#[derive(Default)]
struct Nesting {
    depth: usize,
    objects: [u64; DEEPEST.div_ceil(64)],
}

impl Nesting {
    /// Goes into an object or array; `None` where that is too deep.
    fn enter(&mut self, is_object: bool) -> Option<()> {
        if self.depth == DEEPEST {
            return None;
        }
        let bit = 1 << (self.depth % 64);
        let bits = &mut self.objects[self.depth / 64];
        *bits = if is_object { *bits | bit } else { *bits & !bit };
        self.depth += 1;
        Some(())
    }

    /// True if the innermost one is an object.
    fn innermost(&self) -> Option<bool> {
        let last = self.depth.checked_sub(1)?;
        Some(self.objects[last / 64] >> (last % 64) & 1 == 1)
    }

    fn leave(&mut self) {
        self.depth -= 1;
    }
}

/// The number of bytes, of eight, before the first quote or backslash.
#[inline(always)]
pub(crate) fn plain_bytes(chunk: u64) -> usize {
    let found = has_zero(chunk ^ (EACH * b'"' as u64)) | has_zero(chunk ^ (EACH * b'\\' as u64));
    (found.trailing_zeros() / 8) as usize
}

/// A bit for each byte that is zero; the lowest is right, others may be too many.
#[inline(always)]
fn has_zero(word: u64) -> u64 {
    word.wrapping_sub(EACH) & !word & HIGH
}

/// True if a text is a number by the grammar of JSON (RFC 8259, section 6).
pub(crate) fn is_number(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(text);
    if whole == 0 || (whole > 1 && text.starts_with('0')) {
        return false;
    }
    let mut rest = &text[whole..];
    if let Some(fraction) = rest.strip_prefix('.') {
        let length = digits(fraction);
        if length == 0 {
            return false;
        }
        rest = &fraction[length..];
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let length = digits(exponent);
        return length > 0 && length == exponent.len();
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    #[test]
    fn numbers_have_one_grammar() {
        for text in ["0", "-0", "10", "1.5", "-1.5e10", "1E+2", "1e-2", "0.0"] {
            assert!(is_number(text), "{text}");
        }
        for text in ["", "-", "01", "1.", ".5", "1e", "1e+", "+1", "1.5.", "0x1", "1e5e", "NaN"] {
            assert!(!is_number(text), "{text}");
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "(\\PC|[\\x00-\\x7f]){0,40}".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec(("\\PC{0,6}", inner), 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_value_is_skipped_to_its_end(value in any_json(), pretty in any::<bool>()) {
            let text = if pretty { format!(" {value:#} ,") } else { format!("{value},") };
            let mut scanner = Scanner::new(&text);
            let raw = scanner.raw().map_err(|_| TestCaseError::fail(text.clone()))?;
            prop_assert_eq!(serde_json::from_str::<Value>(raw).unwrap(), value);
            prop_assert!(scanner.goes_on(b']').is_ok_and(|more| more));
        }

        #[test]
        fn values_may_be_as_deep_as_the_server_lets_them(objects in prop::collection::vec(any::<bool>(), DEEPEST)) {
            let mut nested = String::from("1");
            for is_object in &objects {
                nested = if *is_object { format!("{{\"a\":{nested}}}") } else { format!("[{nested}]") };
            }
            let deeper = format!("[{nested}]");
            prop_assert!(Scanner::new(&nested).skip().is_ok());
            prop_assert!(Scanner::new(&deeper).skip().is_err());
        }

        #[test]
        fn no_cut_value_is_whole(value in any_json(), cut in any::<prop::sample::Index>()) {
            let text = value.to_string();
            prop_assume!(text.starts_with(['{', '[', '"']));
            let cut = cut.index(text.len());
            prop_assume!(text.is_char_boundary(cut));
            prop_assert!(Scanner::new(&text[..cut]).skip().is_err());
        }
    }
}
