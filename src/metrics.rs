//! What the controller counts. Labels have few values, all known to the code: nothing of a user's naming is a label.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// A value of a label: a kind, a verb, an outcome.
type Word = Cow<'static, str>;

/// From a pass that only reads caches to one that waits for a database.
const SECONDS: [f64; 11] = [
    0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0,
];

/// The controller's metrics. Cheap to clone, shared by all that count.
#[derive(Clone)]
pub struct Metrics {
    passes: Family<Pass, Counter>,
    durations: Family<Kind, Histogram, fn() -> Histogram>,
    watch_errors: Family<Kind, Counter>,
    writes: Family<Write, Counter>,
    errors: Family<Category, Counter>,
    leader: Gauge,
    registry: std::sync::Arc<Registry>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Pass {
    kind: Word,
    outcome: Word,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Kind {
    kind: Word,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Write {
    kind: Word,
    verb: Word,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Category {
    category: Word,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Metrics at zero.
    pub fn new() -> Self {
        let mut metrics = Self {
            passes: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            watch_errors: Family::default(),
            writes: Family::default(),
            errors: Family::default(),
            leader: Gauge::default(),
            registry: Registry::default().into(),
        };
        metrics.registry = metrics.register().into();
        metrics
    }

    fn register(&self) -> Registry {
        let mut registry = Registry::default();
        let ours = registry.sub_registry_with_prefix("towpath");
        ours.register(
            "reconcile_passes",
            "Passes over objects, by kind and outcome",
            self.passes.clone(),
        );
        let help = "How long passes took, by kind";
        ours.register_with_unit(
            "reconcile_duration",
            help,
            Unit::Seconds,
            self.durations.clone(),
        );
        ours.register(
            "watch_errors",
            "Errors of watches, by kind",
            self.watch_errors.clone(),
        );
        ours.register(
            "writes",
            "Requests that change something, by kind and verb; at rest there are none",
            self.writes.clone(),
        );
        ours.register(
            "errors",
            "Errors of what is outside, by category",
            self.errors.clone(),
        );
        ours.register(
            "leader",
            "1 while this process leads, else 0",
            self.leader.clone(),
        );
        registry.register_collector(Box::new(Memory));
        registry
    }

    /// Counts a pass over an object of a kind, how it ended and how long it took.
    pub fn pass(&self, kind: impl Into<Word>, outcome: impl Into<Word>, took: Duration) {
        let kind = kind.into();
        self.durations
            .get_or_create(&Kind { kind: kind.clone() })
            .observe(took.as_secs_f64());
        self.passes
            .get_or_create(&Pass {
                kind,
                outcome: outcome.into(),
            })
            .inc();
    }

    /// Counts an error of the watch of a kind.
    pub fn watch_error(&self, kind: impl Into<Word>) {
        self.watch_errors
            .get_or_create(&Kind { kind: kind.into() })
            .inc();
    }

    /// Counts a request that changes something.
    pub fn write(&self, kind: impl Into<Word>, verb: impl Into<Word>) {
        self.writes
            .get_or_create(&Write {
                kind: kind.into(),
                verb: verb.into(),
            })
            .inc();
    }

    /// Counts an error of what is outside.
    pub fn error(&self, category: impl Into<Word>) {
        self.errors
            .get_or_create(&Category {
                category: category.into(),
            })
            .inc();
    }

    /// Says whether this process leads.
    pub fn leads(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// All metrics as text, as Prometheus reads them.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// The memory of this process, asked of the kernel on each scrape. Its name is that of Prometheus' own libraries, so that
/// their dashboards know it.
#[derive(Debug)]
struct Memory;

impl Collector for Memory {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let Some(bytes) = resident_bytes() else {
            return Ok(());
        };
        let gauge = ConstGauge::new(bytes);
        let kind = gauge.metric_type();
        gauge.encode(encoder.encode_descriptor(
            "process_resident_memory",
            "Resident memory size",
            Some(&Unit::Bytes),
            kind,
        )?)
    }
}

/// Resident memory, which the kernel tells in KiB whatever its pages are.
fn resident_bytes() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_counted_under_its_documented_name() {
        let metrics = Metrics::new();
        metrics.pass("Environment", "Ok", Duration::from_millis(20));
        metrics.pass("Environment", "Ok", Duration::from_millis(20));
        metrics.clone().watch_error("Deployment");
        metrics.write("Job", "create");
        metrics.error("Timeout");
        metrics.leads(true);
        let text = metrics.text().expect("text");
        for line in [
            r#"towpath_reconcile_passes_total{kind="Environment",outcome="Ok"} 2"#,
            r#"towpath_reconcile_duration_seconds_count{kind="Environment"} 2"#,
            r#"towpath_reconcile_duration_seconds_bucket{le="0.05",kind="Environment"} 2"#,
            r#"towpath_watch_errors_total{kind="Deployment"} 1"#,
            r#"towpath_writes_total{kind="Job",verb="create"} 1"#,
            r#"towpath_errors_total{category="Timeout"} 1"#,
            "towpath_leader 1",
            "# TYPE process_resident_memory_bytes gauge",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn memory_is_that_of_this_process() {
        let bytes = resident_bytes().expect("procfs");
        assert!((1_000_000..8_000_000_000).contains(&bytes), "{bytes}");
    }
}
