//! The same rows twice: first of a few columns, to find out something about all rows, and
//! then of all columns.

use es_core::Client;
use es_frame::ColumnRequest;

use super::indices::Indices;
use super::open::decoder;
use super::request::{ReadRequest, Search};
use super::{IndexReader, Source};
use crate::error::{Error, ErrorKind};

impl IndexReader {
    /// The same rows in the same point in time, of these columns alone, to be read before
    /// this reader is. It is given back by [`IndexReader::rejoin`], as the point in time is
    /// this reader's.
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
        let (Source::Slices { read, .. }, Some(search)) = (&self.source, request.search()) else {
            return Err(Error::new(
                ErrorKind::Request,
                "a stratified split reads its rows twice, and these can be read only once",
            )
            .with_help("read from a point in time, or choose a split by hash"));
        };
        let closed = || Error::new(ErrorKind::Request, "the point in time is closed already");
        let id = read.point_in_time.id().ok_or_else(closed)?;
        let policies = search.policies.iter().filter(|(name, _)| columns.contains(name));
        let policies = policies.map(|(name, policy)| (name.clone(), *policy)).collect();
        let search = Search { columns: ColumnRequest::Named(columns), policies, ..search.clone() };
        let indices = Indices::of(client, &self.origin.indices.join(","), &search.columns).await?;
        let decoder = decoder(client, &indices, &search)?;
        let point_in_time = client.point_in_time(&id, request.options.keep_alive.to_duration());
        let state = (read.slices, self.origin.matched.unwrap_or_default(), self.origin.opened_at);
        Ok(Self::of_slices(client, &search, request.options, (&indices, decoder), point_in_time, state))
    }

    /// Takes back the point in time that a narrower reader has used.
    pub(crate) fn rejoin(&self, narrow: Self) {
        if let (Source::Slices { read, .. }, Some(saved)) = (&self.source, narrow.detach()) {
            read.point_in_time.renew(&saved.point_in_time);
        }
    }
}
