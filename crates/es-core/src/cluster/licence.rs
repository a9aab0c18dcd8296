//! The licence of the cluster, and its end.

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
    /// Its end, in milliseconds since 1970. A basic licence has none.
    #[serde(rename = "expiry_date_in_millis")]
    pub expires: Option<u64>,
}

impl Licence {
    /// Returns `true` if it includes machine learning. See <https://www.elastic.co/subscriptions>.
    pub fn covers_machine_learning(&self) -> bool {
        self.status == "active" && includes_machine_learning(&self.name)
    }
}

/// Returns `true` if a licence of this name includes machine learning.
pub(super) fn includes_machine_learning(name: &str) -> bool {
    matches!(name, "trial" | "platinum" | "enterprise")
}

/// The answer to the question for the licence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LicenceAnswer {
    /// The cluster has one.
    Licensed(Licence),
    /// The cluster has none yet, as just after its start.
    None,
    /// The cluster has no licences at all, in the server's words.
    NotHere(String),
}

#[derive(Deserialize)]
struct Body {
    license: Licence,
}

impl Cluster<'_> {
    /// Returns the licence.
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
