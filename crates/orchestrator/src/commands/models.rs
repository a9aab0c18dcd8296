//! `models`: the registry at the terminal.

use std::path::Path;
use std::sync::Arc;

use es_core::Client;
use es_serving::onnx::OnnxOptions;
use es_serving::registry::mlflow::Pushed;
use es_serving::registry::{
    AliasMove, Difference, Expected, Metrics, ModelSummary, Move, NewVersion, Promoted, Terms, Version,
};
use es_serving::{ModelReference, ModelVersion, Signature};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cli::{ChangeArgs, ModelsCommand, PullArgs, RegisterArgs, VersionArg, reference};
use crate::environment::person;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::kinds::inference::Inference;
use crate::model_registry::{ModelRegistry, mlflow_of_environment};
use crate::models::{self, Training};
use crate::project::Project;
use crate::terminal::moments::{Clock, zone_line};
use crate::terminal::reporter::Reporter;
use crate::terminal::results::CommandResult;
use crate::terminal::screen::Screen;
use crate::terminal::table::{Align, Cell, Table, count, size};
use crate::terminal::text::Tone;

pub(super) async fn models(project: Arc<Project>, command: &ModelsCommand, reporter: &Reporter) -> Result<Exit> {
    if let ModelsCommand::Check { path } = command {
        return check(&project, path, reporter).await;
    }
    let client = project.connect().await?;
    let around = Around {
        project: &project,
        registry: models::registry(&project, &client)?,
        reporter,
        clock: Clock::of(&project.pipeline),
        screen: Screen::stdout(),
    };
    let registry = &around.registry;
    match command {
        ModelsCommand::List => around.list(registry.elasticsearch("list models")?.models().await?),
        ModelsCommand::Show { model } => match model.contains(['/', '@']) {
            true => {
                let reference = reference(model).map_err(Error::config)?;
                around.version(&registry.version(&reference).await?);
            }
            false => {
                let registry = registry.elasticsearch("list versions")?;
                let aliases = registry.aliases(model).await?;
                around.versions(&registry.versions(model).await?, &aliases);
            }
        },
        ModelsCommand::Register(args) => register(&around, args).await?,
        ModelsCommand::Promote { version, alias, from, change } => {
            promote(&around, version, alias, *from, change).await?;
        }
        ModelsCommand::Rollback { alias, change } => {
            let moved = registry.rollback(&alias.model, &alias.alias, &moving(change)).await?;
            around.moved(&moved, "rolled back");
        }
        ModelsCommand::History { alias } => around.history(&registry.history(&alias.model, &alias.alias).await?),
        ModelsCommand::Diff { from, to } => {
            let registry = registry.elasticsearch("compare versions")?;
            around.difference(&registry.diff(&from.model, from.number, *to).await?);
        }
        ModelsCommand::LiveAt { alias, time } => {
            let live = registry.live_at(&alias.model, &alias.alias, *time).await?;
            around.live(live.as_ref(), &alias.model, &alias.alias, *time);
        }
        ModelsCommand::ScoredBy { version } => scored_by(&around, &client, &version.0).await?,
        ModelsCommand::Retire { version, change } => {
            let registry = registry.elasticsearch("retire a version")?;
            around.version(&registry.retire(&version.model, version.number, &moving(change)).await?);
        }
        ModelsCommand::Unretire { version } => {
            let registry = registry.elasticsearch("put a version back into use")?;
            around.version(&registry.unretire(&version.model, version.number).await?);
        }
        ModelsCommand::Push { version, uri } => push(&around, &version.0, uri.as_deref()).await?,
        ModelsCommand::Pull(args) => pull(&around, args).await?,
        ModelsCommand::Check { .. } => {}
    }
    Ok(Exit::Done)
}

/// Reads a model file, and loads it where ONNX Runtime is there.
async fn check(project: &Project, path: &Path, reporter: &Reporter) -> Result<Exit> {
    let (file, sha256) = (models::read_onnx(path).await?, models::checksum(path).await?);
    let opened = models::open(project, path, OnnxOptions::default()).await;
    if reporter.is_json() {
        reporter.json(&CommandResult::ModelFile {
            file: json!(file),
            sha256: sha256.to_string(),
            is_scored_here: opened.is_ok(),
            reason: opened.as_ref().err().map(ToString::to_string),
        });
        return Ok(if opened.is_ok() { Exit::Done } else { Exit::Failed });
    }
    reporter.result(&format!("{file}sha256      {sha256}\n"));
    let library = opened?.runtime().place().path.display().to_string();
    reporter.result(&format!("scored here yes, by {library}\n"));
    Ok(Exit::Done)
}

async fn register(around: &Around<'_>, args: &RegisterArgs) -> Result<()> {
    let project = around.project;
    let training = args.manifest.as_deref().map(|manifest| Training::read(project, manifest)).transpose()?;
    let mut new = new_version(project, args).await?.by(args.change.by.clone().unwrap_or_else(person));
    if let Some(training) = training {
        new = training.of(new);
    }
    for metric in &args.metrics {
        new = new.with_metric(&metric.name, &metric.part, metric.value);
    }
    for tag in &args.tags {
        new = new.with_tag(&tag.name, &tag.text);
    }
    if let Some(text) = &args.description {
        new = new.with_description(text);
    }
    enter(around, new, args.alias.as_deref(), &args.change).await
}

/// Registers a version, and points an alias to it.
async fn enter(around: &Around<'_>, new: NewVersion, alias: Option<&str>, change: &ChangeArgs) -> Result<()> {
    let registered = around.registry.register(new).await?;
    let version = &registered.version;
    if let Some(not_taken) = &registered.existing {
        let mut text = format!("version {} of {} is this file already", version.number, version.model);
        if !not_taken.is_empty() {
            text.push_str(&format!("; its {} stay as they were registered", not_taken.join(", ")));
        }
        around.reporter.note(&text);
    }
    around.version(version);
    if let Some(alias) = alias {
        let version = VersionArg { model: version.model.clone(), number: version.number };
        promote(around, &version, alias, None, change).await?;
    }
    Ok(())
}

/// Pushes a version to an MLflow server.
async fn push(around: &Around<'_>, reference: &ModelReference, uri: Option<&str>) -> Result<()> {
    let version = around.registry.elasticsearch("push a version")?.version(reference).await?;
    let server = mlflow_of_environment(around.project, uri)?;
    let pushed = server.push(&version.into(), &models::folder(around.project)).await?;
    let word = match &pushed {
        Pushed::New(_) => "is new there",
        Pushed::Existing(_) => "was there already",
    };
    let there = pushed.version();
    if around.reporter.is_json() {
        around.reporter.json(&CommandResult::ModelPushed { version: json!(there) });
    } else {
        around.reporter.result(&format!("version {} of {} at MLflow {word}\n", there.number, there.model));
    }
    Ok(())
}

/// Pulls a version of an MLflow server, and registers it.
async fn pull(around: &Around<'_>, args: &PullArgs) -> Result<()> {
    around.registry.elasticsearch("pull a version")?;
    let folder = models::folder(around.project);
    let pulled = mlflow_of_environment(around.project, args.uri.as_deref())?.pull(&args.version.0, &folder).await?;
    let new = match pulled.described {
        Some(described) => described,
        // Another program put it there, which says nothing of its columns.
        None => {
            let path = folder.open(pulled.file.sha256).await?;
            let signature = models::signature(&path, &args.inputs, false).await?;
            NewVersion::onnx(&pulled.version.model, &pulled.file, signature)
        }
    };
    let new = new.by(args.change.by.clone().unwrap_or_else(person));
    enter(around, new, args.alias.as_deref(), &args.change).await
}

/// The model of a file, which is put into the folder, or that of a server.
async fn new_version(project: &Project, args: &RegisterArgs) -> Result<NewVersion> {
    if let (Some(uri), Some(path)) = (&args.served_at, &args.signature) {
        let wrong = |why: String| {
            Error::config(format!("the signature {} cannot be read: {why}", path.display())).with_help(Some(
                "write `columns`, `inputs` and `outputs`, as `models show --json` prints those of a version",
            ))
        };
        let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
        let signature: Signature = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
        signature.layout()?;
        return Ok(NewVersion::served(&args.model, uri, signature));
    }
    let path = args.path.as_deref().ok_or_else(|| Error::config("no model file is named"))?;
    let text = args.text.encoder();
    let signature = models::signature(path, &args.inputs, text.is_some()).await?;
    let stored = models::folder(project).put(path).await?;
    let version = NewVersion::onnx(&args.model, &stored, signature);
    models::with_text(project, version, text.as_ref()).await
}

async fn promote(
    around: &Around<'_>,
    version: &VersionArg,
    alias: &str,
    from: Option<u32>,
    change: &ChangeArgs,
) -> Result<()> {
    let rule = around.project.settings.models.get(&version.model).and_then(|declared| declared.promotion.clone());
    let terms = Terms { expected: from.map_or(Expected::Any, |from| Expected::From(Some(from))), rule };
    let promoted = around.registry.promote(&version.model, alias, version.number, &moving(change), &terms).await?;
    let word = match &promoted {
        Promoted::Moved(_) => "moved",
        Promoted::Already(_) => "there already",
    };
    around.moved(promoted.newest(), word);
    Ok(())
}

fn moving(change: &ChangeArgs) -> Move {
    let by = Move::by(change.by.clone().unwrap_or_else(person));
    match &change.why {
        Some(why) => by.why(why),
        None => by,
    }
}

/// Counts the predictions of a version in the assets of the pipeline.
async fn scored_by(around: &Around<'_>, client: &Client, reference: &ModelReference) -> Result<()> {
    let number = match reference.version() {
        ModelVersion::Number(number) => number.get(),
        ModelVersion::Alias(_) => around.registry.version(reference).await?.number,
    };
    let query = json!({"bool": {"filter": [
        {"term": {"model": reference.name()}}, {"term": {"model_version": number}},
    ]}});
    let mut table = Table::new(&[("asset", Align::Name), ("predictions", Align::Right)]);
    let mut total = 0;
    for (name, asset) in around.project.pipeline.assets() {
        if asset.definition_as::<Inference>().is_none() {
            continue;
        }
        let index = around.project.alias(name);
        if client.indices().describe(&index).await?.is_empty() {
            continue;
        }
        let predictions = client.indices().count_matching(&index, &query).await?;
        total += predictions;
        if around.reporter.is_json() {
            let (asset, model) = (name.to_owned(), reference.name().to_owned());
            around.reporter.json(&CommandResult::ScoredBy { asset, model, version: number, predictions });
        } else {
            table.row([Cell::from(name.as_str()), count(predictions).into()]);
        }
    }
    if !around.reporter.is_json() {
        match total {
            0 => around
                .reporter
                .result(&format!("version {number} of {} has scored nothing that is published\n", reference.name())),
            _ => around.reporter.result(&table.fit(&around.screen)),
        }
    }
    Ok(())
}

/// The surroundings of a command.
struct Around<'a> {
    project: &'a Project,
    registry: ModelRegistry,
    reporter: &'a Reporter,
    clock: Clock,
    screen: Screen,
}

impl Around<'_> {
    fn list(&self, models: Vec<ModelSummary>) {
        if self.reporter.is_json() {
            for model in models {
                self.reporter.json(&CommandResult::Model { model: json!(model) });
            }
            return;
        }
        if models.is_empty() {
            self.reporter.result("no models yet: `orchestrator models register NAME MODEL.onnx` registers one\n");
            return;
        }
        let mut table = Table::new(&[
            ("model", Align::Name),
            ("newest", Align::Right),
            ("registered", Align::Left),
            ("aliases", Align::Text),
        ]);
        for model in models {
            let aliases: Vec<String> =
                model.aliases.iter().map(|(alias, version)| format!("{alias} {version}")).collect();
            table.row([
                Cell::from(model.model),
                model.newest.number.to_string().into(),
                self.clock.minute(model.newest.at).into(),
                aliases.join(", ").into(),
            ]);
        }
        self.reporter.result(&(table.fit(&self.screen) + &zone_line(&self.clock, &self.screen)));
    }

    fn versions(&self, versions: &[Version], aliases: &[AliasMove]) {
        if self.reporter.is_json() {
            versions.iter().for_each(|version| self.version(version));
            return;
        }
        let mut table = Table::new(&[
            ("version", Align::Right),
            ("aliases", Align::Left),
            ("registered", Align::Left),
            ("by", Align::Name),
            ("metrics", Align::Text),
        ]);
        for version in versions {
            let pointing = aliases.iter().filter(|one| one.to == version.number).map(|one| one.alias.as_str());
            let pointing: Vec<&str> = pointing.chain(version.is_retired().then_some("retired")).collect();
            table.row([
                version.number.to_string().into(),
                Cell::toned(pointing.join(", "), if version.is_retired() { Tone::Dim } else { Tone::Good }),
                self.clock.minute(version.at).into(),
                version.by.as_str().into(),
                metrics(&version.metrics).into(),
            ]);
        }
        self.reporter.result(&(table.fit(&self.screen) + &zone_line(&self.clock, &self.screen)));
    }

    fn version(&self, version: &Version) {
        if self.reporter.is_json() {
            self.reporter.json(&CommandResult::ModelVersion { version: json!(version) });
            return;
        }
        let mut lines = vec![("model", format!("{} {}", version.model, version.number))];
        let by = format!("{} by {}", self.clock.minute(version.at), version.by);
        lines.push(("registered", by));
        if let Some(sha256) = version.sha256 {
            let bytes = version.bytes.map(|bytes| format!(", {}", size(bytes))).unwrap_or_default();
            lines.push(("sha256", format!("{sha256}{bytes}")));
        }
        let column = |column: &es_serving::InputColumn| {
            format!("{} {}{}", column.name, column.datatype, if column.nullable { " or missing" } else { "" })
        };
        lines.push(("inputs", version.signature.columns.iter().map(column).collect::<Vec<_>>().join(", ")));
        let outputs = version.signature.outputs.iter().map(|output| format!("{} {}", output.name, output.datatype));
        lines.push(("outputs", outputs.collect::<Vec<_>>().join(", ")));
        if let Some(text) = &version.text {
            lines.push(("tokenizer", format!("{}, at most {} tokens", text.tokenizer.sha256, text.max_tokens)));
            let normalized = if text.normalize { ", normalized" } else { "" };
            lines.push(("vectors", format!("{} pooling{normalized}", text.pooling)));
        }
        if let Some(training) = &version.training {
            lines.push(("trained on", training.manifest.clone()));
        }
        if !version.metrics.is_empty() {
            lines.push(("metrics", metrics(&version.metrics)));
        }
        let tags: Vec<String> = version.tags.iter().map(|(name, text)| format!("{name}={text}")).collect();
        if !tags.is_empty() {
            lines.push(("tags", tags.join(", ")));
        }
        lines.extend(version.description.iter().map(|text| ("about", text.clone())));
        if let Some(retired) = &version.retirement {
            lines.push(("retired", format!("{} by {}", self.clock.minute(retired.at), retired.by)));
        }
        let mut table = Table::new(&[("", Align::Left), ("", Align::Text)]);
        for (name, text) in lines {
            table.row([Cell::from(name), text.into()]);
        }
        self.reporter.result(&table.fit(&self.screen));
    }

    fn moved(&self, moved: &AliasMove, word: &str) {
        if self.reporter.is_json() {
            self.reporter.json(&CommandResult::AliasMoved { moved: json!(moved) });
            return;
        }
        let from = moved.from.map(|from| format!(" from version {from}")).unwrap_or_default();
        let text = format!("{}@{} {word}{from} to version {}\n", moved.model, moved.alias, moved.to);
        self.reporter.result(&text);
    }

    fn history(&self, moves: &[AliasMove]) {
        if self.reporter.is_json() {
            moves.iter().for_each(|moved| self.moved(moved, ""));
            return;
        }
        let mut table = Table::new(&[
            ("when", Align::Left),
            ("from", Align::Right),
            ("to", Align::Right),
            ("by", Align::Name),
            ("why", Align::Text),
        ]);
        for moved in moves {
            table.row([
                Cell::from(self.clock.minute(moved.at)),
                moved.from.map(|from| from.to_string()).unwrap_or_default().into(),
                moved.to.to_string().into(),
                moved.by.as_str().into(),
                moved.why.clone().unwrap_or_default().into(),
            ]);
        }
        self.reporter.result(&(table.fit(&self.screen) + &zone_line(&self.clock, &self.screen)));
    }

    fn live(&self, live: Option<&AliasMove>, model: &str, alias: &str, time: Timestamp) {
        let when = self.clock.minute(time);
        match live {
            Some(moved) if self.reporter.is_json() => self.moved(moved, ""),
            Some(moved) => self.reporter.result(&format!(
                "version {} of {model} was {alias} at {when}: {} moved it there at {}\n",
                moved.to,
                moved.by,
                self.clock.minute(moved.at)
            )),
            None => self.reporter.result(&format!("{model} had no {alias} yet at {when}\n")),
        }
    }

    fn difference(&self, difference: &Difference) {
        if self.reporter.is_json() {
            self.reporter.json(&CommandResult::ModelDifference { difference: json!(difference) });
            return;
        }
        let (old, new) = (difference.from.to_string(), difference.to.to_string());
        let mut table = Table::new(&[("", Align::Left), ("", Align::Name), ("from", Align::Left), ("to", Align::Text)]);
        table.row(["version".into(), Cell::default(), old.into(), new.into()]);
        for (what, name, from, to) in changes(difference) {
            table.row([Cell::from(what), name.into(), shown(from).into(), shown(to).into()]);
        }
        for metric in &difference.metrics {
            let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
            let gain = metric.delta.map(|delta| format!(" ({delta:+.4})")).unwrap_or_default();
            let name = format!("{}@{}", metric.metric, metric.part);
            table.row([
                Cell::from("metric"),
                name.into(),
                number(metric.from).into(),
                (number(metric.to) + &gain).into(),
            ]);
        }
        self.reporter.result(&table.fit(&self.screen));
    }
}

/// The changes of all kinds, as JSON: the kind, the name, the old and the new.
fn changes(difference: &Difference) -> Vec<(&'static str, String, Value, Value)> {
    let mut all = Vec::new();
    if let Some(file) = &difference.file {
        let sum = |file: &Option<es_serving::registry::ModelFile>| json!(file.as_ref().and_then(|file| file.sha256));
        all.push(("file", String::new(), sum(&file.from), sum(&file.to)));
    }
    all.extend(difference.columns.iter().map(|one| ("column", one.name.clone(), json!(one.from), json!(one.to))));
    if let Some((from, to)) = &difference.order {
        all.push(("order", String::new(), json!(from), json!(to)));
    }
    all.extend(difference.inputs.iter().map(|one| ("input", one.name.clone(), json!(one.from), json!(one.to))));
    all.extend(difference.outputs.iter().map(|one| ("output", one.name.clone(), json!(one.from), json!(one.to))));
    all.extend(difference.encoders.iter().map(|one| ("encoder", one.name.clone(), json!(one.from), json!(one.to))));
    all.extend(difference.text.iter().map(|one| ("text encoder", one.name.clone(), json!(one.from), json!(one.to))));
    if let Some(training) = &difference.training {
        let of = |set: &Option<es_serving::registry::TrainingSet>| json!(set.as_ref().map(|set| set.sha256));
        all.push(("trained on", String::new(), of(&training.from), of(&training.to)));
    }
    all.extend(difference.tags.iter().map(|one| ("tag", one.name.clone(), json!(one.from), json!(one.to))));
    all
}

fn shown(value: Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.chars().take(12).collect(),
        other => other.to_string(),
    }
}

fn metrics(metrics: &Metrics) -> String {
    let each = metrics
        .iter()
        .flat_map(|(name, parts)| parts.iter().map(move |(part, value)| format!("{name}@{part} {value}")));
    each.collect::<Vec<_>>().join(", ")
}
