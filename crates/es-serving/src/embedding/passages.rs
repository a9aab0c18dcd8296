//! The cuts between passages. Pure: tokens are ranges of bytes, and sentences numbers of tokens.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation as _;

/// A place between two tokens where a text may be cut, from the worst to the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cut {
    /// A token reaches over it, or it is inside of a character.
    None,
    /// Inside of a word.
    Token,
    /// Between words, without white space: Unicode Standard Annex 29.
    Word,
    /// At white space.
    Space,
}

/// The cuts of a text. The place of the number `n` is before the token `n`.
struct Cuts {
    kinds: Vec<Cut>,
    places: Vec<usize>,
}

impl Cuts {
    fn new(text: &str, tokens: &[Range<usize>]) -> Self {
        let words: Vec<usize> = text.split_word_bound_indices().map(|(at, _)| at).collect();
        // The first place that this token or a later one has.
        let mut places: Vec<usize> = tokens.iter().map(|token| token.start).collect();
        for number in (1..places.len()).rev() {
            places[number - 1] = places[number - 1].min(places[number]);
        }
        let mut reached = 0;
        let mut kinds = Vec::with_capacity(tokens.len());
        for (number, place) in places.iter().copied().enumerate() {
            kinds.push(match number {
                0 => Cut::None,
                _ if reached > place || place == 0 || !text.is_char_boundary(place) => Cut::None,
                _ if text[..place].ends_with(char::is_whitespace) || text[place..].starts_with(char::is_whitespace) => {
                    Cut::Space
                }
                _ if words.binary_search(&place).is_ok() => Cut::Word,
                _ => Cut::Token,
            });
            reached = reached.max(tokens[number].end);
        }
        Self { kinds, places }
    }

    /// The last cut in a range that is at least as good.
    fn last(&self, mut range: Range<usize>, least: Cut) -> Option<usize> {
        range.rfind(|number| self.kinds[*number] >= least)
    }

    /// The first cut in a range that is at least as good.
    fn first(&self, mut range: Range<usize>, least: Cut) -> Option<usize> {
        range.find(|number| self.kinds[*number] >= least)
    }
}

/// Divides a text into ranges of `size` tokens or fewer, each of which begins with `overlap` tokens or fewer of
/// the one before. A range is longer only where it is one character of more tokens. Together they cover
/// the text.
pub(super) fn by_tokens(text: &str, tokens: &[Range<usize>], size: usize, overlap: usize) -> Vec<Range<usize>> {
    let cuts = Cuts::new(text, tokens);
    let count = tokens.len();
    let (mut ranges, mut start, mut reached) = (Vec::new(), 0, 0);
    let place = |number: usize| if number == 0 { 0 } else { cuts.places[number] };
    loop {
        if count - start <= size {
            ranges.push(place(start)..text.len());
            return ranges;
        }
        let end = match cut_before(&cuts, start + size, size, reached + 1) {
            Some(end) => end,
            // The tokens of the overlap leave no place for the next character.
            None if start < reached => {
                start = reached;
                continue;
            }
            None => match cuts.first(start + size + 1..count, Cut::Token) {
                Some(end) => end,
                None => {
                    ranges.push(place(start)..text.len());
                    return ranges;
                }
            },
        };
        ranges.push(place(start)..place(end));
        reached = end;
        let again = end.saturating_sub(overlap).max(start + 1)..end;
        let again = cuts.first(again.clone(), Cut::Space).or_else(|| cuts.first(again, Cut::Word));
        start = again.unwrap_or(end);
    }
}

/// The best cut at `most` or before it: one at white space in the second half of a passage, or else between
/// words there, or else the last one.
fn cut_before(cuts: &Cuts, most: usize, size: usize, least: usize) -> Option<usize> {
    let half = least.max(most - size / 2);
    cuts.last(half..most + 1, Cut::Space)
        .or_else(|| cuts.last(half..most + 1, Cut::Word))
        .or_else(|| cuts.last(least..most + 1, Cut::Word))
        .or_else(|| cuts.last(least..most + 1, Cut::Token))
}

/// Groups sentences of these numbers of tokens: `size` of them or fewer, and `most` tokens or fewer. Each
/// group begins with `overlap` sentences of the one before, or as many as leave place for another one. A
/// sentence of more tokens is a group of its own.
pub(super) fn by_sentences(tokens: &[usize], size: usize, overlap: usize, most: usize) -> Vec<Range<usize>> {
    let count = tokens.len();
    let (mut groups, mut start, mut reached) = (Vec::new(), 0, 0);
    while reached < count {
        let mut sum: usize = tokens[start..reached].iter().sum();
        let mut end = reached;
        while end < count && end - start < size && sum.saturating_add(tokens[end]) <= most {
            sum += tokens[end];
            end += 1;
        }
        if end == reached {
            if start < reached {
                start += 1;
                continue;
            }
            end = reached + 1;
        }
        groups.push(start..end);
        reached = end;
        start = end.saturating_sub(overlap).max(start + 1);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A token for each word and mark, and for each of `pieces` bytes of a word.
    fn tokens(text: &str, piece: usize) -> Vec<Range<usize>> {
        let words = text.split_word_bound_indices().filter(|(_, word)| !word.trim().is_empty());
        let pieces = words.flat_map(|(at, word)| {
            let starts = (0..word.len()).step_by(piece);
            starts.map(move |start| at + start..at + word.len().min(start + piece))
        });
        pieces.collect()
    }

    fn cut(text: &str, piece: usize, size: usize, overlap: usize) -> Vec<&str> {
        by_tokens(text, &tokens(text, piece), size, overlap).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn cuts_are_at_white_space_or_between_words_or_inside_of_one_that_is_too_long() {
        let table: [(&str, usize, usize, usize, &[&str]); 7] = [
            ("a b c d e", 9, 2, 0, &["a b ", "c d ", "e"]),
            ("a b c d e", 9, 3, 1, &["a b c ", "c d e"]),
            // White space in the second half comes before the last place between words.
            ("aa bb cc(dd)", 9, 4, 0, &["aa bb ", "cc(dd)"]),
            ("aa(bb)cc", 9, 4, 0, &["aa(bb)", "cc"]),
            // A word of more tokens than a passage.
            ("abcdef gh", 1, 4, 0, &["abcd", "ef gh"]),
            ("a bcdefgh", 1, 4, 0, &["a ", "bcde", "fgh"]),
            // The overlap begins with a word, or there is none.
            ("abcdef", 1, 4, 2, &["abcd", "ef"]),
        ];
        for (text, piece, size, overlap, expected) in table {
            assert_eq!(cut(text, piece, size, overlap), expected, "{text} {size} {overlap}");
        }
    }

    #[test]
    fn a_character_of_several_tokens_is_never_cut() {
        let tokens = [0..4, 0..4, 0..4, 4..8, 4..8, 4..8];
        assert_eq!(by_tokens("😀😡", &tokens, 2, 1), [0..4, 4..8]);
        // Tokens whose bytes are inside of a character.
        let tokens = [0..1, 1..2, 2..3, 3..4, 4..5];
        assert_eq!(by_tokens("😀a", &tokens, 1, 0), [0..4, 4..5]);
    }

    #[test]
    fn sentences_are_grouped_by_number_and_tokens() {
        // The tokens of sentences, size, overlap and limit, and the groups.
        type Case<'a> = (&'a [usize], usize, usize, usize, &'a [(usize, usize)]);
        let table: [Case<'_>; 7] = [
            (&[1, 1, 1, 1, 1], 2, 0, 9, &[(0, 2), (2, 4), (4, 5)]),
            (&[1, 1, 1, 1], 2, 1, 9, &[(0, 2), (1, 3), (2, 4)]),
            (&[5, 5, 5], 3, 0, 10, &[(0, 2), (2, 3)]),
            // The overlap is left out where it leaves no place.
            (&[5, 5, 6], 3, 1, 10, &[(0, 2), (2, 3)]),
            // A sentence of too many tokens stands alone.
            (&[2, 99, 2, 2], 3, 1, 10, &[(0, 1), (1, 2), (2, 4)]),
            (&[99], 1, 0, 10, &[(0, 1)]),
            (&[], 1, 0, 10, &[]),
        ];
        for (tokens, size, overlap, most, expected) in table {
            let found = by_sentences(tokens, size, overlap, most);
            let found: Vec<(usize, usize)> = found.into_iter().map(|group| (group.start, group.end)).collect();
            assert_eq!(found, expected, "{tokens:?} {size} {overlap}");
        }
    }
}
