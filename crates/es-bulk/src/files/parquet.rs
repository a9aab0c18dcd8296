//! Parquet files, a slice of rows at a time.

use std::fs::File;
use std::sync::Arc;

use polars::io::prelude::{ParallelStrategy, ParquetReader, SerReader as _};
use polars::prelude::{DataFrame, PolarsResult, Schema, SchemaExt as _, SchemaRef};

pub(crate) struct Reader {
    file: File,
    schema: SchemaRef,
    metadata: Metadata,
    rows: usize,
    next: usize,
    columns: Option<Vec<String>>,
}

type Metadata = polars::io::parquet::metadata::FileMetadataRef;

impl Reader {
    pub(crate) fn open(mut file: File) -> PolarsResult<Self> {
        let mut reader = ParquetReader::new(&mut file);
        let rows = reader.num_rows()?;
        let metadata = reader.get_metadata()?.clone();
        let schema = Arc::new(Schema::from_arrow_schema(reader.schema()?.as_ref()));
        Ok(Self { file, schema, metadata, rows, next: 0, columns: None })
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows as u64
    }

    pub(crate) fn project(&mut self, columns: &[String]) {
        self.columns = Some(columns.iter().filter(|name| self.schema.contains(name)).cloned().collect());
    }

    pub(crate) fn next_frame(&mut self, rows: usize) -> PolarsResult<Option<DataFrame>> {
        if self.next >= self.rows {
            return Ok(None);
        }
        let mut reader = ParquetReader::new(&mut self.file)
            .with_slice(Some((self.next, rows)))
            .with_columns(self.columns.clone())
            .read_parallel(ParallelStrategy::Columns);
        reader.set_metadata(self.metadata.clone());
        let frame = reader.finish()?;
        self.next += frame.height().max(1);
        Ok(Some(frame))
    }
}
