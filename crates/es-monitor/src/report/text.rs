//! Reports as sentences for a person.

use std::fmt;

use es_values::counted;

use super::{FieldReport, MissingReport, Report, ValuesReport};
use crate::method::Method;
use crate::verdict::Verdict;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names =
            |verdict| self.fields_with(verdict).map(|field| field.field.as_str()).collect::<Vec<_>>().join(", ");
        let all = self.fields.len();
        match self.verdict {
            Verdict::NoDrift => write!(f, "no drift in {}", counted(all as u64, "field")),
            Verdict::Drift => {
                let drifted = self.fields_with(Verdict::Drift).count();
                write!(f, "drift in {drifted} of {all} fields: {}", names(Verdict::Drift))
            }
            Verdict::NotMeasured => write!(f, "not measured: {}", names(Verdict::NotMeasured)),
        }?;
        let (reference, current) = (&self.reference, &self.current);
        write!(
            f,
            " ({} of {} against {} of {})",
            counted(current.documents, "document"),
            current.interval,
            reference.documents,
            reference.interval
        )
    }
}

impl fmt::Display for FieldReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}; {}", self.field, self.verdict, self.values, self.missing)
    }
}

impl fmt::Display for ValuesReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = match self.method {
            Method::Psi { max }
            | Method::JensenShannon { max }
            | Method::LInfinity { max }
            | Method::Wasserstein { max } => format!("limit {}", short(max)),
            Method::KolmogorovSmirnov { p } | Method::ChiSquared { p } => format!("drift up to p {}", short(p)),
        };
        write!(f, "{}", self.method.name())?;
        if let Some(found) = &self.measurement {
            write!(f, " {}", short(found.value))?;
            if let Some(p_value) = found.p_value {
                write!(f, ", p {}", short(p_value))?;
            }
            write!(f, " ({limit})")?;
            if let Some(expected) = found.no_drift_expectation {
                write!(f, ", {} by chance alone", short(expected))?;
            }
        }
        if let Some(reason) = &self.reason {
            write!(f, ", not measured as {reason}")?;
        }
        write!(f, ", {} against {} values", self.n_current, self.n_reference)
    }
}

impl fmt::Display for MissingReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.share_reference, self.share_current) {
            (Some(_), Some(_)) if self.reference == 0 && self.current == 0 => f.write_str("none missing"),
            (Some(reference), Some(current)) => {
                write!(f, "missing {:.2}% against {:.2}%", 100.0 * current, 100.0 * reference)?;
                self.p_value.map_or(Ok(()), |p_value| write!(f, ", p {}", short(p_value)))
            }
            _ => write!(f, "missing {} against {}", self.current, self.reference),
        }
    }
}

/// A number with the digits that a person reads: four, or a power of ten when it is tiny or huge.
pub(crate) fn short(number: f64) -> String {
    let size = number.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..1e9).contains(&size) {
        return format!("{number:.1e}");
    }
    let before = size.log10().floor() as i32 + 1;
    let after = usize::try_from(4 - before).unwrap_or(0);
    let text = format!("{number:.after$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}
