//! Timings in the body of an answer.

use serde_json::Value;

use super::path::JsonPath;
use crate::benchmark::stages::http::TimingUnit;
use crate::replay::Timing;

/// A timing in the body of an answer.
#[derive(Debug, Clone)]
pub(super) struct AnswerTiming {
    pub(super) name: String,
    pub(super) path: JsonPath,
    pub(super) unit: TimingUnit,
}

impl AnswerTiming {
    /// Returns the timing, where the path finds a number of at least 0: what an engine reports may depend on its settings.
    pub(super) fn read(&self, answer: &Value) -> Option<Timing> {
        let number = self.path.find(answer).first()?.as_f64()?;
        let latency_ns = nanoseconds(number, self.unit)?;
        Some(Timing { name: self.name.clone(), latency_ns })
    }
}

/// Returns so much of a unit in whole nanoseconds; `None` for what is no length of time.
pub(super) fn nanoseconds(number: f64, unit: TimingUnit) -> Option<i64> {
    let factor = match unit {
        TimingUnit::Nanoseconds => 1.0,
        TimingUnit::Microseconds => 1e3,
        TimingUnit::Milliseconds => 1e6,
        TimingUnit::Seconds => 1e9,
    };
    let nanoseconds = (number * factor).round();
    #[expect(clippy::cast_possible_truncation, reason = "far inside of the range")]
    (0.0..1e18).contains(&nanoseconds).then_some(nanoseconds as i64)
}
