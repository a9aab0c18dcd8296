//! Models in the format ONNX, scored in this process by ONNX Runtime, the reference implementation.
//!
//! [`OnnxFile`] reads what a file says of itself, without the library. [`OnnxRuntime`] is the library,
//! which is loaded at run time, and [`OnnxModel`] a model that it runs. Nothing else of this crate
//! knows the crate `ort`.
//!
//! The choice of threads is the caller's: [`OnnxModel::score`] blocks.

mod file;
mod library;
mod model;
mod proto;

pub use file::{OnnxFile, OnnxInput, OnnxOutput};
pub use library::{
    LIBRARY_VARIABLE, LibraryOrigin, LibraryPlace, OLDEST_VERSION, OnnxRuntime, library_file_name, library_places,
};
pub use model::{OnnxModel, OnnxOptions};
