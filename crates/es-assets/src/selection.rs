//! Selections of assets: `name`, `+name` (with what it needs), `name+` (with what needs
//! it), `kind:export`, `tag:x`, `state:changed`, `state:failed`, and a comma between
//! those that are meant together.

use std::collections::HashSet;

use crate::error::{Error, ErrorKind};
use crate::parse::Pipeline;
use es_values::{nearest, quoted_list, suggestion};

/// The states that `state:` can limit a run or a plan to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AssetState {
    /// A part of the asset is not up to date.
    Changed,
    /// The last run of a part of the asset failed.
    Failed,
}

/// A selection of assets, not yet applied to a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// None selects every asset.
    terms: Vec<Term>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    text: String,
    with_upstream: bool,
    with_downstream: bool,
    method: Method,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Method {
    Name(String),
    Kind(String),
    Tag(String),
    State(AssetState),
}

const METHODS: [&str; 3] = ["kind", "tag", "state"];

impl Selection {
    /// Every asset.
    #[must_use]
    pub fn all() -> Self {
        Self { terms: Vec::new() }
    }

    /// Reads a selection such as `+training_set,kind:monitor`.
    ///
    /// # Errors
    /// When the text does not follow the grammar. Whether the names exist is known only
    /// to [`select`](Self::select).
    pub fn parse(text: &str) -> Result<Self, Error> {
        let terms = text.split(',').map(|term| self::term(term.trim(), text)).collect::<Result<_, _>>()?;
        Ok(Self { terms })
    }

    /// Returns whether the selection depends on the state of assets, which is then worth looking up.
    #[must_use]
    pub fn needs_state(&self) -> bool {
        self.terms.iter().any(|term| matches!(term.method, Method::State(_)))
    }

    /// The assets of `pipeline` that are selected, each after those it needs. `has_state`
    /// says whether an asset is in a state.
    ///
    /// # Errors
    /// When a name or a tag is not in the pipeline, or there is no such kind. A kind or a state that
    /// no asset has selects nothing.
    pub fn select<'p>(
        &self,
        pipeline: &'p Pipeline,
        has_state: &dyn Fn(&str, AssetState) -> bool,
    ) -> Result<Vec<&'p str>, Error> {
        let graph = pipeline.graph();
        let order = graph.order();
        if self.terms.is_empty() {
            return Ok(order);
        }
        let mut selected = HashSet::new();
        for term in &self.terms {
            for name in term.matches(pipeline, &order, has_state)? {
                selected.insert(name);
                if term.with_upstream {
                    selected.extend(graph.upstream(name));
                }
                if term.with_downstream {
                    selected.extend(graph.downstream(name));
                }
            }
        }
        Ok(order.into_iter().filter(|name| selected.contains(name)).collect())
    }
}

fn term(term: &str, text: &str) -> Result<Term, Error> {
    let syntax = |message: String, help: String| Error::new(ErrorKind::Syntax, message, help);
    let examples = "write an asset's name, `+name`, `name+`, `kind:export`, `tag:x` or `state:changed`";
    let rest = term.strip_prefix('+').unwrap_or(term);
    let core = rest.strip_suffix('+').unwrap_or(rest);
    let (with_upstream, with_downstream) = (rest.len() < term.len(), core.len() < rest.len());
    if core.is_empty() {
        let what = if text.trim().is_empty() { "the selection is empty" } else { "a part of the selection is empty" };
        return Err(syntax(format!("{what}: `{text}`"), examples.to_owned()));
    }
    let method = match core.split_once(':') {
        None => Method::Name(name(core)?),
        Some(("kind", kind)) => Method::Kind(kind.to_owned()),
        Some(("tag", tag)) => Method::Tag(name(tag)?),
        Some(("state", "changed")) => Method::State(AssetState::Changed),
        Some(("state", "failed")) => Method::State(AssetState::Failed),
        Some(("state", state)) => {
            let help = suggestion(state, "states", ["changed", "failed"]);
            return Err(syntax(format!("there is no state `{state}`"), help));
        }
        Some((method, _)) => {
            let help = suggestion(method, "selectors", METHODS);
            return Err(syntax(format!("`{method}:` selects nothing"), help));
        }
    };
    Ok(Term { text: core.to_owned(), with_upstream, with_downstream, method })
}

fn name(text: &str) -> Result<String, Error> {
    let is_name = !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if is_name {
        return Ok(text.to_owned());
    }
    let help = match text.contains(char::is_whitespace) {
        true => "separate several selections with commas",
        false => "a name is made of `a-z`, `0-9` and `_`",
    };
    Err(Error::new(ErrorKind::Syntax, format!("`{text}` is not a name"), help))
}

impl Term {
    fn matches<'p>(
        &self,
        pipeline: &'p Pipeline,
        order: &[&'p str],
        has_state: &dyn Fn(&str, AssetState) -> bool,
    ) -> Result<Vec<&'p str>, Error> {
        let assets = pipeline.assets();
        let filter = |is_meant: &dyn Fn(&str) -> bool| -> Vec<&'p str> {
            order.iter().copied().filter(|name| is_meant(name)).collect()
        };
        let tagged = |name: &str, tag: &String| assets.get(name).is_some_and(|asset| asset.tags.contains(tag));
        match &self.method {
            Method::Kind(kind) => {
                let kinds = pipeline.kinds();
                if !kinds.contains(&kind.as_str()) {
                    let help = suggestion(kind, "kinds", kinds.iter().copied());
                    return Err(Error::new(ErrorKind::Syntax, format!("there is no kind `{kind}`"), help));
                }
                Ok(filter(&|name| pipeline.graph().kind(name) == Some(kind.as_str())))
            }
            Method::State(state) => Ok(filter(&|name| has_state(name, *state))),
            Method::Tag(tag) => {
                let matches = filter(&|name| tagged(name, tag));
                if !matches.is_empty() {
                    return Ok(matches);
                }
                let mut tags: Vec<&str> =
                    assets.values().flat_map(|asset| asset.tags.iter().map(String::as_str)).collect();
                tags.sort_unstable();
                tags.dedup();
                let help = match nearest(tag, tags.iter().copied()) {
                    Some(near) => format!("did you mean `tag:{near}`?"),
                    None if tags.is_empty() => "no asset of the pipeline has tags".to_owned(),
                    None => format!("the tags are {}", quoted_list(tags)),
                };
                Err(Error::new(ErrorKind::UnknownTag, format!("no asset has the tag `{tag}`"), help))
            }
            Method::Name(name) => match order.iter().find(|known| *known == name) {
                Some(known) => Ok(vec![known]),
                None => {
                    let help = suggestion(name, "assets", order.iter().copied());
                    let message = format!("there is no asset `{}`", self.text);
                    Err(Error::new(ErrorKind::UnknownAsset, message, help))
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::parse;

    const PIPELINE: &str = "
version: 1
name: p
assets:
  a: { kind: table, tags: [raw] }
  b: { kind: table, tags: [raw, slow] }
  f: { kind: table, from: a }
  e: { kind: files, from: f, deps: [b], to: out }
";

    fn select(text: &str) -> Result<Vec<String>, Error> {
        let pipeline = parse(PIPELINE).unwrap();
        let state = |name: &str, state: AssetState| match state {
            AssetState::Changed => name == "f",
            AssetState::Failed => false,
        };
        let selected = Selection::parse(text)?.select(&pipeline, &state)?;
        Ok(selected.into_iter().map(str::to_owned).collect())
    }

    #[test]
    fn selections_choose_assets_in_order() {
        let cases: [(&str, &[&str]); 12] = [
            ("a", &["a"]),
            ("+f", &["a", "f"]),
            ("a+", &["a", "f", "e"]),
            ("+f+", &["a", "f", "e"]),
            ("f, b", &["b", "f"]),
            ("kind:table", &["a", "b", "f"]),
            ("kind:verdict", &[]),
            ("tag:slow+", &["b", "e"]),
            ("+kind:files", &["a", "b", "f", "e"]),
            ("state:changed", &["f"]),
            ("state:changed+", &["f", "e"]),
            ("state:failed", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(select(text).unwrap(), expected, "{text}");
        }
        assert!(Selection::parse("a,state:failed").unwrap().needs_state());
        assert!(!Selection::parse("a").unwrap().needs_state());
        let pipeline = parse(PIPELINE).unwrap();
        assert_eq!(Selection::all().select(&pipeline, &|_, _| false).unwrap().len(), 4);
    }

    #[test]
    fn what_cannot_be_selected_is_explained() {
        let cases = [
            ("", ErrorKind::Syntax, "the selection is empty: ``"),
            ("a,,b", ErrorKind::Syntax, "a part of the selection is empty: `a,,b`"),
            ("+", ErrorKind::Syntax, "a part of the selection is empty: `+`"),
            ("a b", ErrorKind::Syntax, "`a b` is not a name"),
            ("kind:tabel", ErrorKind::Syntax, "there is no kind `tabel`"),
            ("state:new", ErrorKind::Syntax, "there is no state `new`"),
            ("path:x", ErrorKind::Syntax, "`path:` selects nothing"),
            ("tag:rwa", ErrorKind::UnknownTag, "no asset has the tag `rwa`"),
            ("trainig", ErrorKind::UnknownAsset, "there is no asset `trainig`"),
        ];
        for (text, kind, message) in cases {
            let error = select(text).unwrap_err();
            assert_eq!((error.kind(), error.to_string().as_str()), (kind, message), "{text}");
            assert!(error.help().is_some(), "{text}");
        }
        assert_eq!(select("kind:tabel").unwrap_err().help(), Some("did you mean `table`?"));
        assert_eq!(select("tag:rwa").unwrap_err().help(), Some("did you mean `tag:raw`?"));
        assert_eq!(select("zzz").unwrap_err().help(), Some("the assets are a, b, f, e"));
    }
}
