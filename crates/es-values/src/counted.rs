//! Numbers with their nouns, in messages.

/// A number with its noun: 1 field, 2 fields. The noun must be one that takes an s.
///
/// ```
/// assert_eq!(es_values::counted(1, "field"), "1 field");
/// assert_eq!(es_values::counted(0, "field"), "0 fields");
/// ```
pub fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}
