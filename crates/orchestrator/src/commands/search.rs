//! `search`: tries an asset of kind `embedding`.

use std::sync::Arc;

use crate::cli::SearchArgs;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::kinds::Subject;
use crate::kinds::embedding::Embedding;
use crate::kinds::embedding::search::{self, Question};
use crate::project::Project;
use crate::terminal::reporter::Reporter;
use crate::terminal::results::CommandResult;
use crate::terminal::screen::Screen;
use crate::terminal::table::{Align, Cell, Table};

/// The characters of a passage that are shown.
const SHOWN: usize = 200;

pub(super) async fn search(project: Arc<Project>, args: &SearchArgs, reporter: &Reporter) -> Result<Exit> {
    let definition = project.pipeline.asset(&args.asset).and_then(|asset| asset.definition_as::<Embedding>());
    let Some(definition) = definition else { return Err(not_searchable(&project, &args.asset)) };
    let subject = Subject { name: &args.asset, definition, project: &*project };
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
    let mut columns = vec![("", Align::Right), ("score", Align::Right)];
    if args.hybrid {
        columns.extend([("vector", Align::Right), ("words", Align::Right)]);
    }
    columns.extend([("document", Align::Name), ("passage", Align::Right), ("text", Align::Text)]);
    let mut table = Table::new(&columns);
    let place = |rank: Option<usize>| Cell::from(rank.map(|rank| rank.to_string()).unwrap_or_default());
    for hit in hits {
        let mut cells = vec![Cell::from(hit.rank.to_string()), format!("{:.4}", hit.score).into()];
        if args.hybrid {
            cells.extend([place(hit.vector_rank), place(hit.word_rank)]);
        }
        cells.extend([hit.parent.into(), hit.passage.to_string().into(), shown(&hit.text).into()]);
        table.row(cells);
    }
    reporter.result(&table.fit(&Screen::stdout()));
    Ok(Exit::Done)
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
