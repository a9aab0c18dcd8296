//! The schema of Arrow IPC, before it is read: what makes it unreadable, by name.

use arrow_ipc::{Endianness, Message, Schema, Type, root_as_message};

use super::read_error::ReadError;

/// The largest message of a schema that is read.
pub(crate) const LONGEST_SCHEMA: usize = 64 << 20;

/// Refuses a schema whose values would be read wrongly or not at all.
pub(crate) fn check(schema: &Schema<'_>) -> Result<(), ReadError> {
    if schema.endianness() == Endianness::Big {
        return Err(ReadError::content(
            "it was written with big-endian numbers, which are not read: write it again on a little-endian machine",
        ));
    }
    for field in schema.fields().into_iter().flatten() {
        let bits = (field.type_type() == Type::Int).then(|| field.type_as_int()).flatten().map(|int| int.bitWidth());
        if let Some(bits) = bits.filter(|bits| ![8, 16, 32, 64].contains(bits)) {
            let name = field.name().unwrap_or_default();
            return Err(ReadError::content(format!(
                "column {name} holds integers of {bits} bits, which are not read: write them as decimals or texts"
            )));
        }
    }
    Ok(())
}

/// The message in the first bytes of a stream, without what stands before it. `None` for bytes that are
/// no message, which the reader of the stream reports.
pub(crate) fn message(bytes: &[u8]) -> Option<Message<'_>> {
    root_as_message(bytes).ok()
}
