//! Embedding in this process: a model in the format ONNX with its tokenizer.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::task;

use super::batches::{batches, order};
use super::chunking::TokenLimit;
use super::embedded::{Embedded, Outcome, Vectors};
use super::encoder::{Pooling, Purpose, TextEncoder};
use super::pooling;
use super::tokenizer::{TextTokenizer, Tokens};
use crate::error::{Error, ErrorKind};
use crate::onnx::{OnnxFile, OnnxModel, OnnxOptions, OnnxRuntime};
use crate::open_inference::{Datatype, Tensor, TensorData};
use crate::registry::{ModelFolder, Version};
use crate::signature::TensorSpec;

/// The threads and batches of a model that embeds in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EmbedOptions {
    /// The threads that compute one batch.
    pub threads: NonZeroUsize,
    /// The batches that are computed side by side, each by a session with the memory of the model's weights.
    pub sessions: NonZeroUsize,
    /// The limits of a batch.
    pub batch: EmbedBatch,
}

/// The limits of a batch of texts. Texts of similar length are computed together, and are filled up to the
/// longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EmbedBatch {
    /// The greatest number of texts.
    pub texts: NonZeroUsize,
    /// The greatest number of tokens, with those that fill the texts up. The memory of a batch grows with it.
    pub tokens: NonZeroUsize,
}

impl Default for EmbedOptions {
    fn default() -> Self {
        Self { threads: NonZeroUsize::MIN, sessions: NonZeroUsize::MIN, batch: EmbedBatch::default() }
    }
}

impl Default for EmbedBatch {
    fn default() -> Self {
        const { Self { texts: NonZeroUsize::new(32).unwrap(), tokens: NonZeroUsize::new(4096).unwrap() } }
    }
}

/// A tensor that a model of texts takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Ids,
    Mask,
    Types,
}

/// A model that embeds texts in this process.
#[derive(Debug)]
pub struct OnnxEmbedder {
    model: OnnxModel,
    tokenizer: Arc<TextTokenizer>,
    encoder: TextEncoder<()>,
    inputs: Vec<(String, Role, Datatype)>,
    output: String,
    dims: usize,
    options: EmbedOptions,
    identity: String,
}

impl OnnxEmbedder {
    /// Opens a model and its tokenizer. Blocks.
    ///
    /// # Errors
    /// [`ErrorKind::ModelFile`] when one of the files is none, or the model takes other tensors than token ids,
    /// mask and types; [`ErrorKind::Signature`] when its outputs do not fit the pooling;
    /// [`ErrorKind::Invalid`] when `max_tokens` has no place for a text.
    pub fn open<T>(
        runtime: &OnnxRuntime,
        model: &Path,
        tokenizer: &Path,
        encoder: &TextEncoder<T>,
        options: EmbedOptions,
    ) -> Result<Self, Error>
    where
        T: Clone,
    {
        encoder.check()?;
        let encoder = encoder.clone().with_tokenizer(());
        let identity = model.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let tokenizer = Arc::new(TextTokenizer::open(tokenizer)?);
        let model = OnnxModel::open(runtime, model, OnnxOptions { threads: options.threads })?;
        let inputs = inputs(model.file())?;
        let output = output(model.file(), &encoder)?;
        let known = output.shape.last().and_then(|dims| usize::try_from(*dims).ok()).filter(|dims| *dims > 0);
        let output = output.name.clone();
        let dims = known.unwrap_or(0);
        let mut opened = Self { model, tokenizer, encoder, inputs, output, dims, options, identity };
        for purpose in [Purpose::Passage, Purpose::Query] {
            opened.room(purpose)?;
        }
        if known.is_none() {
            opened.dims = opened.embed(&["a text"], Purpose::Passage)?.vectors().dims;
        }
        Ok(opened)
    }

    /// Opens a registered version from its folder, after both files were compared with their checksums.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when the version has no file or no text encoder; [`ErrorKind::NotFound`] and
    /// [`ErrorKind::Damaged`] as [`ModelFolder::open`]; also as [`OnnxEmbedder::open`].
    pub async fn open_version(
        runtime: &OnnxRuntime,
        folder: &ModelFolder,
        version: &Version,
        options: EmbedOptions,
    ) -> Result<Self, Error> {
        let identity = format!("models:/{}/{}", version.model, version.number);
        let (Some(sha256), Some(encoder)) = (version.sha256, version.text.clone()) else {
            let message = format!("{identity} has no file with a text encoder, and embeds no texts");
            return Err(Error::new(ErrorKind::Invalid, message).with_help("register it with NewVersion::with_text"));
        };
        let model = folder.open(sha256).await?;
        let tokenizer = folder.open_tokenizer(encoder.tokenizer.sha256).await?;
        let runtime = runtime.clone();
        let open = move || Self::open(&runtime, &model, &tokenizer, &encoder, options);
        let opened = task::spawn_blocking(open).await.unwrap_or_else(|error| {
            Err(Error::new(ErrorKind::Io, "opening a model was interrupted").with_source(error))
        })?;
        Ok(opened.identified_as(identity))
    }

    /// The same with a name for documents.
    #[must_use]
    pub fn identified_as(mut self, identity: impl Into<String>) -> Self {
        self.identity = identity.into();
        self
    }

    /// The name for documents: that of the version, such as `models:/minilm/3`, or that of the file.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// The length of its vectors.
    pub fn dims(&self) -> usize {
        self.dims
    }

    /// The way from a text to its vector.
    pub fn encoder(&self) -> &TextEncoder<()> {
        &self.encoder
    }

    /// The tokenizer, with the number of tokens of a passage that the model takes beside special tokens and
    /// the prefix.
    pub fn token_limit(&self) -> TokenLimit {
        // `open` has counted it before.
        TokenLimit { tokenizer: self.tokenizer.clone(), most: self.room(Purpose::Passage).ok() }
    }

    /// Embeds texts. Blocks, with as many threads as [`EmbedOptions`] says.
    ///
    /// A text is rejected when it has more tokens than [`TextEncoder::max_tokens`] and is not to be cut, when
    /// its vector is not finite, and when the model fails on it alone.
    ///
    /// # Errors
    /// [`ErrorKind::Scoring`] when the model fails on every text, or its output has another shape than its file
    /// says.
    pub fn embed(&self, texts: &[&str], purpose: Purpose) -> Result<Embedded, Error> {
        let prefix = self.encoder.prefixes.of(purpose);
        let mut outcomes: Vec<Option<Result<Tokens, String>>> = Vec::new();
        outcomes.resize_with(texts.len(), || None);
        self.side_by_side(texts.len().div_ceil(TOKENIZED), |piece| {
            let from = piece * TOKENIZED;
            let part = &texts[from..texts.len().min(from + TOKENIZED)];
            Ok((from, part.iter().map(|text| self.tokens(prefix, text)).collect::<Vec<_>>()))
        })?
        .into_iter()
        .for_each(|(from, tokens)| outcomes.iter_mut().skip(from).zip(tokens).for_each(|(one, new)| *one = Some(new)));
        let (mut tokens, mut reasons) = (Vec::with_capacity(texts.len()), Vec::with_capacity(texts.len()));
        for outcome in outcomes.into_iter().flatten() {
            let (found, reason) = match outcome {
                Ok(found) => (found, None),
                Err(reason) => (Tokens::default(), Some(reason)),
            };
            tokens.push(found);
            reasons.push(reason);
        }
        let lengths: Vec<usize> = tokens.iter().map(|tokens| tokens.ids.len()).collect();
        let mut order = order(&lengths);
        order.retain(|text| reasons[*text].is_none());
        let batches = batches(order.iter().map(|text| lengths[*text]), self.options.batch);
        let computed = self.side_by_side(batches.len(), |number| {
            let batch = &order[batches[number].clone()];
            self.compute(&tokens, batch).map(|vectors| (batch, vectors))
        })?;
        self.account(reasons, computed)
    }

    /// The vectors of all texts in their order.
    fn account(
        &self,
        mut reasons: Vec<Option<String>>,
        computed: Vec<(&[usize], BatchVectors)>,
    ) -> Result<Embedded, Error> {
        let mut rows: Vec<Option<Vec<f32>>> = vec![None; reasons.len()];
        let mut failed = None;
        for (batch, vectors) in computed {
            for (text, vector) in batch.iter().zip(vectors) {
                match vector {
                    Ok(vector) => rows[*text] = Some(vector),
                    Err(Refusal::Text(reason)) => reasons[*text] = Some(reason),
                    Err(Refusal::Model(error)) => {
                        reasons[*text] = Some(error.to_string());
                        failed.get_or_insert(error);
                    }
                }
            }
        }
        if let Some(error) = failed
            && rows.iter().all(Option::is_none)
        {
            return Err(error);
        }
        let dims = rows.iter().flatten().map(Vec::len).next().unwrap_or(self.dims);
        let mut data = Vec::with_capacity(rows.iter().flatten().count() * dims);
        let mut outcomes = Vec::with_capacity(rows.len());
        let mut place = 0;
        for (row, reason) in rows.into_iter().zip(reasons) {
            outcomes.push(match (row, reason) {
                (Some(row), _) => {
                    data.extend_from_slice(&row);
                    place += 1;
                    Outcome::Vector(place - 1)
                }
                (None, reason) => Outcome::Rejected(reason.unwrap_or_default().into()),
            });
        }
        Ok(Embedded::new(Vectors { dims, data }, outcomes))
    }

    /// The tokens of one text, or the reason that it is rejected.
    fn tokens(&self, prefix: &str, text: &str) -> Result<Tokens, String> {
        let most = usize::try_from(self.encoder.max_tokens.get()).unwrap_or(usize::MAX);
        let tokens = match prefix {
            "" => self.tokenizer.tokens(text),
            prefix => self.tokenizer.tokens(&[prefix, text].concat()),
        };
        let mut tokens = tokens.map_err(|error| error.to_string())?;
        let found = tokens.ids.len();
        if found > most && !self.encoder.truncate {
            return Err(format!("the text has {found} tokens, and the model takes {most}"));
        }
        if found == 0 {
            return Err("the text has no tokens".to_owned());
        }
        tokens.cut_to(most);
        Ok(tokens)
    }

    /// The number of tokens that a text may have.
    fn room(&self, purpose: Purpose) -> Result<usize, Error> {
        let max = self.encoder.max_tokens.get();
        let most = usize::try_from(max).unwrap_or(usize::MAX);
        let beside = self.tokenizer.special_tokens() + self.tokenizer.count(self.encoder.prefixes.of(purpose))?;
        match most.checked_sub(beside).filter(|room| *room > 0) {
            Some(room) => Ok(room),
            None => {
                let message =
                    format!("of {max} tokens {beside} are special ones and the prefix, and none is left for a text");
                Err(Error::new(ErrorKind::Invalid, message).with_help("TextEncoder::max_tokens is the model's limit"))
            }
        }
    }

    /// Computes a batch. One that fails is halved down to the texts that fail.
    fn compute(&self, tokens: &[Tokens], batch: &[usize]) -> Result<BatchVectors, Error> {
        match self.compute_whole(tokens, batch) {
            Err(error) if error.kind() == ErrorKind::Scoring && batch.len() > 1 => {
                let (first, second) = batch.split_at(batch.len() / 2);
                let mut vectors = self.compute(tokens, first)?;
                vectors.extend(self.compute(tokens, second)?);
                Ok(vectors)
            }
            Err(error) if error.kind() == ErrorKind::Scoring => Ok(vec![Err(Refusal::Model(error))]),
            outcome => outcome,
        }
    }

    fn compute_whole(&self, tokens: &[Tokens], batch: &[usize]) -> Result<BatchVectors, Error> {
        let length = batch.iter().map(|text| tokens[*text].ids.len()).max().unwrap_or(0);
        let inputs = self.inputs.iter().map(|(name, role, datatype)| {
            let pad = if *role == Role::Ids { self.tokenizer.pad() } else { 0 };
            let value = |tokens: &Tokens, place: usize| match role {
                Role::Ids => tokens.ids.get(place).copied().unwrap_or(pad),
                Role::Mask => u32::from(place < tokens.ids.len()),
                Role::Types => tokens.types.get(place).copied().unwrap_or(0),
            };
            let values = batch.iter().flat_map(|text| (0..length).map(|place| value(&tokens[*text], place)));
            let data = match datatype {
                // Ids of tokens are less than 2^31.
                Datatype::Int32 => TensorData::Int32(values.map(|value| value.cast_signed()).collect()),
                _ => TensorData::Int64(values.map(i64::from).collect()),
            };
            Tensor::new(name, vec![batch.len(), length], data)
        });
        let inputs = inputs.collect::<Result<Vec<_>, Error>>()?;
        self.model.read_output(inputs, &self.output, |shape, values| {
            let (rows, dims) = match (self.encoder.pooling, shape) {
                (Pooling::None, [rows, dims]) => (*rows, *dims),
                (pooling, [rows, places, dims]) if pooling != Pooling::None && *places == length => (*rows, *dims),
                _ => (0, 0),
            };
            if rows != batch.len() || dims == 0 || (self.dims != 0 && dims != self.dims) {
                let message = format!(
                    "the output {} has the shape {shape:?} for {} texts of {length} tokens",
                    self.output,
                    batch.len()
                );
                // No text is at fault.
                return Err(Error::new(ErrorKind::Signature, message)
                    .with_help("TextEncoder::pooling and TextEncoder::output say how it is read"));
            }
            let per_text = values.len() / rows;
            let vectors = batch.iter().zip(values.chunks_exact(per_text)).map(|(text, values)| {
                let places = if self.encoder.pooling == Pooling::None { 1 } else { tokens[*text].ids.len() };
                let mut vector = Vec::with_capacity(dims);
                pooling::pool(self.encoder.pooling, &values[..places * dims], dims, &mut vector);
                if let Some(reason) = pooling::fault(&vector) {
                    return Err(Refusal::Text(reason));
                }
                if self.encoder.normalize {
                    pooling::normalize(&mut vector).map_err(Refusal::Text)?;
                }
                Ok(vector)
            });
            Ok(vectors.collect())
        })
    }

    /// Does pieces of work on the threads of the options, and returns what they gave in the order of the
    /// pieces. After an error no further piece is begun.
    fn side_by_side<R: Send>(
        &self,
        pieces: usize,
        work: impl Fn(usize) -> Result<R, Error> + Sync,
    ) -> Result<Vec<R>, Error> {
        let threads = self.options.sessions.get().min(pieces);
        if threads <= 1 {
            return (0..pieces).map(work).collect();
        }
        let next = AtomicUsize::new(0);
        let done: Mutex<Vec<(usize, Result<R, Error>)>> = Mutex::new(Vec::with_capacity(pieces));
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    loop {
                        let piece = next.fetch_add(1, Ordering::Relaxed);
                        if piece >= pieces {
                            return;
                        }
                        let outcome = work(piece);
                        if outcome.is_err() {
                            next.store(pieces, Ordering::Relaxed);
                        }
                        done.lock().unwrap_or_else(PoisonError::into_inner).push((piece, outcome));
                    }
                });
            }
        });
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_by_key(|(piece, _)| *piece);
        done.into_iter().map(|(_, outcome)| outcome).collect()
    }
}

/// The texts that one thread tokenizes at a time.
const TOKENIZED: usize = 256;

/// A vector for each text of a batch.
type BatchVectors = Vec<Result<Vec<f32>, Refusal>>;

/// The reason that a text has no vector.
enum Refusal {
    Text(String),
    Model(Error),
}

/// The tensors that the model takes, with their parts.
fn inputs(file: &OnnxFile) -> Result<Vec<(String, Role, Datatype)>, Error> {
    let wrong = |message: String, help: &str| Error::new(ErrorKind::ModelFile, message).with_help(help);
    let inputs = file.inputs.iter().map(|input| {
        let TensorSpec { name, datatype, shape } = &input.tensor;
        let role = match name.as_str() {
            "input_ids" => Role::Ids,
            "attention_mask" => Role::Mask,
            "token_type_ids" => Role::Types,
            _ => {
                return Err(wrong(
                    format!("the model takes {name}, and is given input_ids, attention_mask and token_type_ids"),
                    "export it as a text encoder, such as with `optimum` for the task feature-extraction",
                ));
            }
        };
        if !matches!(datatype, Datatype::Int64 | Datatype::Int32) {
            return Err(wrong(
                format!("the input {name} is {datatype}, expected INT64 or INT32"),
                "export it with token ids",
            ));
        }
        if shape.len() != 2 || shape.iter().any(|length| *length >= 0) {
            return Err(wrong(
                format!("the input {name} has the shape {shape:?}, expected two dimensions of any length"),
                "export it with dynamic axes for the batch and the tokens",
            ));
        }
        Ok((name.clone(), role, *datatype))
    });
    let inputs = inputs.collect::<Result<Vec<_>, Error>>()?;
    match inputs.iter().any(|(_, role, _)| *role == Role::Ids) {
        true => Ok(inputs),
        false => Err(wrong("the model takes no input_ids".to_owned(), "use a model of texts")),
    }
}

/// The output to read.
fn output<'a>(file: &'a OnnxFile, encoder: &TextEncoder<()>) -> Result<&'a TensorSpec, Error> {
    let rank = if encoder.pooling == Pooling::None { 2 } else { 3 };
    let shown = || {
        let outputs = file.outputs.iter().map(|output| {
            let TensorSpec { name, datatype, shape } = &output.tensor;
            format!("{name} {datatype} {shape:?}")
        });
        format!("the outputs of the model are {}", outputs.collect::<Vec<_>>().join(", "))
    };
    let wrong = |message: String| Err(Error::new(ErrorKind::Signature, message).with_help(shown()));
    let fits = |output: &TensorSpec| {
        output.datatype == Datatype::Fp32 && (output.shape.is_empty() || output.shape.len() == rank)
    };
    let outputs: Vec<&TensorSpec> = file.outputs.iter().map(|output| &output.tensor).collect();
    let expected = if rank == 2 { "[batch, dims]" } else { "[batch, tokens, dims]" };
    match &encoder.output {
        Some(name) => match outputs.iter().find(|output| output.name == *name) {
            None => wrong(format!("the model has no output {name}")),
            Some(output) if !fits(output) => wrong(format!("the output {name} is not FP32 {expected}")),
            Some(output) => Ok(output),
        },
        None => match outputs.into_iter().filter(|output| fits(output)).collect::<Vec<_>>().as_slice() {
            [one] => Ok(one),
            [] => wrong(format!("the model has no output FP32 {expected} for this pooling")),
            [one, other, ..] => {
                wrong(format!("{} and {} could both be the output: TextEncoder::output names it", one.name, other.name))
            }
        },
    }
}
