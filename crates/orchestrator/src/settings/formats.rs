//! The formats of texts that settings have.

use es_values::{Format, InvalidValue};

use es_bulk::MaxRejected;

/// The formats, for the checker of pipeline files.
pub fn text_formats() -> [Format; 7] {
    [
        MaxRejected::FORMAT,
        crate::kinds::embedding::TEMPLATE,
        Format { name: "index-prefix", noun: "an index prefix such as `flights-`", check: check_index_prefix },
        Format { name: "host", noun: "a URL such as `https://localhost:9200`", check: check_host },
        Format { name: "proxy", noun: "a URL such as `http://proxy.example.org:3128`", check: check_proxy },
        Format { name: "header-name", noun: "a name of an HTTP header", check: check_header_name },
        Format {
            name: "fingerprint",
            noun: "a SHA-256 fingerprint in hexadecimal",
            check: check_certificate_fingerprint,
        },
    ]
}

/// The rules of index names: <https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-indices-create>.
fn check_index_prefix(text: &str) -> Result<(), InvalidValue> {
    let forbidden = |c: char| c.is_uppercase() || c.is_whitespace() || c.is_control() || "\\/*?\"<>|,#:".contains(c);
    if let Some(c) = text.chars().find(|c| forbidden(*c)) {
        return Err(InvalidValue::new(
            format!("`{text}` holds `{c}`, which an index name may not"),
            "use lower case letters, digits, `-`, `_` and `.`",
        ));
    }
    if text.starts_with(['-', '_', '+', '.']) {
        return Err(InvalidValue::new(
            format!("`{text}` starts with `{}`, which an index name may not", &text[..1]),
            "start the prefix with a letter or a digit",
        ));
    }
    if text.len() > 100 {
        return Err(InvalidValue::new(
            "the prefix is longer than 100 bytes",
            "index names are at most 255 bytes long, so keep the prefix short",
        ));
    }
    Ok(())
}

fn check_host(text: &str) -> Result<(), InvalidValue> {
    check_url(
        text,
        "name the user under `user` and refer to the password under `password`: `{ env: ELASTICSEARCH_PASSWORD }`",
    )
}

fn check_proxy(text: &str) -> Result<(), InvalidValue> {
    check_url(
        text,
        "name the user under `proxy_user` and refer to the password under `proxy_password`: `{ env: PROXY_PASSWORD }`",
    )
}

/// RFC 9110, section 5.6.2.
fn check_header_name(text: &str) -> Result<(), InvalidValue> {
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)) {
        return Ok(());
    }
    Err(InvalidValue::new(format!("`{text}` is not a name of a header"), "write a name such as `X-Opaque-Id`"))
}

fn check_url(text: &str, where_credentials_go: &str) -> Result<(), InvalidValue> {
    // This comes first, so that no other message repeats the password.
    if text.contains('@') {
        return Err(InvalidValue::new("the URL holds credentials", where_credentials_go));
    }
    let has_scheme = text.starts_with("http://") || text.starts_with("https://");
    if !has_scheme {
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        return Err(InvalidValue::new(
            format!("`{text}` is not an http or https URL"),
            format!("write `http://{rest}` or `https://{rest}`"),
        ));
    }
    let url = url::Url::parse(text).map_err(|error| {
        InvalidValue::new(format!("`{text}` is not a URL: {error}"), "write a URL such as `https://localhost:9200`")
    })?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(InvalidValue::new(
            format!("`{text}` has a query or a fragment"),
            "write only scheme, host, port and path",
        ));
    }
    Ok(())
}

fn check_certificate_fingerprint(text: &str) -> Result<(), InvalidValue> {
    let digits: Vec<char> = text.chars().filter(|c| *c != ':').collect();
    if digits.len() == 64 && digits.iter().all(char::is_ascii_hexdigit) {
        return Ok(());
    }
    Err(InvalidValue::new(
        "the fingerprint is not 64 hexadecimal digits",
        "print it with `openssl x509 -fingerprint -sha256 -noout -in ca.crt`",
    ))
}

#[cfg(test)]
mod tests {

    fn refusal(format: &str, text: &str) -> Option<String> {
        (crate::kinds::Kinds::builtin().format().text_format(format).unwrap().check)(text)
            .err()
            .map(|error| format!("{}; {}", error.message, error.help.unwrap_or_default()))
    }

    #[test]
    fn texts_that_formats_accept() {
        let fingerprint = "AB:".repeat(31) + "ab";
        let cases = [
            ("name", "route_delays_2"),
            ("pipeline-name", "nyc-flights"),
            ("index-prefix", ""),
            ("index-prefix", "dev-flights-"),
            ("host", "http://localhost:9200"),
            ("host", "https://[::1]:9200/es"),
            ("fingerprint", fingerprint.as_str()),
            ("text", "x"),
            ("cron", "0 2 * * *"),
            ("daily-window", "01:00-05:00"),
        ];
        for (format, text) in cases {
            assert_eq!(refusal(format, text), None, "{format} {text}");
        }
    }

    #[test]
    fn texts_that_formats_refuse() {
        let cases = [
            (
                "name",
                "Route-Delays",
                "`Route-Delays` is not a name; a name is made of `a-z`, `0-9` and `_`, such as `route_delays`",
            ),
            ("name", "", "`` is not a name; a name is made of `a-z`, `0-9` and `_`"),
            (
                "pipeline-name",
                "-x",
                "`-x` starts with `-`; start the name with a letter or a digit, because index names start with it",
            ),
            (
                "index-prefix",
                "Flights-",
                "`Flights-` holds `F`, which an index name may not; use lower case letters, digits, `-`, `_` and `.`",
            ),
            (
                "index-prefix",
                "_x",
                "`_x` starts with `_`, which an index name may not; start the prefix with a letter or a digit",
            ),
            (
                "host",
                "localhost:9200",
                "`localhost:9200` is not an http or https URL; write `http://localhost:9200` or `https://localhost:9200`",
            ),
            ("host", "ftp://es", "`ftp://es` is not an http or https URL; write `http://es` or `https://es`"),
            (
                "host",
                "http://es:port",
                "`http://es:port` is not a URL: invalid port number; write a URL such as `https://localhost:9200`",
            ),
            (
                "fingerprint",
                "abc",
                "the fingerprint is not 64 hexadecimal digits; print it with `openssl x509 -fingerprint -sha256 -noout -in ca.crt`",
            ),
            ("text", " ", "the text is empty; write a value or remove the key"),
        ];
        for (format, text, expected) in cases {
            assert_eq!(refusal(format, text).as_deref(), Some(expected), "{format} {text}");
        }
        let with_password = refusal("host", "https://elastic:hunter2@es:9200").unwrap();
        assert!(with_password.contains("credentials"));
        assert!(!with_password.contains("hunter2"));
    }
}
