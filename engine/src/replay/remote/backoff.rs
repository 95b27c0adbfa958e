//! Waits between attempts: they double up to a cap, with a jitter that the seed fixes.

use std::time::Duration;

use crate::benchmark::PolicyPlan;

/// Returns the wait before the retry that follows attempt `attempt` (from 1) of the request with this `number`: between
/// half of and the whole of `retry-backoff` times 2^(attempt - 1), at most `retry-backoff-cap`.
pub(super) fn wait(plan: &PolicyPlan, number: u64, attempt: u32) -> Duration {
    let doubled = plan.retry_backoff.0.saturating_mul(1 << attempt.saturating_sub(1).min(20));
    let longest = doubled.min(plan.retry_backoff_cap.0);
    let word = mixed(plan.seed ^ mixed(number.wrapping_mul(31).wrapping_add(u64::from(attempt))));
    // 53 bits make an exact fraction of 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    let fraction = (word >> 11) as f64 / (1_u64 << 53) as f64;
    longest.mul_f64(0.5 + 0.5 * fraction)
}

/// The finaliser of splitmix64 (Steele, Lea and Flood 2014).
fn mixed(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::benchmark::TimeSpan;

    #[test]
    fn waits_double_up_to_the_cap_and_follow_the_seed() {
        let plan = PolicyPlan {
            retry_backoff: TimeSpan(Duration::from_millis(100)),
            retry_backoff_cap: TimeSpan(Duration::from_millis(300)),
            ..PolicyPlan::default()
        };
        for number in 0..100 {
            for (attempt, longest) in [(1, 100), (2, 200), (3, 300), (40, 300)] {
                let wait = wait(&plan, number, attempt).as_micros();
                assert!((longest * 500..=longest * 1000).contains(&wait), "{number} {attempt}: {wait} us");
            }
        }
        assert_eq!(wait(&plan, 7, 1), wait(&plan, 7, 1));
        assert_ne!(wait(&plan, 7, 1), wait(&plan, 8, 1));
        assert_ne!(wait(&plan, 7, 1), wait(&PolicyPlan { seed: 1, ..plan.clone() }, 7, 1));
    }
}
