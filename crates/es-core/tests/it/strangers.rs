//! The errors of wrong addresses: nothing listens, or another service.

use es_core::{Client, ErrorKind};
use wiremock::matchers::{any, method};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{answer, at, dead_port, hello, live, mock_node, raw_server};

#[tokio::test]
async fn a_node_says_who_it_is() {
    let Some((client, _)) = live("hello").await else { return };
    assert!((8..=9).contains(&client.info().version.major), "{:?}", client.info());
    assert!(!client.info().cluster_uuid.is_empty() && !client.info().cluster_name.is_empty());
}

#[tokio::test]
async fn nothing_listens() {
    let port = dead_port().await;
    let error = Client::connect(at(&format!("localhost:{port}"))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert_eq!(error.to_string(), format!("cannot connect to http://localhost:{port}: connection refused"));
    assert_eq!(error.help(), Some("check that Elasticsearch runs there and that the port is right"));
    assert_eq!(error.request(), Some("GET /"));
    assert!(error.is_retryable());
}

#[tokio::test]
async fn a_name_that_does_not_exist() {
    let error = Client::connect(at("http://elasticsearch.invalid:9200")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    let message = error.to_string();
    assert!(message.starts_with("cannot connect to http://elasticsearch.invalid:9200: "), "{message}");
    assert_eq!(error.help(), Some("check the host name and the port"));
}

#[tokio::test]
async fn another_http_server_answers() {
    for status in [200, 302, 403, 404, 500] {
        let server = MockServer::start().await;
        let page = ResponseTemplate::new(status).set_body_raw("<html>Grafana</html>", "text/html");
        Mock::given(any()).respond_with(page).mount(&server).await;
        let error = Client::connect(at(&server.uri())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotElasticsearch, "{status}");
        assert_eq!(error.to_string(), format!("{} answers, but it is not Elasticsearch", server.uri()));
        assert_eq!(error.help(), Some("another service listens on this port: check the address"));
        assert!(!error.is_retryable());
    }
}

#[tokio::test]
async fn a_server_of_another_protocol_answers() {
    let (port, _) = raw_server(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n").await;
    let error = Client::connect(at(&format!("http://127.0.0.1:{port}"))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotElasticsearch);
    assert_eq!(error.to_string(), format!("http://127.0.0.1:{port} answers, but not in HTTP"));
    assert_eq!(error.help(), Some("another service listens on this port: check the address"));
}

#[tokio::test]
async fn a_server_that_speaks_first_answers() {
    // As SSH and mail servers do, before anything was asked of them.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
                let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n").await;
                let _ = stream.read(&mut [0; 4096]).await;
            });
        }
    });
    for _ in 0..20 {
        // Whether the greeting or the request is first is a matter of chance.
        let error = Client::connect(at(&format!("http://127.0.0.1:{port}"))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotElasticsearch, "{error:?}");
        assert_eq!(error.to_string(), format!("http://127.0.0.1:{port} answers, but not in HTTP"));
    }
}

#[tokio::test]
async fn a_proxy_whose_elasticsearch_is_down_is_not_another_product() {
    for status in [429, 502, 503, 504] {
        let server = MockServer::start().await;
        let page = ResponseTemplate::new(status).set_body_raw("<html>no backend</html>", "text/html");
        Mock::given(any()).respond_with(page).mount(&server).await;
        let error = Client::connect(at(&server.uri())).await.unwrap_err();
        let expected = if status == 429 { ErrorKind::Overloaded } else { ErrorKind::Unavailable };
        assert_eq!((error.kind(), error.status()), (expected, Some(status)));
        assert_eq!(error.to_string(), format!("GET / was answered {status} by {}", server.uri()));
        assert!(error.is_retryable());
    }
}

#[tokio::test]
async fn the_product_header_and_the_version_are_required() {
    let table = [
        (ResponseTemplate::new(200).set_body_json(hello("9.4.3")), ErrorKind::NotElasticsearch, "is not Elasticsearch"),
        (
            answer(200).set_body_json(hello("7.17.28")),
            ErrorKind::UnsupportedVersion,
            "is Elasticsearch 7.17.28, and versions 8 and 9 are supported",
        ),
        (
            answer(200).set_body_json(hello("10.0.0")),
            ErrorKind::UnsupportedVersion,
            "is Elasticsearch 10.0.0, and versions 8 and 9 are supported",
        ),
        (answer(200).set_body_string("{\"name\":"), ErrorKind::Decode, "does not say which version it is"),
    ];
    for (reply, kind, text) in table {
        let server = MockServer::start().await;
        Mock::given(method("GET")).respond_with(reply).mount(&server).await;
        let error = Client::connect(at(&server.uri())).await.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().starts_with(&server.uri()) && error.to_string().contains(text), "{error}");
    }
}

#[tokio::test]
async fn requests_carry_the_media_types_of_the_version() {
    let server = mock_node().await;
    Mock::given(method("POST")).respond_with(answer(200).set_body_string("{}")).mount(&server).await;
    let client = Client::connect(at(&server.uri())).await.unwrap();
    let json = es_core::Request::new(es_core::Method::Post, "/a/_search").json(&serde_json::json!({}));
    let lines = es_core::Request::new(es_core::Method::Post, "/a/_bulk").ndjson("{}\n");
    client.send(&json).await.unwrap();
    client.send(&lines).await.unwrap();
    let requests = server.received_requests().await.unwrap();
    let header = |request: usize, name: &str| {
        requests[request].headers.get(name).map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(header(0, "accept").as_deref(), Some("application/json"));
    let versioned = "application/vnd.elasticsearch+json; compatible-with=9";
    assert_eq!([header(1, "accept"), header(1, "content-type")], [Some(versioned.into()), Some(versioned.into())]);
    let lines = "application/vnd.elasticsearch+x-ndjson; compatible-with=9";
    assert_eq!([header(2, "accept"), header(2, "content-type")], [Some(versioned.into()), Some(lines.into())]);
}
