//! Single documents: read, create once, replace the version that was read.

use elasticsearch::{DeleteParts, GetParts, IndexParts, SearchParts};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::client::Client;
use crate::error::{Error, ErrorKind};
use crate::request::{Method, Request};
use crate::search;

/// A document, with the numbers that allow to replace exactly this version of it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Document<T> {
    /// Its id.
    #[serde(rename = "_id")]
    pub id: String,
    /// The sequence number of its last change.
    #[serde(rename = "_seq_no", default)]
    pub seq_no: u64,
    /// The primary term of its last change.
    #[serde(rename = "_primary_term", default)]
    pub primary_term: u64,
    /// Its content.
    #[serde(rename = "_source")]
    pub source: T,
}

/// The condition of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// None: an existing document is replaced.
    None,
    /// No document has this id.
    Absent,
    /// The document is still this version.
    Unchanged {
        /// See [`Document::seq_no`].
        seq_no: u64,
        /// See [`Document::primary_term`].
        primary_term: u64,
    },
}

/// Single documents of one index.
pub struct Documents<'a> {
    client: &'a Client,
    index: &'a str,
    refresh: bool,
}

#[derive(Deserialize)]
struct SearchBody<T> {
    hits: Hits<T>,
}

#[derive(Deserialize)]
struct Hits<T> {
    hits: Vec<Document<T>>,
}

impl<'a> Documents<'a> {
    pub(crate) fn new(client: &'a Client, index: &'a str) -> Self {
        Self { client, index, refresh: true }
    }

    /// The same documents, whose writes are seen by reads by id at once and by searches only with the next
    /// refresh of the index, which costs the server less.
    #[must_use]
    pub fn without_refresh(self) -> Self {
        Self { refresh: false, ..self }
    }

    /// Reads a document; `None` when it or its index does not exist.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn get<T: DeserializeOwned>(&self, id: &str) -> Result<Option<Document<T>>, Error> {
        let request = Request::new(Method::Get, GetParts::IndexId(self.index, id).url());
        match self.client.send(&request).await {
            Ok(response) => response.json().map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes a document under an id, visible to searches when this returns, except
    /// [without a refresh](Documents::without_refresh).
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] when the precondition does not hold; else as [`Client::send`].
    pub async fn put(&self, id: &str, source: &impl Serialize, precondition: Precondition) -> Result<(), Error> {
        let request = Request::new(Method::Put, IndexParts::IndexId(self.index, id).url())
            .query("refresh", self.refresh)
            .json(source);
        let request = match precondition {
            // Writing the same content twice under one id leaves the same document.
            Precondition::None => request.repeatable(),
            Precondition::Absent => request.query("op_type", "create"),
            Precondition::Unchanged { seq_no, primary_term } => {
                request.query("if_seq_no", seq_no).query("if_primary_term", primary_term)
            }
        };
        self.client.send(&request).await.map(|_| ())
    }

    /// Deletes a document. A missing one is no error.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn delete(&self, id: &str) -> Result<(), Error> {
        let request = Request::new(Method::Delete, DeleteParts::IndexId(self.index, id).url())
            .query("refresh", self.refresh)
            .repeatable();
        self.client.exists(&request).await.map(|_| ())
    }

    /// Returns the first `size` documents of a query in the given sort order. A missing index has none.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn search<T: DeserializeOwned>(
        &self,
        query: &Value,
        sort: &Value,
        size: usize,
    ) -> Result<Vec<Document<T>>, Error> {
        self.search_body(json!({"query": query, "sort": sort, "size": size})).await
    }

    /// As [`Documents::search`], but returns only the first of the documents with the same value of a
    /// keyword field.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn search_first_of_each<T: DeserializeOwned>(
        &self,
        field: &str,
        query: &Value,
        sort: &Value,
        size: usize,
    ) -> Result<Vec<Document<T>>, Error> {
        self.search_body(json!({"query": query, "sort": sort, "size": size, "collapse": {"field": field}})).await
    }

    async fn search_body<T: DeserializeOwned>(&self, mut body: Value) -> Result<Vec<Document<T>>, Error> {
        body["seq_no_primary_term"] = json!(body.get("collapse").is_none());
        body["track_total_hits"] = json!(false);
        let request = Request::new(Method::Post, SearchParts::Index(&[self.index]).url())
            .query("ignore_unavailable", true)
            .json(&body);
        let answer = search::send(self.client, request).await?;
        let found: SearchBody<T> = answer.json()?;
        Ok(found.hits.hits)
    }
}
