//! `graph`: which asset needs which.

use crate::cli::GraphFormat;
use crate::error::Error;
use crate::exit::Exit;
use crate::project::Project;
use crate::terminal::reporter::print_out;

pub(super) fn graph(project: &Project, format: GraphFormat) -> Result<Exit, Error> {
    let graph = project.pipeline.graph();
    let text = match format {
        GraphFormat::Text => graph.to_text(),
        GraphFormat::Mermaid => graph.to_mermaid(),
        GraphFormat::Dot => graph.to_dot(),
        GraphFormat::Json => format!("{:#}\n", graph.to_json()),
    };
    print_out(&text);
    Ok(Exit::Done)
}
