//! A certificate as a person reads it: subject, issuer, names, validity.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::time::ASN1Time;

use crate::error::{Error, ErrorKind};

/// The SHA-256 of a certificate of the server's chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate.as_ref()).into())
    }
}

impl FromStr for Fingerprint {
    type Err = Error;

    /// Reads 64 hexadecimal digits, with or without colons, in either case.
    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || {
            Error::new(
                ErrorKind::Config,
                format!("the CA fingerprint {text:?} is not a SHA-256: it needs 64 hexadecimal digits"),
            )
            .with_help("print it with: openssl x509 -fingerprint -sha256 -noout -in http_ca.crt")
        };
        let digits: Vec<u8> = text.trim().bytes().filter(|byte| *byte != b':').collect();
        // `from_str_radix` accepts a sign.
        if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The parts of a certificate that a person needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateSummary {
    /// The subject, as a distinguished name.
    pub subject: String,
    /// The issuer, as a distinguished name.
    pub issuer: String,
    /// The host names and addresses that it is valid for.
    pub names: Vec<String>,
    /// The start of its validity.
    pub not_before: SystemTime,
    /// The end of its validity.
    pub not_after: SystemTime,
    /// Its SHA-256 fingerprint.
    pub fingerprint: Fingerprint,
}

impl CertificateSummary {
    /// Reads a certificate that a server sent.
    ///
    /// # Errors
    /// [`ErrorKind::Tls`] when it is not an X.509 certificate.
    pub(crate) fn read(certificate: &CertificateDer<'_>) -> Result<Self, Error> {
        let (_, parsed) = X509Certificate::from_der(certificate.as_ref()).map_err(|source| {
            Error::new(ErrorKind::Tls, format!("a certificate of the server cannot be read: {source}"))
        })?;
        let names = parsed.subject_alternative_name().ok().flatten();
        let names = names.iter().flat_map(|names| &names.value.general_names).filter_map(name).collect();
        Ok(Self {
            subject: parsed.subject().to_string(),
            issuer: parsed.issuer().to_string(),
            names,
            not_before: time(parsed.validity().not_before),
            not_after: time(parsed.validity().not_after),
            fingerprint: Fingerprint::of(certificate),
        })
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes).ok().map(|bytes| std::net::Ipv4Addr::from(bytes).to_string()),
            16 => <[u8; 16]>::try_from(*bytes).ok().map(|bytes| std::net::Ipv6Addr::from(bytes).to_string()),
            _ => None,
        },
        // Mail addresses and the like are not names of a host.
        _ => None,
    }
}

fn time(time: ASN1Time) -> SystemTime {
    let seconds = Duration::from_secs(time.timestamp().unsigned_abs());
    let moved = if time.timestamp() < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(seconds)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(seconds)
    };
    // Out of range only where the system's own clock is too.
    moved.unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_fingerprint_is_read_with_and_without_colons() {
        let plain = "AB".repeat(32);
        let colons = vec!["ab"; 32].join(":");
        assert_eq!(plain.parse::<Fingerprint>().unwrap(), colons.parse().unwrap());
        assert_eq!(plain.parse::<Fingerprint>().unwrap().to_string(), plain.to_lowercase());
        for wrong in ["", "ab", &"zz".repeat(32), &"ab".repeat(33), &"é".repeat(32), &"+a".repeat(32)] {
            assert_eq!(wrong.parse::<Fingerprint>().unwrap_err().kind(), ErrorKind::Config);
        }
    }

    #[test]
    fn a_certificate_is_summed_up() {
        let names = ["es.example.org", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
        let mut params = rcgen::CertificateParams::new(names.clone()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, "node-1");
        params.not_before = rcgen::date_time_ymd(1969, 12, 31);
        params.not_after = rcgen::date_time_ymd(2031, 1, 1);
        let certificate = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let summary = CertificateSummary::read(certificate.der()).unwrap();
        assert_eq!((summary.subject.as_str(), summary.issuer.as_str()), ("CN=node-1", "CN=node-1"));
        assert_eq!(summary.names, names);
        assert_eq!(summary.not_before, SystemTime::UNIX_EPOCH - Duration::from_secs(86_400));
        assert_eq!(summary.not_after, SystemTime::UNIX_EPOCH + Duration::from_secs(1_924_992_000));
        assert_eq!(summary.fingerprint, Fingerprint::of(certificate.der()));
    }

    proptest! {
        #[test]
        fn any_text_is_a_fingerprint_or_an_error(text in "\\PC*", close in "[0-9a-fA-F:+]{60,100}") {
            for text in [text, close] {
                if let Ok(fingerprint) = text.parse::<Fingerprint>() {
                    prop_assert_eq!(fingerprint.to_string().parse::<Fingerprint>().unwrap(), fingerprint);
                }
            }
        }

        #[test]
        fn any_bytes_are_a_certificate_or_an_error(bytes: Vec<u8>) {
            let _ = CertificateSummary::read(&CertificateDer::from(bytes));
        }
    }
}
