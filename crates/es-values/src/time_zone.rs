//! Time zones by their IANA names.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::InvalidValue;
use crate::nearest;

/// A time zone of the IANA database, such as `America/New_York`; `UTC` by default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeZoneName(TimeZone);

impl TimeZoneName {
    /// The rules of the zone.
    #[must_use]
    pub fn time_zone(&self) -> &TimeZone {
        &self.0
    }

    /// The name as the database spells it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only names make one, so the fallback is never taken but for UTC itself.
        self.0.iana_name().unwrap_or("UTC")
    }
}

impl Default for TimeZoneName {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl fmt::Display for TimeZoneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TimeZoneName {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "UTC" {
            return Ok(Self::default());
        }
        TimeZone::get(text).map(Self).map_err(|_| {
            let names: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
            let help = nearest(text, names.iter().map(String::as_str)).map_or_else(
                || "write a name of the IANA database, such as `America/New_York`".to_owned(),
                |name| format!("did you mean `{name}`?"),
            );
            InvalidValue::new(format!("`{text}` is not a time zone"), help)
        })
    }
}

impl TryFrom<String> for TimeZoneName {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TimeZoneName> for String {
    fn from(name: TimeZoneName) -> Self {
        name.to_string()
    }
}

impl JsonSchema for TimeZoneName {
    fn schema_name() -> Cow<'static, str> {
        "TimeZoneName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "time-zone",
            "pattern": "^[A-Za-z][A-Za-z0-9_+/-]*$",
            "description": "The name of a time zone in the IANA database.",
            "examples": ["UTC", "America/New_York"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_printed() {
        for name in ["UTC", "America/New_York", "Australia/Lord_Howe"] {
            assert_eq!(name.parse::<TimeZoneName>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn a_typo_names_the_nearest_zone() {
        let error = "America/NewYork".parse::<TimeZoneName>().unwrap_err();
        assert_eq!(error.message, "`America/NewYork` is not a time zone");
        assert_eq!(error.help.as_deref(), Some("did you mean `America/New_York`?"));
    }
}
