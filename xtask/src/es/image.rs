//! Builds a Docker image of a node, where the official one is not available.
//!
//! The image is a minimal Debian with the JDK of this machine and the assembled
//! node. It takes the settings that the official image takes: variables with a
//! dot in their name, `ES_JAVA_OPTS` and `ELASTIC_PASSWORD`.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::account::Account;
use super::jdk::Jdk;
use super::state::{Layout, create_folder};
use super::{assemble, docker, jdk};
use crate::process;
use crate::terminal::Progress;

/// The folder of the node in the official image, which mounts rely on.
const NODE_FOLDER: &str = "usr/share/elasticsearch";

/// The folder of Java in the image.
const JAVA_FOLDER: &str = "opt/java";

/// The user in the image, of the same number as in the official one.
const USER: &str = "1000:0";

/// The start script of the image.
const ENTRYPOINT: &str = include_str!("../../../deploy/dev-image/entrypoint.sh");

/// The Debian release that the image is made of.
const DEBIAN: &str = "bookworm";

/// The time limit for one step of the build.
const STEP_LIMIT: Duration = Duration::from_secs(20 * 60);

/// The name of the image that is built here.
pub(crate) fn tag(es_version: &str) -> String {
    format!("orchestrator/elasticsearch-dev:{es_version}")
}

/// Makes sure that there is an image to run, and prints its name.
pub(crate) fn ensure(es_version: &str, force: bool) -> Result<()> {
    if !docker::daemon_answers() {
        bail!("no Docker daemon answers: start one, or use a local node with `cargo xtask es up`");
    }
    if !force && let Ok(image) = docker::usable_image(es_version) {
        eprintln!("an image is there already");
        println!("{image}");
        return Ok(());
    }
    build(es_version)?;
    println!("{}", tag(es_version));
    Ok(())
}

fn build(es_version: &str) -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!("building the image needs root, to lay out a Debian system: run it with sudo");
    }
    let Some(debootstrap) = process::find_on_path("debootstrap")
        .or_else(|| Some(PathBuf::from("/usr/sbin/debootstrap")).filter(|path| path.is_file()))
    else {
        bail!("debootstrap is needed to build the image: `apt-get install debootstrap`");
    };
    let jdk = jdk::find()?;
    let layout = Layout::development().reachable_by(Account::for_node()?);
    let node = assemble::ensure(&layout, es_version, &jdk)?;
    // Not in the temporary folder: that may be mounted without devices or programs.
    let root = layout.distributions().join(".image");
    remove_tree(&root)?;
    let built = debian(&debootstrap, &root)
        .and_then(|()| furnish(&root, &jdk, &node))
        .and_then(|()| import(&root, &tag(es_version)));
    let removed = remove_tree(&root);
    built.and(removed)
}

fn debian(debootstrap: &Path, root: &Path) -> Result<()> {
    let mut command = Command::new(debootstrap);
    command.args(["--variant=minbase", "--include=curl", DEBIAN]).arg(root);
    step("laying out a minimal Debian", &mut command)
}

/// Puts Java, the node and the start script into the system.
fn furnish(root: &Path, jdk: &Jdk, node: &Path) -> Result<()> {
    let progress = Progress::new("adding Java and Elasticsearch");
    // What was downloaded to lay out the system is not needed to run it.
    for downloaded in ["var/cache/apt/archives", "var/lib/apt/lists"] {
        remove_tree(&root.join(downloaded))?;
    }
    copy_tree(&jdk.home.canonicalize()?, &root.join(JAVA_FOLDER))?;
    remove_tree(&root.join(JAVA_FOLDER).join("src.zip"))?;
    let node_folder = root.join(NODE_FOLDER);
    copy_tree(node, &node_folder)?;
    let entrypoint = root.join("usr/local/bin/elasticsearch-entrypoint");
    std::fs::write(&entrypoint, ENTRYPOINT)?;
    std::fs::set_permissions(&entrypoint, Permissions::from_mode(0o755))?;
    for written in ["config", "data", "logs", "tmp"] {
        create_folder(&node_folder.join(written), 0o775)?;
        give_to_image_user(&node_folder.join(written))?;
    }
    append(&node_folder.join("config/elasticsearch.yml"), "\ncluster.name: orchestrator-dev\nnetwork.host: 0.0.0.0\n")?;
    append(&root.join("etc/passwd"), &format!("elasticsearch:x:1000:0::/{NODE_FOLDER}:/bin/bash\n"))?;
    progress.finish("done");
    Ok(())
}

fn import(root: &Path, tag: &str) -> Result<()> {
    let mut progress = Progress::new(format!("importing {tag}"));
    let mut tar = Command::new("tar")
        .args(["--numeric-owner", "-C"])
        .arg(root)
        .args(["-c", "."])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start tar")?;
    let Some(stream) = tar.stdout.take() else {
        bail!("tar gave no output");
    };
    let changes = [
        format!("USER {USER}"),
        format!("WORKDIR /{NODE_FOLDER}"),
        format!("ENV ES_JAVA_HOME=/{JAVA_FOLDER}"),
        "EXPOSE 9200".to_owned(),
        "ENTRYPOINT [\"/usr/local/bin/elasticsearch-entrypoint\"]".to_owned(),
    ];
    let mut docker = Command::new("docker");
    docker.arg("import");
    for change in &changes {
        docker.args(["--change", change]);
    }
    let mut docker =
        docker.args(["-", tag]).stdin(stream).stdout(Stdio::null()).spawn().context("cannot start docker")?;
    let imported = loop {
        if let Some(status) = docker.try_wait()? {
            break status;
        }
        progress.update("docker import");
        std::thread::sleep(Duration::from_millis(200));
    };
    let packed = tar.wait()?;
    if !(imported.success() && packed.success()) {
        progress.abandon();
        bail!("cannot import the image: docker ended with {imported}, tar with {packed}");
    }
    progress.finish("done");
    Ok(())
}

fn step(label: &str, command: &mut Command) -> Result<()> {
    let mut progress = Progress::new(label);
    let finished = process::run_within(command, STEP_LIMIT, || progress.update("at work"))?;
    match finished {
        Some(finished) if finished.status.success() => {
            progress.finish("done");
            Ok(())
        }
        Some(finished) => {
            progress.abandon();
            bail!("{label} failed; it said:\n{}", finished.tail())
        }
        None => {
            progress.abandon();
            bail!("{label} took more than {} minutes", STEP_LIMIT.as_secs() / 60)
        }
    }
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    if let Some(parent) = to.parent() {
        create_folder(parent, 0o755)?;
    }
    let mut command = Command::new("cp");
    // Links are followed: some JDKs link their certificates to the system's.
    command.args(["-RL", "--preserve=mode,timestamps"]).arg(from).arg(to);
    match process::run_within(&mut command, STEP_LIMIT, || ())? {
        Some(finished) if finished.status.success() => Ok(()),
        Some(finished) => bail!("cannot copy {}: {}", from.display(), finished.tail()),
        None => bail!("copying {} took too long", from.display()),
    }
}

fn give_to_image_user(folder: &Path) -> Result<()> {
    Account::Other { uid: 1000, gid: 0 }.own(folder)
}

fn append(path: &Path, text: &str) -> Result<()> {
    use std::io::Write;
    std::fs::OpenOptions::new()
        .append(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Removes a file or a folder with all in it, if it is there.
fn remove_tree(path: &Path) -> Result<()> {
    let removed = match std::fs::symlink_metadata(path) {
        Err(_) => return Ok(()),
        Ok(metadata) if metadata.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
    };
    removed.with_context(|| format!("cannot remove {}", path.display()))
}
