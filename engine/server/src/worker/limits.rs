//! Limits that the kernel holds, set before a byte of a tenant is read.

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, Signal, getppid, getrlimit, set_parent_process_death_signal, setrlimit};

use super::Limits;

/// Seconds between the signal that says that the processor's time is over, by which the cause is known, and the last one.
const CPU_GRACE_SECONDS: u64 = 5;

/// Sets them, for this process and all that it starts.
pub(super) fn set(limits: &Limits) -> Result<(), Errno> {
    // Written memory and not address space: the sandbox reserves terabytes that it never touches.
    limit(Resource::Data, limits.memory_bytes, 0)?;
    limit(Resource::Cpu, limits.cpu_seconds, CPU_GRACE_SECONDS)?;
    limit(Resource::Fsize, limits.file_bytes, 0)?;
    limit(Resource::Nofile, limits.open_files, 0)?;
    limit(Resource::Nproc, limits.processes, 0)?;
    limit(Resource::Core, 0, 0)?;
    // A server that is killed leaves nobody behind who writes into a run directory.
    set_parent_process_death_signal(Some(Signal::KILL))
}

/// Returns whether this process is still a child of `server`: one that died before the limits were set sends no signal.
pub(super) fn is_child_of(server: u32) -> bool {
    getppid().is_some_and(|parent| u32::try_from(parent.as_raw_pid()) == Ok(server))
}

fn limit(resource: Resource, most: u64, grace: u64) -> Result<(), Errno> {
    // What this process was started with may be less; it cannot be raised, and need not be.
    let within = |most: u64| getrlimit(resource).maximum.map_or(most, |allowed| most.min(allowed));
    let (current, maximum) = (within(most), within(most.saturating_add(grace)));
    setrlimit(resource, Rlimit { current: Some(current), maximum: Some(maximum) })
}
