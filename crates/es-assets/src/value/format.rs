//! The table from the `format` names of the JSON Schema to the readers of the types.

use crate::suggest::one_of;

use super::{ByteSize, Cron, DailyWindow, InvalidValue, RejectionLimit, TimePoint, TimeSpan, TimeZoneName};

/// A `format` of the JSON Schema that the checker knows how to test.
pub(crate) struct Format {
    /// What a value is called in a message, with its article.
    pub(crate) noun: &'static str,
    /// Tests a text.
    pub(crate) check: Check,
}

type Check = fn(&str) -> Result<(), InvalidValue>;

/// The format called `name`; `None` for the formats of plain numbers and strings.
pub(crate) fn format_named(name: &str) -> Option<Format> {
    let (noun, check): (&str, Check) = match name {
        "time-span" => ("a length of time such as `30s` or `7d`", |text| text.parse::<TimeSpan>().map(drop)),
        "time-point" => ("a date such as `2013-01-31`", |text| text.parse::<TimePoint>().map(drop)),
        "time-zone" => ("a time zone such as `America/New_York`", |text| text.parse::<TimeZoneName>().map(drop)),
        "byte-size" => ("a size such as `8mb`", |text| text.parse::<ByteSize>().map(drop)),
        "rejection-limit" => {
            ("a count such as `100` or a share such as `1%`", |text| text.parse::<RejectionLimit>().map(drop))
        }
        "cron" => ("a cron expression such as `0 2 * * *`", |text| text.parse::<Cron>().map(drop)),
        "daily-window" => ("a time of day range such as `01:00-05:00`", |text| text.parse::<DailyWindow>().map(drop)),
        "name" => ("a name of `a-z`, `0-9` and `_`", check_name),
        "pipeline-name" => ("a name of `a-z`, `0-9`, `_` and `-`", check_pipeline_name),
        "index-prefix" => ("an index prefix such as `flights-`", check_index_prefix),
        "host" => ("a URL such as `https://localhost:9200`", check_host),
        "proxy" => ("a URL such as `http://proxy.example.org:3128`", check_proxy),
        "header-name" => ("a name of an HTTP header", check_header_name),
        "fingerprint" => ("a SHA-256 fingerprint in hexadecimal", check_certificate_fingerprint),
        "text" => ("a text", check_text),
        _ => return None,
    };
    Some(Format { noun, check })
}

fn check_text(text: &str) -> Result<(), InvalidValue> {
    if text.trim().is_empty() {
        return Err(InvalidValue::new("the text is empty", "write a value or remove the key"));
    }
    Ok(())
}

fn only(text: &str, extra: &[char]) -> Result<(), InvalidValue> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || extra.contains(&c);
    if !text.is_empty() && text.chars().all(allowed) {
        return Ok(());
    }
    let mut alphabet = vec!["a-z".to_owned(), "0-9".to_owned(), "_".to_owned()];
    alphabet.extend(extra.iter().map(char::to_string));
    let alphabet = one_of(alphabet.iter().map(String::as_str)).replace(" or ", " and ");
    let likely: String =
        text.to_lowercase().chars().map(|c| if c == ' ' || c == '-' || c == '.' { '_' } else { c }).collect();
    let is_name = !likely.is_empty() && likely.chars().all(allowed);
    let example = if is_name { format!(", such as `{likely}`") } else { String::new() };
    Err(InvalidValue::new(format!("`{text}` is not a name"), format!("a name is made of {alphabet}{example}")))
}

fn check_name(text: &str) -> Result<(), InvalidValue> {
    only(text, &[])
}

fn check_pipeline_name(text: &str) -> Result<(), InvalidValue> {
    only(text, &['-'])?;
    if text.starts_with(['-', '_']) {
        return Err(InvalidValue::new(
            format!("`{text}` starts with `{}`", &text[..1]),
            "start the name with a letter or a digit, because index names start with it",
        ));
    }
    Ok(())
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
    use super::*;

    fn refusal(format: &str, text: &str) -> Option<String> {
        (format_named(format).unwrap().check)(text)
            .err()
            .map(|error| format!("{}; {}", error.message, error.hint.unwrap_or_default()))
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
