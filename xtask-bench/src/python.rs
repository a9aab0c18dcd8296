//! The Python side: the peers' programs, and virtual environments for them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use xtask::{process, venv};

const SCRIPTS: [(&str, &str); 12] = [
    ("bulk.py", include_str!("peer/bulk.py")),
    ("cluster.py", include_str!("peer/cluster.py")),
    ("convert.py", include_str!("peer/convert.py")),
    ("eland_export.py", include_str!("peer/eland_export.py")),
    ("export.py", include_str!("peer/export.py")),
    ("generate.py", include_str!("peer/generate.py")),
    ("load.py", include_str!("peer/load.py")),
    ("measure.py", include_str!("peer/measure.py")),
    ("read.py", include_str!("peer/read.py")),
    ("embed.py", include_str!("peer/embed.py")),
    ("score.py", include_str!("peer/score.py")),
    ("verify.py", include_str!("peer/verify.py")),
];

/// The packages of a virtual environment.
pub(crate) struct Packages {
    /// The name of its folder.
    venv: &'static str,
    requirements: &'static str,
    /// Prints the versions that a reader of the figures wants to know.
    versions: &'static str,
}

impl Packages {
    const CLIENT: Self = Self {
        venv: "venv",
        requirements: include_str!("peer/requirements.txt"),
        versions: "import platform, elasticsearch, polars; \
                   print('Python', platform.python_version() + ', elasticsearch-py', \
                   elasticsearch.__versionstr__ + ', Polars', polars.__version__)",
    };

    /// For scoring rows in Python.
    pub(crate) const INFERENCE: Self = Self {
        venv: "venv-inference",
        requirements: include_str!("peer/requirements-inference.txt"),
        versions: "import elasticsearch, onnxruntime, pandas; \
                   print('elasticsearch-py', elasticsearch.__versionstr__ + ', ONNX Runtime', \
                   onnxruntime.__version__ + ', pandas', pandas.__version__)",
    };

    /// For embedding texts in Python.
    pub(crate) const EMBEDDINGS: Self = Self {
        venv: "venv-embeddings",
        requirements: include_str!("peer/requirements-embeddings.txt"),
        versions: "import elasticsearch, onnxruntime, tokenizers; \
                   print('elasticsearch-py', elasticsearch.__versionstr__ + ', ONNX Runtime', \
                   onnxruntime.__version__ + ', tokenizers', tokenizers.__version__)",
    };

    /// For eland, which wants other packages.
    pub(crate) const ELAND: Self = Self {
        venv: "venv-eland",
        requirements: include_str!("peer/requirements-eland.txt"),
        versions: "import eland, pandas; print('eland', eland.__version__ + ', pandas', pandas.__version__)",
    };
}

pub(crate) struct Python {
    base: PathBuf,
    packages: &'static Packages,
    venv: PathBuf,
    scripts: PathBuf,
}

impl Python {
    /// Writes the programs, and makes the virtual environment unless it is there.
    pub(crate) fn prepare(folder: &Path) -> Result<Self> {
        Self::prepare_with(folder, &Packages::CLIENT)
    }

    /// The same with other packages.
    pub(crate) fn prepare_with(folder: &Path, packages: &'static Packages) -> Result<Self> {
        let python =
            Self { base: venv::base()?, packages, venv: folder.join(packages.venv), scripts: folder.join("peer") };
        std::fs::create_dir_all(&python.scripts)?;
        for (name, text) in SCRIPTS {
            let path = python.script(name);
            std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        venv::ensure(&python.venv, &format!("the virtual environment {}", packages.venv), packages.requirements)?;
        Ok(python)
    }

    /// The interpreter that the virtual environment was made with.
    pub(crate) fn base(&self) -> &Path {
        &self.base
    }

    /// The interpreter that finds the peer's packages.
    pub(crate) fn interpreter(&self) -> PathBuf {
        venv::interpreter(&self.venv)
    }

    pub(crate) fn script(&self, name: &str) -> PathBuf {
        self.scripts.join(name)
    }

    /// Runs one of the programs to its end, and returns what it printed.
    pub(crate) fn run(
        &self,
        script: &str,
        arguments: &[&OsStr],
        variables: &[(&str, &str)],
        limit: Duration,
    ) -> Result<String> {
        let mut command = Command::new(self.interpreter());
        command.arg(self.script(script)).args(arguments).envs(variables.iter().copied());
        match process::run_within(&mut command, limit, || ())? {
            Some(finished) if finished.status.success() => Ok(finished.stdout.trim().to_owned()),
            Some(finished) => bail!("{script} failed: {}", finished.tail()),
            None => bail!("{script} does not end within {} s", limit.as_secs()),
        }
    }

    pub(crate) fn remove(&self) -> Result<()> {
        std::fs::remove_dir_all(&self.venv).with_context(|| format!("cannot remove {}", self.venv.display()))
    }

    /// The versions of the peer's packages, for the table.
    pub(crate) fn versions(&self) -> Result<String> {
        let mut print = Command::new(self.interpreter());
        process::output_of(print.args(["-c", self.packages.versions]), Duration::from_secs(60))
            .map(|text| text.trim().to_owned())
            .context("the virtual environment lacks the peer's packages")
    }
}
