//! `init`: a small pipeline to start from.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use super::reference;
use crate::error::Error;
use crate::exit::Exit;
use crate::terminal::reporter::Reporter;

const PIPELINE: &str = include_str!("init/pipeline.yaml");
const COMPOSE: &str = include_str!("init/compose.yaml");
const DATA: &str = include_str!("init/measurements.csv");

pub(super) fn init(folder: &Path, reporter: &Reporter) -> Result<Exit, Error> {
    let files = [
        ("pipeline.yaml", PIPELINE.to_owned()),
        ("compose.yaml", COMPOSE.to_owned()),
        (".env.example", reference::env_example()),
        ("data/measurements.csv", DATA.to_owned()),
    ];
    if let Some((name, _)) = files.iter().find(|(name, _)| folder.join(name).exists()) {
        return Err(Error::config(format!("{} exists already and is not overwritten", folder.join(name).display()))
            .with_help(Some("name another folder: orchestrator init DIR")));
    }
    for (name, text) in files {
        write(&folder.join(name), &text)?;
        reporter.result(&format!("wrote {}\n", folder.join(name).display()));
    }
    reporter.result(
        "\nnext:\n  docker compose up -d      # or set ELASTICSEARCH_URL\n  orchestrator validate\n  orchestrator plan\n  orchestrator run\n",
    );
    Ok(Exit::Done)
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    let written = path
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes()));
    written.map_err(|error| Error::failed(format!("{} cannot be written: {error}", path.display())))
}
