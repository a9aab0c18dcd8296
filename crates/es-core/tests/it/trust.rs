//! Certificates that a real node would not show: other names, expired ones, forged chains.

use es_core::{ErrorKind, TlsConfig, Verification};
use rcgen::CertificateParams;

use crate::logs::logs;
use crate::tls_server::{Authority, connect, pinning, serve, serve_clients_of, trusting};

#[tokio::test]
async fn the_host_name_is_verified_by_default() {
    let authority = Authority::new("one");
    let right = authority.sign("127.0.0.1");
    let port = serve(&right.key, vec![right.der()]);
    connect(port, trusting(&authority, Verification::Full)).await.unwrap();

    let other = authority.sign("es.example.org");
    let port = serve(&other.key, vec![other.der()]);
    let error = connect(port, trusting(&authority, Verification::Full)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls);
    assert_eq!(
        error.to_string(),
        format!("https://127.0.0.1:{port} is not trusted: its certificate is for another host name")
    );
    assert_eq!(error.help(), Some("use a name that the certificate has, or set verification to `certificate`"));
    connect(port, trusting(&authority, Verification::Certificate)).await.unwrap();
}

#[tokio::test]
async fn without_the_host_name_the_authority_still_counts() {
    let (known, unknown) = (Authority::new("known"), Authority::new("unknown"));
    let signed = unknown.sign("127.0.0.1");
    let port = serve(&signed.key, vec![signed.der()]);
    for verification in [Verification::Full, Verification::Certificate] {
        let error = connect(port, trusting(&known, verification)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls);
        assert!(error.to_string().ends_with("signed by an authority that is not trusted"), "{error}");
    }
    connect(port, TlsConfig { verification: Verification::None, ..TlsConfig::default() }).await.unwrap();
    let both = connect(port, trusting(&known, Verification::None)).await.unwrap_err();
    assert_eq!(both.to_string(), "both verification none and a CA certificate are set");
}

#[tokio::test]
async fn without_verification_each_start_warns() {
    let signed = Authority::new("unknown").sign("es.example.org");
    let logs = logs();
    for _ in 0..2 {
        let port = serve(&signed.key, vec![signed.der()]);
        let anyone = TlsConfig { verification: Verification::None, ..TlsConfig::default() };
        connect(port, anyone).await.unwrap();
        assert!(logs.warned(&["certificates are not verified", &format!("https://127.0.0.1:{port}")]));
    }
}

#[tokio::test]
async fn the_dates_of_a_certificate_count() {
    let authority = Authority::new("one");
    let dated = |from: i32, to: i32| {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(to, 1, 1);
        authority.sign_params(params)
    };
    let table = [
        (dated(2001, 2002), "its certificate has expired", "renew the certificate on the server"),
        (dated(2998, 2999), "its certificate is not valid yet", "check the clocks of both machines"),
    ];
    for (signed, why, help) in table {
        let port = serve(&signed.key, vec![signed.der()]);
        let error = connect(port, trusting(&authority, Verification::Full)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls);
        assert!(error.to_string().ends_with(why), "{error}");
        assert_eq!(error.help(), Some(help));
    }
}

#[tokio::test]
async fn a_fingerprint_of_the_authority_trusts_what_it_signed() {
    let authority = Authority::new("one");
    let signed = authority.sign("127.0.0.1");
    let port = serve(&signed.key, vec![signed.der(), authority.certificate()]);
    connect(port, pinning(&authority.certificate())).await.unwrap();
    connect(port, pinning(&signed.der())).await.unwrap();
    let error = connect(port, pinning(&Authority::new("two").certificate())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls);
    assert!(error.to_string().ends_with("no certificate of its chain has the fingerprint that is set"), "{error}");
}

#[tokio::test]
async fn a_fingerprint_of_the_authority_leaves_the_host_name_to_be_verified() {
    let authority = Authority::new("one");
    let signed = authority.sign("es.example.org");
    let port = serve(&signed.key, vec![signed.der(), authority.certificate()]);
    let pinned = pinning(&authority.certificate());
    let error = connect(port, pinned.clone()).await.unwrap_err();
    assert!(error.to_string().ends_with("its certificate is for another host name"), "{error}");
    connect(port, TlsConfig { verification: Verification::Certificate, ..pinned }).await.unwrap();
    connect(port, pinning(&signed.der())).await.unwrap();
}

#[tokio::test]
async fn showing_the_authoritys_certificate_is_not_enough() {
    // Certificates are public: anyone can put the right authority behind a leaf of their own.
    let authority = Authority::new("one");
    let forger = Authority::new("one");
    let forged = forger.sign("127.0.0.1");
    let port = serve(&forged.key, vec![forged.der(), authority.certificate()]);
    let error = connect(port, pinning(&authority.certificate())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
}

#[tokio::test]
async fn a_client_certificate_opens_and_another_one_does_not() {
    let (authority, strangers) = (Authority::new("one"), Authority::new("strangers"));
    let server = authority.sign("127.0.0.1");
    let port = serve_clients_of(Some(&authority), &server.key, vec![server.der()]);
    let folder = tempfile::tempdir().unwrap();
    let showing = |client: &crate::tls_server::Signed| {
        let (certificate, key) = client.files(&folder);
        TlsConfig { client_cert: Some(certificate), client_key: Some(key), ..trusting(&authority, Verification::Full) }
    };
    connect(port, showing(&authority.sign("client"))).await.unwrap();

    let help = "set ELASTICSEARCH_CLIENT_CERT and ELASTICSEARCH_CLIENT_KEY to a certificate that the server trusts";
    let node = format!("https://127.0.0.1:{port}");
    let table = [
        (trusting(&authority, Verification::Full), "asks for a client certificate"),
        (showing(&strangers.sign("client")), "refuses the handshake (UnknownCA)"),
    ];
    for (tls, why) in table {
        let error = connect(port, tls).await.unwrap_err();
        assert_eq!(error.to_string(), format!("{node} {why}"));
        assert_eq!((error.kind(), error.help()), (ErrorKind::Tls, Some(help)));
    }

    let mut mixed = showing(&authority.sign("client"));
    let other = tempfile::tempdir().unwrap();
    mixed.client_key = Some(strangers.sign("client").files(&other).1);
    let error = connect(port, mixed).await.unwrap_err();
    assert_eq!(error.to_string(), "the client certificate and key do not match");
}

#[tokio::test]
async fn files_that_hold_no_certificate_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.crt");
    std::fs::write(&empty, "no PEM here\n").unwrap();
    let absent = folder.path().join("absent.crt");
    let table = [
        (&empty, "holds no PEM certificate", Some("it should have lines that start with -----BEGIN CERTIFICATE-----")),
        (&absent, "cannot be read", None),
    ];
    for (file, why, help) in table {
        let tls = TlsConfig { ca_cert: Some(file.clone()), ..TlsConfig::default() };
        let error = connect(1, tls).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        let message = error.to_string();
        assert!(message.contains(why) && message.contains(&file.display().to_string()), "{message}");
        assert_eq!(error.help(), help);
    }
}
