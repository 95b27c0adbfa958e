//! Failures on demand: the n-th call of a kind fails, does half of its work, or is the last thing that the process does.
//!
//! What a crash or a full disk does to a run is tested at every call, not where somebody thought of it. A process is armed
//! once, before it works; unarmed, a call costs one relaxed load.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::calls::Call;

/// What happens at a failpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The call is not made and fails with an I/O error.
    Error,
    /// Half of the bytes are read or written; a write fails then, a read does not (a short read is legal).
    Short,
    /// The call is made, and then the process is gone, as by `kill -9`.
    Crash,
}

impl Failure {
    /// Every failure.
    pub const ALL: [Self; 3] = [Self::Error, Self::Short, Self::Crash];

    const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Short => "short",
            Self::Crash => "crash",
        }
    }

    /// Returns whether the failure can happen to the call: only what moves bytes can move half of them.
    #[must_use]
    pub fn can_befall(self, call: Call) -> bool {
        self != Self::Short || matches!(call, Call::Read | Call::Write)
    }
}

/// A failure of the n-th call of a kind. As text `CALL:N:FAILURE`, `rename:3:crash` say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failpoint {
    /// The call.
    pub call: Call,
    /// Which of them, from 1; 0 never happens, and calls are only counted.
    pub number: u64,
    /// What happens.
    pub failure: Failure,
}

/// The text is no failpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a failpoint, expected `CALL:N:FAILURE` such as `rename:3:crash`")]
pub struct FailpointError {
    found: String,
}

impl FromStr for Failpoint {
    type Err = FailpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let mut parts = text.split(':');
            let (call, number, failure) = (parts.next()?, parts.next()?, parts.next()?);
            let call = Call::ALL.into_iter().find(|known| known.name() == call)?;
            let failure = Failure::ALL.into_iter().find(|known| known.name() == failure)?;
            let number = number.parse().ok()?;
            (parts.next().is_none() && failure.can_befall(call)).then_some(Self { call, number, failure })
        };
        parse().ok_or_else(|| FailpointError { found: text.to_owned() })
    }
}

impl fmt::Display for Failpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.call.name(), self.number, self.failure.name())
    }
}

/// What an armed process counts.
struct Armed {
    failpoint: Failpoint,
    calls: [AtomicU64; Call::ALL.len()],
    fired: AtomicBool,
}

static IS_ARMED: AtomicBool = AtomicBool::new(false);
static ARMED: OnceLock<Armed> = OnceLock::new();

/// Arms this process; only the first call counts.
pub fn arm(failpoint: Failpoint) {
    ARMED.get_or_init(|| Armed { failpoint, calls: Default::default(), fired: AtomicBool::new(false) });
    IS_ARMED.store(true, Ordering::Release);
}

/// Returns how often each call was made since this process was armed; zeros where it is not.
#[must_use]
pub fn counts() -> Vec<(Call, u64)> {
    let count =
        |index: usize| ARMED.get().and_then(|armed| armed.calls.get(index)).map(|calls| calls.load(Ordering::Relaxed));
    Call::ALL.into_iter().enumerate().map(|(index, call)| (call, count(index).unwrap_or(0))).collect()
}

/// Returns whether the failpoint was reached.
#[must_use]
pub fn fired() -> bool {
    ARMED.get().is_some_and(|armed| armed.fired.load(Ordering::Relaxed))
}

/// Returns what befalls this call.
pub(super) fn reached(call: Call) -> Option<Failure> {
    if !IS_ARMED.load(Ordering::Relaxed) {
        return None;
    }
    let armed = ARMED.get()?;
    let number = armed.calls.get(call as usize)?.fetch_add(1, Ordering::Relaxed) + 1;
    let hit = armed.failpoint.call == call && armed.failpoint.number == number;
    hit.then(|| {
        armed.fired.store(true, Ordering::Relaxed);
        armed.failpoint.failure
    })
}

/// Ends the process as `kill -9` would: nothing is flushed, nothing is dropped.
pub(super) fn crash() -> ! {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    std::process::abort()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failpoint_prints_as_it_is_written_and_nonsense_is_refused() {
        for call in Call::ALL {
            for failure in Failure::ALL {
                let failpoint = Failpoint { call, number: 7, failure };
                let read = failpoint.to_string().parse();
                assert_eq!(read.is_ok(), failure.can_befall(call), "{failpoint}");
                assert!(read.is_err() || read == Ok(failpoint));
            }
        }
        for text in ["", "rename", "rename:1", "rename:x:error", "rename:1:error:", "fly:1:error", "rename:1:short"] {
            assert!(text.parse::<Failpoint>().unwrap_err().to_string().contains("CALL:N:FAILURE"), "{text}");
        }
    }

    #[test]
    fn every_call_stands_at_its_own_index() {
        for (index, call) in Call::ALL.into_iter().enumerate() {
            assert_eq!(call as usize, index);
        }
    }
}
