//! Occurrences of a word in a text, such as a name in a query.

/// The places of a word in a text, in bytes, where no letter, digit or underscore adjoins it that would
/// make it part of a longer word. An empty word has none.
///
/// ```
/// assert_eq!(es_values::words("SELECT ab, a, b.a FROM a_b", "a").collect::<Vec<_>>(), [11, 16]);
/// ```
pub fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_of_word = |char: char| char.is_alphanumeric() || char == '_';
    let joins =
        move |one: Option<char>, other: Option<char>| one.is_some_and(is_of_word) && other.is_some_and(is_of_word);
    let stands_alone = move |start: &usize| {
        let (before, after) = (&text[..*start], &text[start + word.len()..]);
        !joins(before.chars().next_back(), word.chars().next())
            && !joins(word.chars().next_back(), after.chars().next())
    };
    let found = (!word.is_empty()).then(|| text.match_indices(word).map(|(start, _)| start));
    found.into_iter().flatten().filter(stands_alone)
}
