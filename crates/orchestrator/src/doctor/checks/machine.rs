//! Checks of this machine: what a run needs here, beside the cluster.

use std::path::Path;

use es_serving::onnx::{OLDEST_VERSION, OnnxRuntime};

use crate::doctor::finding::{Finding, Group, Status};
use crate::models::INSTALL_ONNX_RUNTIME;

/// The library that scores models, for a pipeline that scores rows. Loads it, as a run does.
pub fn onnx_runtime(assets: &[String], library: Option<&Path>) -> Option<Finding> {
    let first = assets.first()?;
    let finding = |status, measured: String| {
        Finding::new(Group::Machine, "ONNX Runtime", status, measured).against(format!("{OLDEST_VERSION} or newer"))
    };
    Some(match OnnxRuntime::load(library) {
        Ok(runtime) => {
            finding(Status::Pass, format!("{} ({})", runtime.place().path.display(), runtime.place().origin))
        }
        Err(error) => finding(Status::Fail, error.to_string())
            .help(format!("the asset {first} scores rows: {INSTALL_ONNX_RUNTIME}")),
    })
}
