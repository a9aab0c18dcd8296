//! Aliases: their targets, and moving them in one step.

use std::collections::{BTreeMap, BTreeSet};

use elasticsearch::indices::{IndicesGetAliasParts, IndicesUpdateAliasesParts};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Indices;
use crate::error::{Error, ErrorKind};
use crate::request::{Method, Request};

/// The number of retries of a move when another client moves the alias at the same time.
const SWAP_ATTEMPTS: u32 = 5;

/// One step of an alias update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AliasAction {
    /// Points the alias to the index.
    Add {
        /// The index.
        index: String,
        /// The alias.
        alias: String,
    },
    /// Points the alias to the index with options, which replace those of an alias that points there
    /// already.
    AddWith {
        /// The index.
        index: String,
        /// The alias.
        alias: String,
        /// The options.
        options: AliasOptions,
    },
    /// Removes the alias from the index.
    Remove {
        /// The index.
        index: String,
        /// The alias.
        alias: String,
    },
}

/// The options of an alias on one index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasOptions {
    /// The documents that the alias shows. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Value>,
    /// The routing of documents that are written through the alias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index_routing: Option<String>,
    /// The routing of searches through the alias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search_routing: Option<String>,
    /// `true` if documents written to the alias go to this index. At most one index may have this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_write_index: Option<bool>,
    /// `true` if patterns do not match the alias. It must be the same for all its indices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_hidden: Option<bool>,
    /// All other keys, as the server returned them.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

#[derive(Deserialize)]
struct AliasesBody {
    aliases: BTreeMap<String, AliasOptions>,
}

fn step(action: &AliasAction) -> Value {
    match action {
        AliasAction::Add { index, alias } => json!({"add": {"index": index, "alias": alias}}),
        AliasAction::AddWith { index, alias, options } => {
            let mut add = json!(options);
            add["index"] = json!(index);
            add["alias"] = json!(alias);
            json!({"add": add})
        }
        AliasAction::Remove { index, alias } => {
            json!({"remove": {"index": index, "alias": alias, "must_exist": false}})
        }
    }
}

/// The steps that move an alias from its current indices to exactly the targets.
fn swap_steps(alias: &str, from: &BTreeSet<String>, to: &BTreeSet<String>, options: &AliasOptions) -> Vec<AliasAction> {
    let remove = |index: &String| AliasAction::Remove { index: index.clone(), alias: alias.to_owned() };
    let add = |index: &String| AliasAction::AddWith {
        index: index.clone(),
        alias: alias.to_owned(),
        options: options.clone(),
    };
    from.difference(to).map(remove).chain(to.iter().map(add)).collect()
}

impl Indices<'_> {
    /// Lists the indices that an alias points to, by name. A missing alias points to none.
    ///
    /// # Errors
    /// As [`crate::Client::send`].
    pub async fn alias_targets(&self, alias: &str) -> Result<Vec<String>, Error> {
        Ok(self.alias(alias).await?.into_keys().collect())
    }

    /// Lists the indices that an alias points to, with its options. A missing alias points to none.
    ///
    /// # Errors
    /// As [`crate::Client::send`].
    pub async fn alias(&self, alias: &str) -> Result<BTreeMap<String, AliasOptions>, Error> {
        let request =
            Request::new(Method::Get, IndicesGetAliasParts::Name(&[alias]).url()).query("expand_wildcards", "all");
        let found: BTreeMap<String, AliasesBody> =
            self.client.find(&request).await?.map(|answer| answer.json()).transpose()?.unwrap_or_default();
        let way = |(index, mut body): (String, AliasesBody)| Some((index, body.aliases.remove(alias)?));
        Ok(found.into_iter().filter_map(way).collect())
    }

    /// Applies all steps at once: readers of the aliases see the state before or after.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when an index does not exist; then nothing was changed.
    pub async fn update_aliases(&self, actions: &[AliasAction]) -> Result<(), Error> {
        let steps: Vec<Value> = actions.iter().map(step).collect();
        // Adding and removing named pairs twice ends in the same aliases.
        let request = Request::new(Method::Post, IndicesUpdateAliasesParts::None.url())
            .json(&json!({"actions": steps}))
            .repeatable();
        self.client.send(&request).await.map(|_| ())
    }

    /// Points an alias to exactly these indices, with these options; an empty list removes it. Readers
    /// see the old targets or the new ones, never a mixture. When this returns without an error, the
    /// alias was read back and pointed to the targets and nowhere else, also if the answer to the
    /// change was lost, or another client moved it meanwhile.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when a target does not exist, and [`ErrorKind::Conflict`] when other
    /// clients keep moving the alias; else as [`crate::Client::send`].
    pub async fn swap_alias<S: AsRef<str>>(
        &self,
        alias: &str,
        targets: &[S],
        options: &AliasOptions,
    ) -> Result<(), Error> {
        let wanted: BTreeSet<String> = targets.iter().map(|target| target.as_ref().to_owned()).collect();
        let mut current: BTreeSet<String> = self.alias_targets(alias).await?.into_iter().collect();
        for _ in 0..SWAP_ATTEMPTS {
            let steps = swap_steps(alias, &current, &wanted, options);
            if steps.is_empty() {
                return Ok(());
            }
            let moved = self.update_aliases(&steps).await;
            let now: BTreeSet<String> = match self.alias_targets(alias).await {
                Ok(now) => now.into_iter().collect(),
                // The change was acknowledged, so the failed check is not decisive.
                Err(_) if moved.is_ok() => return Ok(()),
                Err(_) => return moved,
            };
            let is_there = now == wanted;
            match moved {
                _ if is_there && now != current => return Ok(()),
                Ok(()) if is_there => return Ok(()),
                // An index that the alias pointed to was deleted, and with it its alias.
                Err(error) if error.kind() == ErrorKind::NotFound && now != current => {}
                Err(error) => return Err(error),
                Ok(()) => {}
            }
            current = now;
        }
        Err(Error::new(ErrorKind::Conflict, format!("another client keeps moving the alias {alias}"))
            .with_help("find out which other program publishes to this alias"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_as_documented() {
        let options = AliasOptions {
            filter: Some(json!({"term": {"carrier": "LX"}})),
            index_routing: Some("1".into()),
            search_routing: Some("1,2".into()),
            is_write_index: Some(true),
            is_hidden: Some(false),
            other: Map::new(),
        };
        let (index, alias) = ("a-1".to_owned(), "a".to_owned());
        let table = [
            (
                AliasAction::Add { index: index.clone(), alias: alias.clone() },
                json!({"add": {"index": "a-1", "alias": "a"}}),
            ),
            (
                AliasAction::AddWith { index: index.clone(), alias: alias.clone(), options },
                json!({"add": {
                    "index": "a-1", "alias": "a", "filter": {"term": {"carrier": "LX"}}, "index_routing": "1",
                    "search_routing": "1,2", "is_write_index": true, "is_hidden": false,
                }}),
            ),
            (
                AliasAction::Remove { index, alias },
                json!({"remove": {"index": "a-1", "alias": "a", "must_exist": false}}),
            ),
        ];
        for (action, expected) in table {
            assert_eq!(step(&action), expected);
        }
    }

    #[test]
    fn a_swap_takes_away_before_it_adds() {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let steps = |from, to| {
            swap_steps("x", &set(from), &set(to), &AliasOptions::default())
                .iter()
                .map(|action| match action {
                    AliasAction::Remove { index, .. } => format!("-{index}"),
                    AliasAction::Add { index, .. } | AliasAction::AddWith { index, .. } => format!("+{index}"),
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(steps(&["a", "b"], &["b", "c"]), ["-a", "+b", "+c"]);
        assert_eq!(steps(&["a"], &[]), ["-a"]);
        assert_eq!(steps(&[], &["a"]), ["+a"]);
        assert!(steps(&[], &[]).is_empty());
    }
}
