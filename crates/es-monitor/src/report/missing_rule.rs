//! The form of a [`MissingRule`] in reports, which are stored: `{"rule": "test", "p": ..}`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::options::{MissingRule, MissingTest};

#[derive(Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
enum Recorded {
    Test { p: f64, min_change: f64 },
    Report,
}

pub(super) fn serialize<S: Serializer>(rule: &MissingRule, serializer: S) -> Result<S::Ok, S::Error> {
    let recorded = match *rule {
        MissingRule::Test(MissingTest { p, min_change }) => Recorded::Test { p, min_change },
        MissingRule::Ignore => Recorded::Report,
    };
    recorded.serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<MissingRule, D::Error> {
    Ok(match Recorded::deserialize(deserializer)? {
        Recorded::Test { p, min_change } => MissingRule::Test(MissingTest { p, min_change }),
        Recorded::Report => MissingRule::Ignore,
    })
}
