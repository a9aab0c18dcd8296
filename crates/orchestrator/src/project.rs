//! A pipeline with its folder, environment and settings: what every command starts from.

use std::path::{Path, PathBuf};

use es_assets::{Pipeline, Settings};
use es_core::{Client, ErrorKind};

use crate::environment::Environment;
use crate::failure::Failure;
use crate::settings;

/// The name of the pipeline file, unless another is given.
pub const PIPELINE_FILE: &str = "pipeline.yaml";

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
    /// What the names of all indices and aliases start with.
    pub prefix: String,
}

impl Project {
    /// Reads the pipeline file of a folder, offline.
    ///
    /// # Errors
    /// Everything that is wrong with the file, the environment or the settings.
    pub fn load(folder: &Path, file: &Path, environment_name: Option<&str>) -> Result<Self, Failure> {
        // `.` says nothing that a message should repeat.
        let path = if folder == Path::new(".") { file.to_owned() } else { folder.join(file) };
        let text = std::fs::read_to_string(&path).map_err(|error| {
            Failure::usage(format!("the pipeline file {} cannot be read: {error}", path.display()))
                .with_help(Some("name it with -f, or its folder with -C; `orchestrator init` writes a first one"))
        })?;
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
        let pipeline = es_assets::parse(&path.display().to_string(), &text, environment_name)?;
        let environment = Environment::load(&folder)?;
        let settings = settings::load(&pipeline, &environment)?;
        let prefix = settings::index_prefix(&pipeline, &settings);
        Ok(Self { pipeline, folder, environment, settings, prefix })
    }

    /// Connects to the cluster of the settings.
    ///
    /// # Errors
    /// Where the address, a certificate or the credentials are wrong, or nothing answers.
    pub async fn connect(&self) -> Result<Client, Failure> {
        connect(&self.settings, &self.environment, &self.folder).await
    }

    /// The alias that readers of an index asset use.
    pub fn alias(&self, asset: &str) -> String {
        format!("{}{asset}", self.prefix)
    }

    /// How many superseded generations of an index are kept.
    pub fn kept_generations(&self) -> usize {
        usize::try_from(self.settings.run.keep).unwrap_or(usize::MAX)
    }

    /// A path of the pipeline file, from where the command was started.
    pub fn path(&self, text: &str) -> PathBuf {
        beside_pipeline(&self.folder, text)
    }
}

/// Where a command works that needs no pipeline: a folder with its environment, and the
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
    pub fn load(folder: &Path, file: &Path, environment_name: Option<&str>) -> Result<Self, Failure> {
        if has_pipeline(folder, file, environment_name) {
            let Project { folder, environment, settings, .. } = Project::load(folder, file, environment_name)?;
            return Ok(Self { folder, environment, settings });
        }
        let environment = Environment::load(folder)?;
        let settings = settings::of_environment(&environment)?;
        Ok(Self { folder: folder.to_owned(), environment, settings })
    }

    /// Connects to the cluster of the settings.
    ///
    /// # Errors
    /// As [`Project::connect`].
    pub async fn connect(&self) -> Result<Client, Failure> {
        connect(&self.settings, &self.environment, &self.folder).await
    }
}

/// A path that is relative to the folder of the pipeline, from where the command was started.
pub fn beside_pipeline(folder: &Path, path: &str) -> PathBuf {
    // `./` says nothing that a message should repeat.
    if folder == Path::new(".") { PathBuf::from(path) } else { folder.join(path) }
}

/// Whether there is a pipeline file, or one was asked for, for a command that works without.
pub fn has_pipeline(folder: &Path, file: &Path, environment_name: Option<&str>) -> bool {
    let is_named = file != Path::new(PIPELINE_FILE) || environment_name.is_some();
    is_named || folder.join(file).is_file()
}

async fn connect(settings: &Settings, environment: &Environment, folder: &Path) -> Result<Client, Failure> {
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
        Failure::from(error).with_help(help)
    })
}
