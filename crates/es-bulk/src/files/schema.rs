//! The check that files can be read as one table.

use std::path::Path;

use polars::prelude::Schema;

use crate::error::{Error, ErrorKind};

/// Checks that two files can be read as one table: the same columns of the same types.
///
/// # Errors
/// [`ErrorKind::Format`] names the first column that differs.
pub fn same_schema(first: (&Path, &Schema), second: (&Path, &Schema)) -> Result<(), Error> {
    let (first_path, first) = first;
    let (second_path, second) = second;
    let differs = |what: String| {
        let message = format!("{} and {} differ: {what}", first_path.display(), second_path.display());
        Error::of_file(ErrorKind::Format, second_path, message)
            .with_help("files that are loaded together need the same columns of the same types")
    };
    for (name, dtype) in first.iter() {
        match second.get(name) {
            None => return Err(differs(format!("the second lacks column {name}"))),
            Some(other) if other != dtype => {
                return Err(differs(format!("column {name} is {dtype} in the first and {other} in the second")));
            }
            Some(_) => {}
        }
    }
    match second.iter_names().find(|name| first.get(name).is_none()) {
        Some(name) => Err(differs(format!("the first lacks column {name}"))),
        None => Ok(()),
    }
}
