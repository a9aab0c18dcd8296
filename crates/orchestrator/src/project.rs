//! A pipeline with its folder, environment and settings: what every command starts from.

use std::path::{Path, PathBuf};

use es_assets::Pipeline;
use es_core::{Client, ErrorKind};

use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::kinds::Kinds;
use crate::settings::{self, Settings};

/// The name of the pipeline file, unless another is given.
pub const PIPELINE_FILE: &str = "pipeline.yaml";

/// The folders of checkpoints and of dead letters, beside the pipeline.
const CHECKPOINTS: &str = ".orchestrator/loads";
const REJECTED: &str = ".orchestrator/rejected";
const SCRATCH: &str = ".orchestrator/scratch";

/// A pipeline that was read and found sound.
#[derive(Debug)]
pub struct Project {
    /// The pipeline.
    pub pipeline: Pipeline,
    /// The folder that relative paths start from.
    pub folder: PathBuf,
    /// The variables.
    pub environment: Environment,
    /// The settings in force.
    pub settings: Settings,
    /// The prefix of the names of all indices and aliases.
    pub prefix: String,
    /// The kinds that its assets are of.
    pub kinds: Kinds,
}

impl Project {
    /// Reads the pipeline file of a folder, offline, with the kinds of this program.
    ///
    /// # Errors
    /// Everything that is wrong with the file, the environment or the settings.
    pub fn load(folder: &Path, file: &Path, environment_name: Option<&str>) -> Result<Self> {
        Self::load_with(Kinds::builtin(), folder, file, environment_name)
    }

    /// Reads the pipeline file of a folder, offline, with assets of these kinds.
    ///
    /// # Errors
    /// As [`Project::load`].
    pub fn load_with(kinds: Kinds, folder: &Path, file: &Path, environment_name: Option<&str>) -> Result<Self> {
        // `.` says nothing that a message should repeat.
        let path = if folder == Path::new(".") { file.to_owned() } else { folder.join(file) };
        let text = std::fs::read_to_string(&path).map_err(|error| {
            Error::config(format!("the pipeline file {} cannot be read: {error}", path.display()))
                .with_help(Some("name it with -f, or its folder with -C; `orchestrator init` writes a first one"))
        })?;
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
        let pipeline = kinds.format().parse(&path.display().to_string(), &text, environment_name)?;
        let environment = Environment::load(&folder)?;
        let settings = settings::load(&pipeline, &environment)?;
        let prefix = settings::index_prefix(&pipeline, &settings);
        Ok(Self { pipeline, folder, environment, settings, prefix, kinds })
    }

    /// Connects to the cluster of the settings.
    ///
    /// # Errors
    /// When the address, a certificate or the credentials are wrong, or nothing answers.
    pub async fn connect(&self) -> Result<Client> {
        connect(&self.settings, &self.environment, &self.folder).await
    }

    /// The alias that readers of an index asset use.
    pub fn alias(&self, asset: &str) -> String {
        format!("{}{asset}", self.prefix)
    }

    /// The index, alias or pattern where the documents of an asset are read.
    ///
    /// # Errors
    /// When there is no such asset, or it has no documents.
    pub fn index_of(&self, name: &str) -> Result<String> {
        let asset = self.pipeline.asset(name).ok_or_else(|| Error::config(format!("there is no asset `{name}`")))?;
        let index = self.kinds.of(asset)?.index(self, name, asset);
        index.ok_or_else(|| Error::config(format!("the asset `{name}` has no documents to read")))
    }

    /// The number of superseded generations of an index that are kept.
    pub fn kept_generations(&self) -> usize {
        usize::try_from(self.settings.run.keep).unwrap_or(usize::MAX)
    }

    /// The folder of the checkpoints of loads.
    pub fn checkpoints(&self) -> PathBuf {
        self.path(CHECKPOINTS)
    }

    /// The folder of files that a step makes on its way, and removes.
    pub fn scratch(&self) -> PathBuf {
        self.path(SCRATCH)
    }

    /// The path of the dead letter of a run, without an extension.
    pub fn dead_letter(&self, name: &str, run: &str) -> PathBuf {
        self.path(&format!("{REJECTED}/{name}-{run}"))
    }

    /// A path of the pipeline file, from where the command was started.
    pub fn path(&self, text: &str) -> PathBuf {
        beside_pipeline(&self.folder, text)
    }
}

/// The surroundings of a command that needs no pipeline: a folder with its environment, and the
/// settings in force.
#[derive(Debug)]
pub struct Workplace {
    /// The folder that the program keeps its files in.
    pub folder: PathBuf,
    /// The variables.
    pub environment: Environment,
    /// The settings in force: those of the pipeline file if there is one, else those of the
    /// environment.
    pub settings: Settings,
}

impl Workplace {
    /// Reads the pipeline file of a folder, or where there is none, the environment.
    ///
    /// # Errors
    /// As [`Project::load`].
    pub fn load(folder: &Path, file: &Path, environment_name: Option<&str>) -> Result<Self> {
        if has_pipeline(folder, file, environment_name) {
            let Project { folder, environment, settings, .. } = Project::load(folder, file, environment_name)?;
            return Ok(Self { folder, environment, settings });
        }
        let environment = Environment::load(folder)?;
        let settings = settings::of_environment(&environment)?;
        Ok(Self { folder: folder.to_owned(), environment, settings })
    }

    /// The folder of the checkpoints of loads.
    pub fn checkpoints(&self) -> PathBuf {
        beside_pipeline(&self.folder, CHECKPOINTS)
    }

    /// The folder of dead letters.
    pub fn dead_letters(&self) -> PathBuf {
        beside_pipeline(&self.folder, REJECTED)
    }

    /// The path of the dead letter of a run, without an extension.
    pub fn dead_letter(&self, name: &str, run: &str) -> PathBuf {
        beside_pipeline(&self.folder, &format!("{REJECTED}/{name}-{run}"))
    }

    /// Connects to the cluster of the settings.
    ///
    /// # Errors
    /// As [`Project::connect`].
    pub async fn connect(&self) -> Result<Client> {
        connect(&self.settings, &self.environment, &self.folder).await
    }
}

/// A path that is relative to the folder of the pipeline, from where the command was started.
pub fn beside_pipeline(folder: &Path, path: &str) -> PathBuf {
    // `./` says nothing that a message should repeat.
    if folder == Path::new(".") { PathBuf::from(path) } else { folder.join(path) }
}

/// Returns whether there is a pipeline file, or one was asked for, for a command that works without.
pub fn has_pipeline(folder: &Path, file: &Path, environment_name: Option<&str>) -> bool {
    let is_named = file != Path::new(PIPELINE_FILE) || environment_name.is_some();
    is_named || folder.join(file).is_file()
}

async fn connect(settings: &Settings, environment: &Environment, folder: &Path) -> Result<Client> {
    let config = settings::cluster_config(&settings.cluster, environment, folder)?;
    let is_direct = config.proxy.is_none();
    Client::connect(config).await.map_err(|error| {
        let help = match error.kind() {
            ErrorKind::Connect if is_direct => {
                Some("check that Elasticsearch runs there, and `cluster.hosts` or ELASTICSEARCH_URL")
            }
            ErrorKind::Interrupted | ErrorKind::TimedOut if error.help().is_none() => {
                Some("check that the address is that of Elasticsearch's HTTP port, which is 9200 by default")
            }
            _ => None,
        };
        Error::from(error).with_help(help)
    })
}

#[cfg(test)]
impl Project {
    /// A pipeline file with this text, under a prefix.
    pub(crate) fn of_text(text: &str, prefix: &str) -> Self {
        let kinds = Kinds::builtin();
        let pipeline = kinds.format().parse("p.yaml", text, None).unwrap_or_else(|error| panic!("{error}"));
        let environment = Environment::of([]);
        let settings = settings::load(&pipeline, &environment).unwrap();
        Self { pipeline, folder: PathBuf::from("."), environment, settings, prefix: prefix.to_owned(), kinds }
    }
}
