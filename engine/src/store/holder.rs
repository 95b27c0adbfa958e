//! Who holds the lease of a run directory in an object store.

use std::fmt;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A process that works in a run directory, as it tells of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Holder {
    /// Of this lease and no other.
    pub(super) id: String,
    /// The name of its machine, for people.
    host: String,
    /// Its number there.
    pid: u32,
    /// What tells its machine and the processes that it sees from others; empty where that is not known.
    machine: String,
    /// When the system started it, which tells it from a later process of its number.
    started: String,
    /// Its version.
    engine_version: String,
    /// How long it may be silent.
    lasts_ms: u64,
    /// Whether it is done.
    pub(super) released: bool,
}

/// Returns this machine's name, where the system says it.
pub(crate) fn host_name() -> Option<String> {
    read("/proc/sys/kernel/hostname")
}

/// Returns a name of 32 letters that nobody else has.
pub(crate) fn random_id() -> String {
    let mut id = [0; 16];
    // Without the system's random numbers the process and the time have to do.
    if getrandom::fill(&mut id).is_err() {
        let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
        id = (since ^ u128::from(std::process::id()) << 96).to_le_bytes();
    }
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Holder {
    /// Returns this process, with an id that nobody else has.
    pub(super) fn this_process(lasts: Duration) -> Self {
        let pid = std::process::id();
        Self {
            id: random_id(),
            host: host_name().unwrap_or_default(),
            pid,
            machine: machine(),
            started: started(pid).unwrap_or_default(),
            engine_version: env!("CARGO_PKG_VERSION").to_owned(),
            lasts_ms: u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX),
            released: false,
        }
    }

    /// Returns somebody of whom nothing is known.
    pub(super) fn unknown(lasts: Duration) -> Self {
        let nothing = String::new;
        let lasts_ms = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX);
        Self {
            id: nothing(),
            host: nothing(),
            pid: 0,
            machine: nothing(),
            started: nothing(),
            engine_version: nothing(),
            lasts_ms,
            released: false,
        }
    }

    /// Returns the same, done.
    pub(super) fn done(self) -> Self {
        Self { released: true, ..self }
    }

    /// Reads what [`Holder::bytes`] wrote; `None` for anything else.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    pub(super) fn bytes(&self) -> io::Result<Bytes> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        Ok(text.into())
    }

    /// Returns how long the holder may be silent.
    pub(super) fn lasts(&self) -> Duration {
        Duration::from_millis(self.lasts_ms)
    }

    /// Returns whether the holder was a process that this one would see, and does not.
    pub(super) fn is_gone(&self) -> bool {
        let is_seen = !self.machine.is_empty() && !self.started.is_empty() && self.machine == machine();
        is_seen && started(self.pid).as_ref() != Some(&self.started)
    }

    #[cfg(test)]
    pub(super) fn of_elsewhere(mut self) -> Self {
        "another machine".clone_into(&mut self.machine);
        self
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pid == 0 {
            return formatter.write_str("a process of another version");
        }
        // It comes from whoever writes to the store, and goes to a terminal.
        let host: String = self.host.chars().filter(|letter| !letter.is_control()).take(80).collect();
        write!(formatter, "process {} on `{host}`", self.pid)
    }
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Containers of one machine share its name or its start, but not their processes.
fn machine() -> String {
    let processes = std::fs::read_link("/proc/self/ns/pid").ok().map(|link| link.display().to_string());
    let parts = [read("/proc/sys/kernel/random/boot_id"), processes];
    let parts: Option<Vec<String>> = parts.into_iter().collect();
    parts.map_or_else(String::new, |parts| super::sha256_of_bytes(parts.join("\n").as_bytes()))
}

/// Returns when a process was started, in the system's own words; `None` where there is none, or only what is left of one.
fn started(pid: u32) -> Option<String> {
    let stat = read(&format!("/proc/{pid}/stat"))?;
    // The name in parentheses may hold anything.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    // Field 22 of the file; the state is field 3.
    fields.nth(18).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_gone_when_it_ended_or_its_number_is_another_ones() {
        let this = Holder::this_process(Duration::from_secs(1));
        assert!(!this.is_gone());
        assert!(Holder { started: "1".into(), ..this.clone() }.is_gone());
        assert!(Holder { pid: u32::MAX, ..this.clone() }.is_gone());
        assert!(!Holder { pid: u32::MAX, ..this }.of_elsewhere().is_gone(), "nobody can tell");
        let mut child = std::process::Command::new("true").spawn().expect("a child");
        let pid = child.id();
        let found = started(pid);
        child.wait().expect("ended");
        assert!(found.is_none() || started(pid) != found);
    }

    #[test]
    fn what_a_stranger_wrote_does_not_reach_the_terminal_as_it_is() {
        let holder = Holder { host: "a\u{1b}[31mb\n".into(), pid: 7, ..Holder::unknown(Duration::ZERO) };
        assert_eq!(holder.to_string(), "process 7 on `a[31mb`");
        assert_eq!(Holder::unknown(Duration::ZERO).to_string(), "a process of another version");
        assert!(Holder::read(b"{\"id\": 7}").is_none());
    }
}
