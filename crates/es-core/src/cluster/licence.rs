//! The licence, and when it ends.

use serde::Deserialize;

use super::{Cluster, absence};
use crate::error::{Error, ErrorKind};
use crate::request::{Method, Request};

/// A licence.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Licence {
    /// `basic`, `trial`, `standard`, `gold`, `platinum`, `enterprise`.
    #[serde(rename = "type")]
    pub name: String,
    /// `active`, `invalid` or `expired`.
    pub status: String,
    /// When it ends, in milliseconds since 1970. A basic licence does not.
    #[serde(rename = "expiry_date_in_millis")]
    pub expires: Option<u64>,
}

impl Licence {
    /// Whether machine learning is in it. See <https://www.elastic.co/subscriptions>.
    pub fn covers_machine_learning(&self) -> bool {
        self.status == "active" && includes_machine_learning(&self.name)
    }
}

/// Whether machine learning is in the licences of a name.
pub(super) fn includes_machine_learning(name: &str) -> bool {
    matches!(name, "trial" | "platinum" | "enterprise")
}

/// What the cluster says of its licence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LicenceAnswer {
    /// It has one.
    Licensed(Licence),
    /// It has none yet, as just after its start.
    None,
    /// It has no licences at all, in the server's words.
    NotHere(String),
}

#[derive(Deserialize)]
struct Body {
    license: Licence,
}

impl Cluster<'_> {
    /// The licence.
    ///
    /// # Errors
    /// As [`crate::Client::send`]; it takes the cluster privilege `monitor`.
    pub async fn licence(&self) -> Result<LicenceAnswer, Error> {
        match self.get(Request::new(Method::Get, "/_license")).await {
            Ok(response) => Ok(LicenceAnswer::Licensed(response.json::<Body>()?.license)),
            Err(error) => match absence::reason(&error) {
                Some(reason) => Ok(LicenceAnswer::NotHere(reason)),
                None if error.kind() == ErrorKind::NotFound => Ok(LicenceAnswer::None),
                None => Err(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_learning_takes_a_paid_licence_that_has_not_ended() {
        let table = [
            ("basic", "active", false),
            ("gold", "active", false),
            ("platinum", "active", true),
            ("trial", "active", true),
            ("trial", "expired", false),
        ];
        for (name, status, covered) in table {
            let licence = Licence { name: name.into(), status: status.into(), expires: None };
            assert_eq!(licence.covers_machine_learning(), covered, "{name} {status}");
        }
    }
}
