//! Why a worker ended without a word, by how it ended and what it last said.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use rustix::process::Signal;

use crate::worker::Limits;

/// Why a worker ended without a word.
///
/// All but [`Death::Taken`] lie in the order: the same order ends the same way again, so that trying it again would only take
/// time from others.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Death {
    /// Memory could not be had.
    #[error("it needs more than the {} MiB of memory that it may take", .limit_bytes >> 20)]
    Memory {
        /// The most that it may take.
        limit_bytes: u64,
    },
    /// Its processor time was over.
    #[error("it needs more than the {limit_seconds} s of processor time that it may take")]
    ProcessorTime {
        /// The most that it may take.
        limit_seconds: u64,
    },
    /// A file grew too large.
    #[error("it writes a file of more than the {} MiB that one may have", .limit_bytes >> 20)]
    FileSize {
        /// The most that a file may have.
        limit_bytes: u64,
    },
    /// The stack was used up.
    #[error("it ran out of stack: something in its input is nested too deeply")]
    Stack,
    /// It wrote more than an answer may have.
    #[error("its answer is larger than {} MiB", .limit_bytes >> 20)]
    Answer {
        /// The most that a line may have.
        limit_bytes: usize,
    },
    /// It crashed.
    #[error("it crashed on its input ({how})")]
    Crash {
        /// How.
        how: String,
    },
    /// Somebody else ended it: the system when memory ran short, or a person.
    #[error("it was ended from outside ({how}), as the system does when the machine's memory runs short")]
    Taken {
        /// How.
        how: String,
    },
}

impl Death {
    /// Returns why a worker ended with that status, having said `log` on stderr.
    pub(super) fn of(status: ExitStatus, log: &str, limits: &Limits) -> Self {
        let is = |signal: Signal| status.signal() == Some(signal.as_raw());
        if is(Signal::XCPU) {
            return Self::ProcessorTime { limit_seconds: limits.cpu_seconds };
        }
        if is(Signal::XFSZ) {
            return Self::FileSize { limit_bytes: limits.file_bytes };
        }
        if is(Signal::KILL) || is(Signal::TERM) || is(Signal::HUP) || is(Signal::INT) || is(Signal::QUIT) {
            return Self::Taken { how: status.to_string() };
        }
        if log.contains("has overflowed its stack") {
            return Self::Stack;
        }
        // What an allocation says that fails, and a thread for whose stack there is no room.
        let signs = ["memory allocation of", "Cannot allocate memory", "failed to spawn thread", "out of memory"];
        if signs.iter().any(|sign| log.contains(sign)) {
            return Self::Memory { limit_bytes: limits.memory_bytes };
        }
        Self::Crash { how: status.to_string() }
    }

    /// Returns whether another attempt may fare better.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Taken { .. })
    }

    /// Returns a stable identifier.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Memory { .. } => "memory_limit",
            Self::ProcessorTime { .. } => "cpu_limit",
            Self::FileSize { .. } => "file_limit",
            Self::Stack | Self::Crash { .. } => "worker_crashed",
            Self::Answer { .. } => "answer_limit",
            Self::Taken { .. } => "worker_died",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits { memory_bytes: 64 << 20, cpu_seconds: 7, file_bytes: 3 << 20, open_files: 9, processes: 9 }
    }

    fn of(signal: i32, log: &str) -> Death {
        Death::of(ExitStatus::from_raw(signal), log, &limits())
    }

    #[test]
    fn each_way_to_end_names_the_limit_that_was_hit() {
        let cases = [
            (6, "memory allocation of 123 bytes failed", "memory_limit", "more than the 64 MiB of memory"),
            (
                134 << 8,
                "error: memory allocation of 123 bytes failed",
                "memory_limit",
                "more than the 64 MiB of memory",
            ),
            (101 << 8, "failed to spawn thread: Os { code: 11 }", "memory_limit", "64 MiB"),
            (24, "", "cpu_limit", "more than the 7 s of processor time"),
            (25, "", "file_limit", "more than the 3 MiB"),
            (6, "thread 'main' has overflowed its stack", "worker_crashed", "nested too deeply"),
            (11, "", "worker_crashed", "crashed on its input (signal: 11"),
            (3 << 8, "", "worker_crashed", "exit status: 3"),
            (0, "", "worker_crashed", "exit status: 0"),
            (9, "", "worker_died", "ended from outside"),
            (15, "", "worker_died", "ended from outside"),
        ];
        for (status, log, code, words) in cases {
            let death = of(status, log);
            assert_eq!(death.code(), code, "{status}");
            assert!(death.to_string().contains(words), "{death}");
            assert_eq!(death.may_pass(), code == "worker_died", "only what comes from outside may pass");
        }
    }
}
