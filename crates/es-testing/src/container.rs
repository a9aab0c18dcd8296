//! An Elasticsearch in a container of the test run's own, through testcontainers.
//!
//! The container lives on a thread with a runtime of its own, because each test
//! has another runtime that ends with it. It is removed when the last holder
//! lets go of it.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use reqwest::Method;
use testcontainers::bollard::query_parameters::InspectNetworkOptions;
use testcontainers::core::client::docker_client_instance;
use testcontainers::core::{IntoContainerPort, WaitFor};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, ImageExt};
use tokio::sync::oneshot;

use crate::Node;
use crate::certificates::Certificates;

/// The image that is run where `ES_IMAGE` names no other.
pub const OFFICIAL_IMAGE: &str = "docker.elastic.co/elasticsearch/elasticsearch:9.4.3";

/// The image that `cargo xtask es image` builds where the official one is not available.
pub const BUILT_IMAGE: &str = "orchestrator/elasticsearch-dev:9.4.3";

/// The time limit from the start of a container to its first successful answer.
const READY_LIMIT: Duration = Duration::from_secs(300);

/// The time limit for pulling the image.
const START_LIMIT: Duration = Duration::from_secs(900);

/// The folder of the node's configuration in the image.
const CONFIG: &str = "/usr/share/elasticsearch/config";

/// The security of the node in the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// Plain HTTP, no users.
    Off,
    /// TLS, and a password for the user `elastic`.
    On,
}

/// A running container; dropping it removes it.
pub struct Container {
    node: Node,
    stop: Option<oneshot::Sender<()>>,
    keeper: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Container {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Container").field("node", &self.node).finish_non_exhaustive()
    }
}

impl Container {
    /// The address and credentials of the node in the container.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
    }
}

/// Starts a container and waits until its node serves.
///
/// # Errors
/// When no daemon answers, or no image is available.
pub async fn start(security: Security) -> Result<Container, String> {
    let (ready, started) = oneshot::channel();
    let (stop, stopped) = oneshot::channel();
    let keeper = std::thread::spawn(move || keep(security, ready, stopped));
    match started.await {
        Ok(Ok(node)) => Ok(Container { node, stop: Some(stop), keeper: Some(keeper) }),
        Ok(Err(reason)) => Err(reason),
        Err(_) => Err("the thread that starts the container has ended".to_owned()),
    }
}

/// The container that all tests of this process use at the same time.
pub(crate) async fn shared(security: Security) -> Result<Arc<Container>, String> {
    static PLAIN: Shared = Shared::new();
    static SECURE: Shared = Shared::new();
    let shared = match security {
        Security::Off => &PLAIN,
        Security::On => &SECURE,
    };
    shared.get(security).await
}

/// A container while somebody holds it, or why there is none.
struct Shared {
    turn: tokio::sync::Mutex<()>,
    known: Mutex<Known>,
}

enum Known {
    Running(Weak<Container>),
    Impossible(String),
}

impl Shared {
    const fn new() -> Self {
        Self { turn: tokio::sync::Mutex::const_new(()), known: Mutex::new(Known::Running(Weak::new())) }
    }

    async fn get(&self, security: Security) -> Result<Arc<Container>, String> {
        let _turn = self.turn.lock().await;
        if let Some(known) = self.known() {
            return known;
        }
        let outcome = start(security).await.map(Arc::new);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        *known = match &outcome {
            Ok(container) => Known::Running(Arc::downgrade(container)),
            Err(reason) => Known::Impossible(reason.clone()),
        };
        outcome
    }

    fn known(&self) -> Option<Result<Arc<Container>, String>> {
        match &*self.known.lock().unwrap_or_else(PoisonError::into_inner) {
            Known::Running(container) => container.upgrade().map(Ok),
            Known::Impossible(reason) => Some(Err(reason.clone())),
        }
    }
}

/// The life of a container: started, handed out, and removed on the word.
fn keep(security: Security, ready: oneshot::Sender<Result<Node, String>>, stopped: oneshot::Receiver<()>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = ready.send(Err(format!("cannot make a runtime: {error}")));
            return;
        }
    };
    runtime.block_on(async {
        match run(security).await {
            Ok((container, node, _certificates)) => {
                if ready.send(Ok(node)).is_ok() {
                    let _ = stopped.await;
                }
                let _ = container.rm().await;
            }
            Err(reason) => {
                let _ = ready.send(Err(reason));
            }
        }
    });
}

type Running = (ContainerAsync<GenericImage>, Node, Option<Certificates>);

async fn run(security: Security) -> Result<Running, String> {
    let password = crate::unique_prefix("password");
    let certificates = match security {
        Security::Off => None,
        Security::On => Some(Certificates::generate(published_at().await)?),
    };
    let container = first_to_start(certificates.as_ref(), &password).await?;
    let host = container.get_host().await.map_err(|error| error.to_string())?;
    let port = container.get_host_port_ipv4(9200).await.map_err(|error| error.to_string())?;
    let node = match &certificates {
        None => Node::open(format!("http://{host}:{port}")),
        Some(certificates) => Node {
            username: Some("elastic".into()),
            password: Some(password),
            ca_cert_path: Some(certificates.ca_cert.clone()),
            ..Node::open(format!("https://{host}:{port}"))
        },
    };
    wait_until_ready(&container, &node).await?;
    Ok((container, node, certificates))
}

/// A container of the first image that is to be had.
async fn first_to_start(
    certificates: Option<&Certificates>,
    password: &str,
) -> Result<ContainerAsync<GenericImage>, String> {
    let images = match std::env::var("ES_IMAGE") {
        Ok(image) if !image.is_empty() => vec![image],
        _ => vec![OFFICIAL_IMAGE.to_owned(), BUILT_IMAGE.to_owned()],
    };
    let mut reasons = Vec::new();
    for image in images {
        let (name, tag) = split_image(&image);
        let mut request = GenericImage::new(name, tag)
            .with_exposed_port(9200.tcp())
            .with_wait_for(WaitFor::Nothing)
            .with_startup_timeout(START_LIMIT)
            .with_env_var("discovery.type", "single-node")
            .with_env_var("ES_JAVA_OPTS", "-Xms512m -Xmx512m")
            .with_env_var("cluster.routing.allocation.disk.threshold_enabled", "false")
            .with_env_var("xpack.security.enabled", certificates.is_some().to_string());
        if let Some(certificates) = certificates {
            request = request
                .with_env_var("ELASTIC_PASSWORD", password)
                .with_env_var("xpack.security.http.ssl.enabled", "true")
                .with_env_var("xpack.security.http.ssl.certificate", "http.crt")
                .with_env_var("xpack.security.http.ssl.key", "http.key")
                .with_copy_to(format!("{CONFIG}/http.crt"), certificates.certificate.clone().into_bytes())
                .with_copy_to(format!("{CONFIG}/http.key"), certificates.key.clone().into_bytes());
        }
        match request.start().await {
            Ok(container) => return Ok(container),
            Err(error) => reasons.push(format!("{image}: {error}")),
        }
    }
    Err(format!("no container: {}", reasons.join("; ")))
}

async fn wait_until_ready(container: &ContainerAsync<GenericImage>, node: &Node) -> Result<(), String> {
    let started = Instant::now();
    loop {
        let answer = node.send(Method::GET, "/_cluster/health?wait_for_status=yellow&timeout=5s", None).await;
        if matches!(answer, Ok((200, _))) {
            return Ok(());
        }
        if !container.is_running().await.unwrap_or(false) {
            let log = container.stdout_to_vec().await.unwrap_or_default();
            let log = String::from_utf8_lossy(&log).into_owned();
            return Err(format!("the container has ended; it said: {log}"));
        }
        if started.elapsed() > READY_LIMIT {
            return Err(format!("the container did not serve within {} s: {answer:?}", READY_LIMIT.as_secs()));
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// The hosts that published ports may be reached at, beside this machine's own names.
///
/// A test that itself runs in a container reaches its neighbours through the
/// gateway of Docker's network.
async fn published_at() -> Vec<String> {
    let by_address = std::env::var("DOCKER_HOST")
        .ok()
        .and_then(|url| url.strip_prefix("tcp://").map(str::to_owned))
        .and_then(|address| address.rsplit_once(':').map(|(host, _)| host.to_owned()));
    by_address.into_iter().chain(gateways().await).collect()
}

/// The gateways of Docker's default network; none where no daemon answers.
async fn gateways() -> Vec<String> {
    let Ok(docker) = docker_client_instance().await else {
        return Vec::new();
    };
    let Ok(network) = docker.inspect_network("bridge", None::<InspectNetworkOptions>).await else {
        return Vec::new();
    };
    network
        .ipam
        .and_then(|addresses| addresses.config)
        .into_iter()
        .flatten()
        .filter_map(|range| range.gateway)
        .filter(|gateway| !gateway.is_empty())
        .collect()
}

/// Name and tag; the colon of a registry's port is not a tag.
fn split_image(image: &str) -> (String, String) {
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name.to_owned(), tag.to_owned()),
        _ => (image.to_owned(), "latest".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::split_image;

    #[test]
    fn an_image_has_a_name_and_a_tag() {
        for (image, name, tag) in [
            ("a/b:1", "a/b", "1"),
            ("registry:5000/a", "registry:5000/a", "latest"),
            ("registry:5000/a:2", "registry:5000/a", "2"),
        ] {
            assert_eq!(split_image(image), (name.to_owned(), tag.to_owned()));
        }
    }
}
