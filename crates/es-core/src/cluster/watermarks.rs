//! Disk watermarks: the space that must stay free on a data node, and the room for heavy writes.
//! Pure. See <https://www.elastic.co/docs/reference/elasticsearch/configuration-reference/cluster-level-shard-allocation-routing-settings#disk-based-shard-allocation>.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind};

/// The disks of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeDisk {
    /// The node's name.
    pub node: String,
    /// Their size, in bytes.
    pub total: u64,
    /// The unused space, in bytes.
    pub free: u64,
    /// The part of it that Elasticsearch can use, in bytes. Watermarks are compared with this.
    pub available: u64,
}

/// A watermark, as it is configured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Watermark {
    /// The share of the disk that may be used, from 0 to 1: `85%` or `0.85`.
    Used {
        /// The share.
        share: f64,
        /// The most bytes that need to be free, however large the disk is.
        max_headroom: Option<u64>,
    },
    /// The bytes that must be free: `10gb`.
    Free(u64),
}

impl Watermark {
    /// Reads a watermark and its `max_headroom` in the forms that Elasticsearch accepts.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] for a text that is neither a percentage, a ratio nor a size.
    pub fn parse(text: &str, max_headroom: Option<&str>) -> Result<Self, Error> {
        let text = text.trim();
        let wrong = || Error::new(ErrorKind::Decode, format!("{text:?} is not a disk watermark"));
        let share = match text.strip_suffix('%') {
            Some(percent) => Some(f64::from_str(percent.trim()).map_err(|_| wrong())? / 100.0),
            None => f64::from_str(text).ok(),
        };
        match share {
            Some(share) if (0.0..=1.0).contains(&share) => {
                let max_headroom = match max_headroom.map(str::trim) {
                    None | Some("-1") => None,
                    Some(size) => Some(bytes(size).ok_or_else(wrong)?),
                };
                Ok(Self::Used { share, max_headroom })
            }
            Some(_) => Err(wrong()),
            None => bytes(text).map(Self::Free).ok_or_else(wrong),
        }
    }

    /// The bytes that must stay free on a disk of `total` bytes, rounded like the server: the space that
    /// may be used is rounded up.
    pub fn free_bytes(&self, total: u64) -> u64 {
        match self {
            Self::Free(bytes) => *bytes,
            Self::Used { share, max_headroom } => {
                let used = ((total as f64) * share).ceil() as u64;
                let free = total.saturating_sub(used);
                max_headroom.map_or(free, |most| free.min(most))
            }
        }
    }
}

/// A size as Elasticsearch writes it: `200GB`, `1.5tb`, `100b`. Units are powers of 1024.
fn bytes(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let power = match unit.trim() {
        "b" => 0,
        "k" | "kb" => 1,
        "m" | "mb" => 2,
        "g" | "gb" => 3,
        "t" | "tb" => 4,
        "p" | "pb" => 5,
        // The only number that needs no unit.
        "" if number == "0" => 0,
        _ => return None,
    };
    let number: f64 = number.parse().ok()?;
    Some((number * 1024_f64.powi(power)) as u64)
}

/// A watermark that a disk can exceed, from mild to severe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Above the low watermark: only shards of new indices are allocated to the node.
    Low,
    /// Above the high watermark: shards are moved away, and new indices get none on the node.
    High,
    /// Above the flood stage: indices with a shard on the node refuse writes.
    FloodStage,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Low => "low watermark",
            Self::High => "high watermark",
            Self::FloodStage => "flood stage watermark",
        })
    }
}

/// The watermarks of a cluster.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DiskWatermarks {
    /// `true` if they are enforced (`cluster.routing.allocation.disk.threshold_enabled`).
    pub enabled: bool,
    /// The low watermark.
    pub low: Watermark,
    /// The high watermark.
    pub high: Watermark,
    /// The flood stage.
    pub flood_stage: Watermark,
}

impl DiskWatermarks {
    /// The bytes that must be free on a node for it to be below a watermark.
    pub fn threshold(&self, stage: Stage, disk: &NodeDisk) -> u64 {
        let watermark = match stage {
            Stage::Low => self.low,
            Stage::High => self.high,
            Stage::FloodStage => self.flood_stage,
        };
        watermark.free_bytes(disk.total)
    }

    /// The most severe watermark that a node's disk exceeds, enforced or not.
    pub fn stage(&self, disk: &NodeDisk) -> Option<Stage> {
        [Stage::FloodStage, Stage::High, Stage::Low]
            .into_iter()
            .find(|stage| disk.available < self.threshold(*stage, disk))
    }

    /// Decides, from the disks of the data nodes, if there is room for heavy writes into new indices.
    ///
    /// There is none when a node exceeds the flood stage, as indices with a shard there refuse writes, or
    /// when all exceed the high watermark, as no node accepts a shard of a new index. One full node
    /// among several, from which the cluster moves shards away, is a warning.
    pub fn gate(&self, disks: &[NodeDisk]) -> DiskGate {
        if !self.enabled {
            return DiskGate::Ok;
        }
        let mut past: Vec<(Stage, &NodeDisk)> =
            disks.iter().filter_map(|disk| Some((self.stage(disk)?, disk))).collect();
        past.sort_by_key(|(stage, disk)| (std::cmp::Reverse(*stage), disk.available));
        let Some((stage, worst)) = past.first().copied() else { return DiskGate::Ok };
        let shortage = DiskShortage {
            node: worst.node.clone(),
            available: worst.available,
            threshold: self.threshold(stage, worst),
            stage,
        };
        let all_past_high = past.len() == disks.len() && past.iter().all(|(stage, _)| *stage >= Stage::High);
        if stage == Stage::FloodStage || all_past_high {
            DiskGate::Refused(shortage)
        } else {
            DiskGate::Warned(shortage)
        }
    }
}

/// The room for heavy writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskGate {
    /// Every disk is below the low watermark, or watermarks are not enforced.
    Ok,
    /// There is room, but a disk exceeds a watermark.
    Warned(DiskShortage),
    /// Writes would be refused, or new shards could not be allocated.
    Refused(DiskShortage),
}

/// The disk that exceeds the most severe watermark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskShortage {
    /// The node.
    pub node: String,
    /// Its available bytes.
    pub available: u64,
    /// The bytes that the watermark requires to be free.
    pub threshold: u64,
    /// The watermark.
    pub stage: Stage,
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1 << 30;

    fn used(percent: f64, max_headroom: Option<u64>) -> Watermark {
        Watermark::Used { share: percent / 100.0, max_headroom }
    }

    fn defaults() -> DiskWatermarks {
        DiskWatermarks {
            enabled: true,
            low: used(85.0, Some(200 * GB)),
            high: used(90.0, Some(150 * GB)),
            flood_stage: used(95.0, Some(100 * GB)),
        }
    }

    fn disk(node: &str, total: u64, available: u64) -> NodeDisk {
        NodeDisk { node: node.into(), total, free: available, available }
    }

    #[test]
    fn every_form_of_a_watermark_is_read() {
        let table = [
            ("85%", None, used(85.0, None)),
            ("85%", Some("200GB"), used(85.0, Some(200 * GB))),
            ("85%", Some("-1"), used(85.0, None)),
            (" 92.5 %", None, used(92.5, None)),
            ("0.9", Some("1.5tb"), used(90.0, Some(1536 * GB))),
            ("1", None, used(100.0, None)),
            ("10gb", Some("200GB"), Watermark::Free(10 * GB)),
            ("500MB", None, Watermark::Free(500 << 20)),
            ("1k", None, Watermark::Free(1024)),
            ("0b", None, Watermark::Free(0)),
        ];
        for (text, headroom, expected) in table {
            assert_eq!(Watermark::parse(text, headroom).unwrap(), expected, "{text}");
        }
        for wrong in ["", "85 parsecs", "120%", "-5%", "gb", "1.7", "NaN", "10 %%", "5xb"] {
            assert_eq!(Watermark::parse(wrong, None).unwrap_err().kind(), ErrorKind::Decode, "{wrong}");
        }
        assert_eq!(Watermark::parse("85%", Some("much")).unwrap_err().kind(), ErrorKind::Decode);
    }

    #[test]
    fn thresholds_are_bytes_and_large_disks_need_no_more_than_the_headroom() {
        let table = [
            (used(85.0, None), 1000, 150),
            (used(85.0, Some(200 * GB)), 1000 * GB, 150 * GB),
            (used(85.0, Some(200 * GB)), 10_000 * GB, 200 * GB),
            (used(85.0, None), 10_000 * GB, 1_500 * GB),
            (Watermark::Free(10 * GB), 50 * GB, 10 * GB),
            (Watermark::Free(10 * GB), 5 * GB, 10 * GB),
            (used(100.0, None), 1000, 0),
            (used(0.0, None), 1000, 1000),
            // The part that may be used is rounded up.
            (used(85.0, None), 10, 1),
        ];
        for (watermark, total, free) in table {
            assert_eq!(watermark.free_bytes(total), free, "{watermark:?} of {total}");
        }
    }

    #[test]
    fn a_stage_begins_one_byte_below_its_threshold() {
        let marks = defaults();
        let total = 1000 * GB;
        let table = [
            (150 * GB, None),
            (150 * GB - 1, Some(Stage::Low)),
            (100 * GB, Some(Stage::Low)),
            (100 * GB - 1, Some(Stage::High)),
            (50 * GB, Some(Stage::High)),
            (50 * GB - 1, Some(Stage::FloodStage)),
            (0, Some(Stage::FloodStage)),
        ];
        for (available, stage) in table {
            assert_eq!(marks.stage(&disk("n", total, available)), stage, "{available}");
        }
    }

    #[test]
    fn writes_are_refused_when_they_would_fail_or_find_no_place() {
        let total = 1000 * GB;
        let of = |available: &[u64]| -> Vec<NodeDisk> {
            available.iter().enumerate().map(|(n, gb)| disk(&format!("n{n}"), total, gb * GB)).collect()
        };
        let short = |node: &str, available: u64, threshold: u64, stage| DiskShortage {
            node: node.into(),
            available: available * GB,
            threshold: threshold * GB,
            stage,
        };
        let refused = |node, available, threshold, stage| DiskGate::Refused(short(node, available, threshold, stage));
        let warned = |node, available, threshold, stage| DiskGate::Warned(short(node, available, threshold, stage));
        let table = [
            (of(&[]), DiskGate::Ok),
            (of(&[500]), DiskGate::Ok),
            (of(&[120]), warned("n0", 120, 150, Stage::Low)),
            (of(&[120, 110]), warned("n1", 110, 150, Stage::Low)),
            (of(&[80]), refused("n0", 80, 100, Stage::High)),
            (of(&[80, 70]), refused("n1", 70, 100, Stage::High)),
            // One full node among several is relieved by the others.
            (of(&[500, 80]), warned("n1", 80, 100, Stage::High)),
            (of(&[120, 80]), warned("n1", 80, 100, Stage::High)),
            // But what lies on it refuses writes from the flood stage on.
            (of(&[500, 20]), refused("n1", 20, 50, Stage::FloodStage)),
            (of(&[20]), refused("n0", 20, 50, Stage::FloodStage)),
        ];
        for (disks, expected) in table {
            assert_eq!(defaults().gate(&disks), expected, "{disks:?}");
        }
        let off = DiskWatermarks { enabled: false, ..defaults() };
        assert_eq!(off.gate(&of(&[0])), DiskGate::Ok);
    }
}
