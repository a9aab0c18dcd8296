//! The limits of a computation.

use std::time::Duration;

/// The limits of a computation: memory held here, and work done by the server at once.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct ComputeOptions {
    /// The largest number of entities in the answer to one search, from 1 to 65,535, the limit of
    /// the server (`search.max_buckets`). A search reads all documents of its windows for every
    /// page, so many entities want large pages. A page that a circuit breaker of the server refuses
    /// is requested again with fewer. Default: 1000.
    pub page_size: usize,
    /// The number of searches that run at once, each for another grid time. Default: 3.
    pub searches_in_flight: usize,
    /// The number of rows from which on a frame is complete; it has less than `page_size` more.
    /// Default: 10,000.
    pub frame_rows: usize,
    /// The time that the server keeps the state of the source when this program no longer does,
    /// and the limit of the time that a page is retried for. Default: 10 minutes.
    pub keep_alive: Duration,
    /// The largest number of grid times, as one document with a wrong year can make millions.
    /// Default: 100,000.
    pub max_instants: usize,
    /// The size of the digests of percentiles: fewer than 20 times as many values give exact
    /// percentiles. The server needs up to about 160 bytes times the compression for each entity
    /// and window. Default: 500, which takes as long as Elasticsearch's own 100.
    pub percentile_compression: f64,
}

/// The server's default of `search.max_buckets`.
const MAX_PAGE_SIZE: usize = 65_535;

impl ComputeOptions {
    /// These options with every number inside its limits.
    pub(super) fn clamped(self) -> Self {
        Self {
            page_size: self.page_size.clamp(1, MAX_PAGE_SIZE),
            searches_in_flight: self.searches_in_flight.max(1),
            frame_rows: self.frame_rows.max(1),
            percentile_compression: if self.percentile_compression >= 1.0 { self.percentile_compression } else { 1.0 },
            ..self
        }
    }

    /// Sets [`ComputeOptions::page_size`].
    #[must_use]
    pub fn with_page_size(mut self, entities: usize) -> Self {
        self.page_size = entities;
        self
    }

    /// Sets [`ComputeOptions::searches_in_flight`].
    #[must_use]
    pub fn with_searches_in_flight(mut self, searches: usize) -> Self {
        self.searches_in_flight = searches;
        self
    }

    /// Sets [`ComputeOptions::frame_rows`].
    #[must_use]
    pub fn with_frame_rows(mut self, rows: usize) -> Self {
        self.frame_rows = rows;
        self
    }

    /// Sets [`ComputeOptions::keep_alive`].
    #[must_use]
    pub fn with_keep_alive(mut self, time: Duration) -> Self {
        self.keep_alive = time;
        self
    }

    /// Sets [`ComputeOptions::max_instants`].
    #[must_use]
    pub fn with_max_instants(mut self, instants: usize) -> Self {
        self.max_instants = instants;
        self
    }

    /// Sets [`ComputeOptions::percentile_compression`].
    #[must_use]
    pub fn with_percentile_compression(mut self, compression: f64) -> Self {
        self.percentile_compression = compression;
        self
    }
}

impl Default for ComputeOptions {
    fn default() -> Self {
        Self {
            page_size: 1000,
            searches_in_flight: 3,
            frame_rows: 10_000,
            keep_alive: Duration::from_secs(600),
            max_instants: 100_000,
            percentile_compression: 500.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_outside_their_limits_are_moved_to_them() {
        let options = ComputeOptions::default()
            .with_page_size(1_000_000)
            .with_searches_in_flight(0)
            .with_frame_rows(0)
            .with_percentile_compression(f64::NAN)
            .clamped();
        assert_eq!((options.page_size, options.searches_in_flight, options.frame_rows), (65_535, 1, 1));
        assert_eq!(options.percentile_compression, 1.0);
        assert_eq!(ComputeOptions::default().clamped(), ComputeOptions::default());
    }
}
