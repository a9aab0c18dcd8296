//! `search`: tries an asset of kind `embedding`.

use std::sync::Arc;

use crate::cli::SearchArgs;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::kinds::Subject;
use crate::kinds::embedding::Embedding;
use crate::kinds::embedding::search::{self, Hit, Question};
use crate::project::Project;
use crate::terminal::reporter::Reporter;
use crate::terminal::results::CommandResult;
use crate::terminal::screen::Screen;
use crate::terminal::text::paragraph;

/// The space before the text of a passage.
const MARGIN: &str = "     ";

/// The characters of a passage that are shown.
const SHOWN: usize = 240;

pub(super) async fn search(project: Arc<Project>, args: &SearchArgs, reporter: &Reporter) -> Result<Exit> {
    let definition = project.pipeline.asset(&args.asset).and_then(|asset| asset.definition_as::<Embedding>());
    let Some(definition) = definition else { return Err(not_searchable(&project, &args.asset)) };
    let subject = Subject { name: &args.asset, definition, project: &project };
    let client = project.connect().await?;
    let question = Question { text: &args.text, hits: args.hits.into(), is_hybrid: args.hybrid };
    let hits = search::search(&subject, &client, question).await?;
    if reporter.is_json() {
        hits.into_iter().for_each(|hit| reporter.json(&CommandResult::Hit { hit }));
        return Ok(Exit::Done);
    }
    if hits.is_empty() {
        reporter.result("no passages\n");
        return Ok(Exit::Done);
    }
    let screen = Screen::stdout();
    for hit in hits {
        reporter.result(&(heading(&hit) + &paragraph(&format!("{MARGIN}{}", shown(&hit.text)), MARGIN.len(), &screen)));
    }
    Ok(Exit::Done)
}

/// The line above a passage: its place, its score, and where it is.
fn heading(hit: &Hit) -> String {
    let Hit { rank, score, parent, passage, .. } = hit;
    let place = |name: &str, rank: Option<usize>| rank.map(|rank| format!("{name} {rank}"));
    let places = [place("vector", hit.vector_rank), place("words", hit.word_rank)];
    // Of one list, the places are the ranks.
    let places = match hit.word_rank.is_some() || hit.vector_rank != Some(*rank) {
        true => format!(" ({})", places.into_iter().flatten().collect::<Vec<_>>().join(", ")),
        false => String::new(),
    };
    format!("{rank:>3}  {score:.4}{places}  {parent}, passage {passage}\n")
}

/// The beginning of a passage in one line.
fn shown(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line,
    }
}

fn not_searchable(project: &Project, asset: &str) -> Error {
    let embeddings = project.pipeline.assets().iter().filter(|(_, asset)| asset.definition_as::<Embedding>().is_some());
    let names: Vec<&str> = embeddings.map(|(name, _)| name.as_str()).collect();
    let help = match es_values::nearest(asset, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.is_empty() => "add an asset of kind `embedding`".to_owned(),
        None => format!("name one of {}", es_values::quoted_list(names)),
    };
    let message = match project.pipeline.asset(asset) {
        Some(found) => format!("`{asset}` is of kind `{}`, and has no passages to search", found.kind()),
        None => format!("there is no asset `{asset}`"),
    };
    Error::config(message).with_help(Some(help))
}
