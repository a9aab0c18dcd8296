//! A node in a container, through Docker's own command line.
//!
//! With Compose where it is installed, from the files in `deploy/`; else with
//! the same settings given to `docker run`.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::provider::NoContainer;
use super::secure::Setup;
use super::state::Runtime;
use crate::terminal::Progress;
use crate::{process, workspace};

/// The time limit for an answer of the daemon.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);

/// The time limit for pulling the image.
const PULL_LIMIT: Duration = Duration::from_secs(15 * 60);

/// The time limit for removing a container.
const STOP_LIMIT: Duration = Duration::from_secs(120);

/// The data folder of the container.
const DATA_FOLDER: &str = "/usr/share/elasticsearch/data";

/// The options for starting one container.
pub(crate) struct Launch<'a> {
    /// The container's name.
    pub(crate) name: String,
    pub(crate) image: &'a str,
    pub(crate) port: u16,
    pub(crate) heap: &'a str,
    pub(crate) setup: Option<&'a Setup>,
}

/// Returns true if a Docker daemon answers.
pub(crate) fn daemon_answers() -> bool {
    process::find_on_path("docker").is_some()
        && process::output_of(Command::new("docker").args(["version", "--format", "{{.Server.Version}}"]), ANSWER_LIMIT)
            .is_some_and(|version| !version.trim().is_empty())
}

/// The image to run: the official one or the one that `ES_IMAGE` names, else
/// the one that `cargo xtask es image` has built.
pub(crate) fn usable_image(es_version: &str) -> Result<String, NoContainer> {
    if !daemon_answers() {
        return Err(NoContainer::NoDaemon);
    }
    let wanted = wanted_image(es_version);
    let built = super::image::tag(es_version);
    if is_present(&wanted) {
        return Ok(wanted);
    }
    if std::env::var_os("ES_IMAGE").is_none() && is_present(&built) {
        return Ok(built);
    }
    if pull(&wanted) { Ok(wanted) } else { Err(NoContainer::NoImage(wanted)) }
}

/// The image that is wanted, be it here or not.
pub(crate) fn wanted_image(es_version: &str) -> String {
    std::env::var("ES_IMAGE")
        .ok()
        .filter(|image| !image.is_empty())
        .unwrap_or_else(|| format!("docker.elastic.co/elasticsearch/elasticsearch:{es_version}"))
}

/// Returns true if the daemon has the image.
pub(crate) fn is_present(image: &str) -> bool {
    process::output_of(Command::new("docker").args(["image", "inspect", image]), ANSWER_LIMIT).is_some()
}

fn pull(image: &str) -> bool {
    let mut progress = Progress::new(format!("getting the image {image}"));
    let finished = process::run_within(Command::new("docker").args(["pull", "--quiet", image]), PULL_LIMIT, || {
        progress.update("docker pull")
    });
    let pulled = matches!(&finished, Ok(Some(finished)) if finished.status.success());
    progress.finish(if pulled { "done" } else { "not to be had" });
    pulled
}

/// Starts the container; the node in it is still booting on return.
pub(crate) fn start(launch: &Launch<'_>) -> Result<Runtime> {
    let name = &launch.name;
    let volume = volume_of(name);
    // One that exited by itself, or was left by an interrupted start.
    remove_container(name);
    let mut command = match compose_command() {
        Some(mut compose) => {
            compose.args(compose_arguments(launch));
            compose
        }
        None => {
            let mut docker = Command::new("docker");
            docker.args(run_arguments(launch, &volume));
            docker
        }
    };
    for (key, value) in environment(launch, &volume) {
        command.env(key, value);
    }
    let finished =
        process::run_within(&mut command, PULL_LIMIT, || ())?.context("Docker did not start the container in time")?;
    if !finished.status.success() {
        bail!("Docker could not start the container; it said:\n{}", finished.tail());
    }
    Ok(Runtime::Container { name: name.clone(), volume, image: launch.image.to_owned() })
}

/// Drops the data of a container that is not running.
pub(crate) fn drop_data(name: &str) {
    remove_container(name);
    let _ = process::output_of(Command::new("docker").args(["volume", "rm", "--force", &volume_of(name)]), STOP_LIMIT);
}

fn volume_of(container: &str) -> String {
    format!("{container}-data")
}

/// Compose as a plug-in of Docker, or as a program of its own.
fn compose_command() -> Option<Command> {
    let plugin = process::output_of(Command::new("docker").args(["compose", "version", "--short"]), ANSWER_LIMIT);
    if plugin.is_some() {
        let mut command = Command::new("docker");
        command.arg("compose");
        return Some(command);
    }
    process::find_on_path("docker-compose").map(Command::new)
}

fn compose_arguments(launch: &Launch<'_>) -> Vec<String> {
    let deploy = workspace::root().join("deploy");
    let mut files: Vec<PathBuf> = vec![deploy.join("compose.yaml")];
    if launch.setup.is_some() {
        files.push(deploy.join("compose.secure.yaml"));
    }
    let mut arguments = vec!["--project-name".to_owned(), launch.name.clone()];
    for file in files {
        arguments.extend(["--file".to_owned(), file.display().to_string()]);
    }
    arguments.extend(["up", "--detach"].map(str::to_owned));
    arguments
}

/// The settings that `deploy/` gives to Compose, as arguments of `docker run`.
fn run_arguments(launch: &Launch<'_>, volume: &str) -> Vec<String> {
    let mut arguments: Vec<String> = vec![
        "run".into(),
        "--detach".into(),
        format!("--name={}", launch.name),
        format!("--publish=127.0.0.1:{}:9200", launch.port),
        format!("--volume={volume}:{DATA_FOLDER}"),
        format!("--env=ES_JAVA_OPTS=-Xms{heap} -Xmx{heap}", heap = launch.heap),
        "--env=discovery.type=single-node".into(),
        "--env=action.destructive_requires_name=true".into(),
        "--env=cluster.routing.allocation.disk.threshold_enabled=false".into(),
        format!("--env=xpack.security.enabled={}", launch.setup.is_some()),
    ];
    if let Some(setup) = launch.setup {
        arguments.extend([
            format!("--volume={}:/usr/share/elasticsearch/config/certs:ro", setup.files.folder.display()),
            // Named without a value: Docker takes it from the environment, and
            // it does not show among the processes.
            "--env=ELASTIC_PASSWORD".into(),
            "--env=xpack.security.http.ssl.enabled=true".into(),
            "--env=xpack.security.http.ssl.certificate=certs/http.crt".into(),
            "--env=xpack.security.http.ssl.key=certs/http.key".into(),
        ]);
    }
    arguments.push(launch.image.to_owned());
    arguments
}

fn environment(launch: &Launch<'_>, volume: &str) -> Vec<(&'static str, String)> {
    let mut variables = vec![
        ("ES_IMAGE", launch.image.to_owned()),
        ("ES_PORT", launch.port.to_string()),
        ("ES_HEAP", launch.heap.to_owned()),
        ("ES_CONTAINER", launch.name.clone()),
        ("ES_VOLUME", volume.to_owned()),
    ];
    if let Some(setup) = launch.setup {
        variables.push(("ELASTIC_PASSWORD", setup.credentials.password.0.clone()));
        variables.push(("ES_CERTS", setup.files.folder.display().to_string()));
    }
    variables
}

/// Returns true if the container runs.
pub(crate) fn is_running(name: &str) -> bool {
    process::output_of(Command::new("docker").args(["inspect", "--format", "{{.State.Running}}", name]), ANSWER_LIMIT)
        .is_some_and(|text| text.trim() == "true")
}

/// Stops the container and removes it; its volume stays.
pub(crate) fn stop(name: &str) -> Result<()> {
    let started = Instant::now();
    let _ = process::output_of(Command::new("docker").args(["stop", "--time", "60", name]), STOP_LIMIT);
    remove_container(name);
    if is_running(name) {
        bail!("the container {name} still runs after {} s: see `docker logs {name}`", started.elapsed().as_secs());
    }
    // A network that Compose made for the project; there is none otherwise.
    let _ =
        process::output_of(Command::new("docker").args(["network", "rm", &format!("{name}_default")]), ANSWER_LIMIT);
    Ok(())
}

fn remove_container(name: &str) {
    let _ = process::output_of(Command::new("docker").args(["rm", "--force", name]), STOP_LIMIT);
}

/// Shows the container's log on standard output.
pub(crate) fn show_logs(name: &str, follow: bool) -> Result<()> {
    let mut command = Command::new("docker");
    command.arg("logs");
    if follow {
        command.arg("--follow");
    }
    let status = command.arg(name).stdin(Stdio::null()).status().context("cannot start docker")?;
    if !status.success() {
        bail!("docker logs {name} ended with {status}");
    }
    Ok(())
}

/// The last lines of the container's log, for an error message.
pub(crate) fn log_tail(name: &str) -> String {
    let finished =
        process::run_within(Command::new("docker").args(["logs", "--tail", "15", name]), ANSWER_LIMIT, || ());
    match finished {
        Ok(Some(finished)) => finished.tail(),
        _ => String::new(),
    }
}
