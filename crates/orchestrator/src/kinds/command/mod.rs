//! `command`: an external program over other assets, into an index or a folder of files.
//!
//! `program` knows the program on disk, `process` runs it, and `output` keeps what it prints.
//! Its result is left to [`rows`] and [`folder`].

mod definition;
mod output;
mod process;
mod program;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::path::Path;

use async_trait::async_trait;
use es_assets::{Definition as _, Inputs, Output};
use es_bulk::files::FileFormat;
use es_export::{ColumnRequest, Format, MANIFEST_FILE, StagedFolder};
use es_values::quoted_list;
use serde_json::json;

use super::checks::{self, Check};
use super::index::IndexSpec;
use super::rows::{self, Scratch};
use super::{Built, Kind, Observation, Part, Preparation, Prepared, Subject, Work, folder, version_of};
use crate::doctor::needs::{ExportNeed, Needs};
use crate::error::{Error, Result};
use process::{Failure, Program, Succeeded};

pub use definition::{Command, Folder, HandOver, Input, RowFormat, Rows, VARIABLES};

/// The name of the version of the program's own files. No asset can have it.
const INPUT: &str = "program files";

/// The variables of this process that a program sees.
const INHERITED: [&str; 4] = ["PATH", "HOME", "LANG", "TMPDIR"];

/// A program over other assets.
pub struct CommandKind;

#[async_trait]
impl Kind for CommandKind {
    type Definition = Command;
    const NAME: &'static str = "command";

    async fn observe(&self, asset: &Subject<'_, Command>, around: &Observation<'_>) -> Result<Vec<Part>> {
        match &asset.definition.to {
            Some(to) => folder::observe(asset, &to.path),
            None => Ok(around.published_generations()),
        }
    }

    /// The program's own files are an input.
    async fn prepare(&self, asset: &Subject<'_, Command>, _: &Preparation<'_>) -> Result<Prepared> {
        let files = program::own_files(&asset.definition.run, &program::folder(asset)?);
        if files.is_empty() {
            return Ok(Prepared::default());
        }
        let hashing = tokio::task::spawn_blocking(move || program::version(&files));
        let version = hashing.await.map_err(|error| Error::defect("reading the program's files", &error))?;
        let version = version.map_err(|(index, error)| {
            let (name, key) = (&asset.definition.run[index], format!("run[{index}]"));
            asset.error_at(&key, &format!("`{name}` cannot be read: {error}"), None)
        })?;
        Ok(Prepared { inputs: BTreeMap::from([(None, version_of(INPUT, &version))]), ..Prepared::default() })
    }

    /// Runs the program. Nothing is published when it fails.
    async fn build(&self, asset: &Subject<'_, Command>, work: &Work<'_>) -> Result<Built> {
        let inputs = work.inputs();
        let mut program = program_of(asset, work)?;
        let scratch = Scratch::of(work)?;
        hand_over(asset, work, &scratch, &mut program).await?;
        let (mut built, ended) = match &asset.definition.to {
            Some(to) => write_files(asset, work, program, to, inputs).await?,
            None => write_documents(asset, work, program, &scratch, inputs).await?,
        };
        built.summary["exit_code"] = json!(ended.code);
        built.summary["program_ms"] = json!(u64::try_from(ended.took.as_millis()).unwrap_or(u64::MAX));
        built.summary["output"] = json!(ended.output);
        Ok(built)
    }

    fn checks<'a>(&self, definition: &'a Command) -> &'a [Check] {
        &definition.documents.checks
    }

    fn id(&self, definition: &Command) -> Vec<String> {
        definition.documents.id.clone().unwrap_or_default()
    }

    fn index_spec<'a>(&self, definition: &'a Command) -> Option<&'a IndexSpec> {
        Some(&definition.documents.index)
    }

    fn needs(&self, asset: &Subject<'_, Command>, needs: &mut Needs) {
        for Input(rows) in &asset.definition.reads {
            if let Ok(index) = asset.project.index_of(&rows.from) {
                needs.exports.push(ExportNeed { asset: asset.name.to_owned(), index, columns: rows.columns.clone() });
            }
        }
        if asset.definition.output() == Output::Documents {
            let index = asset.project.alias(asset.name);
            needs.aggregates(asset.name, Ok(index), checks::aggregated_fields(&asset.definition.documents.checks));
        }
    }
}

/// The program with everything but its inputs and its result.
fn program_of(asset: &Subject<'_, Command>, work: &Work<'_>) -> Result<Program> {
    let command = asset.definition;
    let folder = program::folder(asset)?;
    let inherited = INHERITED.into_iter().filter_map(|name| Some((name.to_owned(), std::env::var_os(name)?)));
    let mut variables: BTreeMap<String, OsString> = inherited.collect();
    variables.extend(command.environment.iter().map(|(name, value)| (name.clone(), value.into())));
    let given = [("PIPELINE", work.project.pipeline.name()), ("ASSET", asset.name), ("RUN", work.run)];
    variables.extend(given.map(|(name, value)| (format!("{VARIABLES}{name}"), value.into())));
    Ok(Program {
        name: command.run.first().cloned().unwrap_or_default(),
        asset: asset.name.to_owned(),
        path: program::locate(asset, &folder, variables.get("PATH").map(OsString::as_os_str))?,
        arguments: command.run.iter().skip(1).cloned().collect(),
        folder,
        variables,
        stdin: None,
        stdout: None,
        timeout: command.timeout,
    })
}

/// Gives a program what it reads.
async fn hand_over(
    asset: &Subject<'_, Command>,
    work: &Work<'_>,
    scratch: &Scratch,
    program: &mut Program,
) -> Result<()> {
    let command = asset.definition;
    for Input(rows) in &command.reads {
        let read = work.project.pipeline.asset(&rows.from);
        let path = if let Some((_, path)) = read.and_then(|read| read.definition().writes()) {
            program::absolute(work.project.path(path))
        } else {
            let (format, ending) = match command.input {
                HandOver::Files => (Format::Parquet, "parquet"),
                HandOver::Stdin => (Format::IpcStream, "arrows"),
            };
            let file = scratch.file(&format!("{}.{ending}", rows.from));
            let columns = rows.columns.clone().map_or(ColumnRequest::All, ColumnRequest::Named);
            let query = rows.filter.as_ref().map(es_values::Query::to_value);
            rows::spool(work, &rows.from, columns, query.as_ref(), &file, format).await?;
            file
        };
        match command.input {
            HandOver::Files => {
                let name = format!("{VARIABLES}INPUT_{}", rows.from.to_uppercase());
                program.variables.insert(name, path.into());
            }
            HandOver::Stdin => program.stdin = Some(File::open(&path).map_err(|error| unusable(&path, &error))?),
        }
    }
    Ok(())
}

/// Runs a program, and makes the rows that it writes the documents of an index.
async fn write_documents(
    asset: &Subject<'_, Command>,
    work: &Work<'_>,
    mut program: Program,
    scratch: &Scratch,
    inputs: Inputs,
) -> Result<(Built, Succeeded)> {
    // No asset has a hyphen in its name: the file stays apart from those of the inputs.
    let file = |ending: &str| scratch.file(&format!("{}-output.{ending}", asset.name));
    let (file, format) = match asset.definition.output {
        Some(RowFormat::IpcStream) => {
            let file = file("arrows");
            program.stdout = Some(File::create(&file).map_err(|error| unusable(&file, &error))?);
            (file, FileFormat::IpcStream)
        }
        _ => {
            let file = file("parquet");
            set_output(&mut program, &file);
            (file, FileFormat::Parquet)
        }
    };
    let ended = run(asset, work, program).await?;
    if !std::fs::metadata(&file).is_ok_and(|found| found.is_file() && found.len() > 0) {
        let name = asset.definition.run.first().map_or("", String::as_str);
        let (message, help) = match format {
            FileFormat::IpcStream => ("wrote nothing to standard output", "it has to write an Arrow IPC stream there"),
            _ => ("wrote no file", "it has to write a Parquet file to the path in ORCHESTRATOR_OUTPUT"),
        };
        return Err(Error::failed(format!("`{name}` succeeded and {message}")).with_help(Some(help)));
    }
    let built = rows::load(asset, work, &asset.definition.documents, file, format, inputs).await?;
    Ok((built, ended))
}

/// Runs a program that writes files, and makes them ready to be published.
async fn write_files(
    asset: &Subject<'_, Command>,
    work: &Work<'_>,
    mut program: Program,
    to: &Folder,
    inputs: Inputs,
) -> Result<(Built, Succeeded)> {
    let staged = StagedFolder::enter(&work.project.path(&to.path))?;
    set_output(&mut program, &program::absolute(staged.path().to_owned()));
    let name = program.name.clone();
    let ended = run(asset, work, program).await?;
    let there = |file: &str| staged.path().join(file).is_file();
    if let Some(missing) = to.files.iter().find(|file| !there(file)) {
        let files = staged.files()?;
        let names = files.iter().map(|file| file.strip_prefix(staged.path()).unwrap_or(file).to_string_lossy());
        let names: Vec<_> = names.collect();
        let help = match names.is_empty() {
            true => "the folder is empty; the program has to write into the folder in ORCHESTRATOR_OUTPUT".to_owned(),
            false => format!("there are only {}", quoted_list(names.iter().map(AsRef::as_ref))),
        };
        let message = format!("`{name}` succeeded and did not write `{missing}`, which `to.files` lists");
        return Err(Error::failed(message).with_help(Some(help)));
    }
    if there(MANIFEST_FILE) {
        let help = "have it choose another name: the manifest of the folder is called so";
        return Err(Error::failed(format!("`{name}` wrote `{MANIFEST_FILE}`")).with_help(Some(help)));
    }
    let built = folder::ready(work, &to.path, staged, None, inputs).await?;
    Ok((built, ended))
}

fn set_output(program: &mut Program, path: &Path) {
    program.variables.insert(format!("{VARIABLES}OUTPUT"), path.into());
}

async fn run(asset: &Subject<'_, Command>, work: &Work<'_>, program: Program) -> Result<Succeeded> {
    work.progress.restart("running the program");
    let name = program.name.clone();
    program.run(work.cancel).await.map_err(|failure| match failure {
        Failure::Run(error) => error,
        Failure::Start(error) => {
            let help = "a script needs an interpreter that exists in its first line";
            asset.error_at("run[0]", &format!("`{name}` cannot be started: {error}"), Some(help))
        }
    })
}

fn unusable(path: &Path, error: &std::io::Error) -> Error {
    Error::failed(format!("{} cannot be opened: {error}", path.display()))
}
