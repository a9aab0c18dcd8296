//! The same rows twice: first with a few columns, to find out something about all rows, and then
//! with all columns.

use es_core::Client;
use es_frame::ColumnRequest;

use super::indices::Indices;
use super::open::{OpenSlices, SearchPlan};
use super::request::{ReadRequest, Search};
use super::{IndexReader, Source};
use crate::error::{Error, ErrorKind};

impl IndexReader {
    /// A reader of the same rows with these columns only, in the same point in time: it must not be
    /// closed while this reader is in use.
    ///
    /// # Errors
    /// [`ErrorKind::Request`] for rows that can be read only once, and as
    /// [`IndexReader::open`].
    pub(crate) async fn narrowed(
        &self,
        client: &Client,
        request: &ReadRequest,
        columns: Vec<String>,
    ) -> Result<Self, Error> {
        let (Source::Slices(read), Some(search)) = (&self.source, request.search()) else {
            return Err(Error::new(
                ErrorKind::Request,
                "a stratified split reads its rows twice, and these can be read only once",
            )
            .with_help("read from a point in time, or choose a split by hash"));
        };
        let policies = search.policies.iter().filter(|(name, _)| columns.contains(name));
        let policies = policies.map(|(name, policy)| (name.clone(), *policy)).collect();
        let search = Search { columns: ColumnRequest::Named(columns), policies, ..search.clone() };
        let indices = Indices::of(client, &self.origin.indices.join(","), &search.columns).await?;
        let plan = SearchPlan::new(client, &search, request.options, indices)?;
        Ok(plan.read_slices(OpenSlices {
            point_in_time: read.point_in_time.clone(),
            slices: read.slices,
            matched: self.origin.matched.unwrap_or_default(),
            opened_at: self.origin.opened_at,
        }))
    }
}
