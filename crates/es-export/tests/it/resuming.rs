//! Reads that one process begins and another goes on with.

use es_export::{IndexReader, ReadOptions, ReadRequest, SavedRead, Search};
use futures::TryStreamExt as _;
use polars::prelude::DataFrame;
use serde_json::json;

use crate::support::{bulk, fields, in_small_pages, index_of, live, open_contexts, rows, sorted, until_closed};

fn request(index: &str) -> ReadRequest {
    let request = in_small_pages(Search::new(index));
    ReadRequest { options: ReadOptions { slices: Some(6), ..request.options }, ..request }
}

#[tokio::test]
async fn the_slices_of_a_read_are_read_by_two() {
    let Some((client, scope)) = live("resume").await else { return };
    let index = format!("{}a", scope.prefix());
    let frame = rows(200);
    index_of(&client, &index, 2, fields(), &frame, &["k"]).await;
    let first = IndexReader::open(&client, request(&index)).await.unwrap();
    let mut pages: Vec<DataFrame> = first.frames_of(0..2).try_collect().await.unwrap();
    let saved = first.detach().unwrap();
    let text = serde_json::to_string(&saved).unwrap();
    // What happens to the index meanwhile is not seen.
    bulk(&client, &index, b"{\"index\":{}}\n{\"k\":\"late\",\"n\":1}\n".to_vec()).await;

    let saved: SavedRead = serde_json::from_str(&text).unwrap();
    let second = IndexReader::resume(&client, request(&index), &saved).await.unwrap().unwrap();
    assert_eq!((second.slices(), second.count()), (6, Some(200)));
    assert_eq!(second.origin().opened_at, saved.opened_at);
    pages.extend(second.frames_of(2..6).try_collect::<Vec<_>>().await.unwrap());
    assert_eq!(second.frames_of(6..9).try_collect::<Vec<_>>().await.unwrap().len(), 0);
    second.reconcile(pages.iter().map(|page| page.height() as u64).sum()).unwrap();
    let mut whole = pages[0].clone();
    for page in &pages[1..] {
        whole.vstack_mut(page).unwrap();
    }
    assert!(sorted(&whole, "k").select(["k", "n", "g", "x"]).unwrap().equals_missing(&frame));
    second.close().await.unwrap();
    assert_eq!(open_contexts(&client, &index).await, 0);
    assert!(IndexReader::resume(&client, request(&index), &saved).await.unwrap().is_none(), "it is closed");
}

#[tokio::test]
async fn what_is_no_longer_the_same_read_is_not_taken_up() {
    let Some((client, scope)) = live("other").await else { return };
    let index = format!("{}a", scope.prefix());
    index_of(&client, &index, 1, fields(), &rows(20), &["k"]).await;
    let reader = IndexReader::open(&client, request(&index)).await.unwrap();
    let saved = reader.saved().unwrap();

    let mut other = request(&index);
    other.search_mut().unwrap().query = json!({"term": {"g": "JFK"}});
    assert!(IndexReader::resume(&client, other, &saved).await.unwrap().is_none());
    let gone = SavedRead { indices: vec![format!("{index}-gone")], ..saved.clone() };
    assert!(IndexReader::resume(&client, request(&index), &gone).await.unwrap().is_none());
    // The first reader's point in time is untouched by all that.
    assert_eq!(reader.frames().try_collect::<Vec<_>>().await.unwrap().iter().map(DataFrame::height).sum::<usize>(), 20);

    // A new field is another column of what is read.
    let mapping = serde_json::from_value(json!({"properties": {"new": {"type": "keyword"}}})).unwrap();
    client.indices().put_mapping(&index, &mapping).await.unwrap();
    assert!(IndexReader::resume(&client, request(&index), &saved).await.unwrap().is_none());
    drop(reader);
    until_closed(&client, &index).await;
}

#[tokio::test]
async fn a_closed_reader_ends_its_streams_and_a_detached_one_too() {
    let Some((client, scope)) = live("ends").await else { return };
    let index = format!("{}a", scope.prefix());
    index_of(&client, &index, 1, fields(), &rows(100), &["k"]).await;
    let reader = IndexReader::open(&client, request(&index)).await.unwrap();
    let frames = reader.frames();
    reader.close().await.unwrap();
    assert_eq!(open_contexts(&client, &index).await, 0);
    let error = frames.try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(error.to_string(), "the point in time is closed already");
}

#[tokio::test]
async fn a_point_in_time_outlives_a_consumer_that_pauses() {
    let Some((client, scope)) = live("pause").await else { return };
    let index = format!("{}a", scope.prefix());
    index_of(&client, &index, 2, fields(), &rows(100), &["k"]).await;
    // The server looks for what expired once a minute unless told otherwise, so what it is told is
    // looked at rather than what it does.
    let proxy = es_testing::FaultProxy::before(client.nodes()[0].trim_end_matches('/')).await;
    let slow = es_core::Client::connect(crate::support::at(&proxy.url())).await.unwrap();
    let request = request(&index);
    let options = ReadOptions { keep_alive: "600ms".parse().unwrap(), ..request.options };
    let reader = IndexReader::open(&slow, ReadRequest { options, ..request }).await.unwrap();
    let before = proxy.seen("/_search");
    for _ in 0..500 {
        if proxy.seen("/_search") >= before + 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let kept = proxy.requests("/_search");
    assert!(kept.len() >= before + 2, "nothing kept it alive");
    let body: serde_json::Value = serde_json::from_slice(&kept[before].body).unwrap();
    assert_eq!((&body["pit"]["keep_alive"], &body["size"]), (&json!("600ms"), &json!(0)));
    assert_eq!(kept[before].status, Some(200));
    reader.close().await.unwrap();
}
