//! Limits that the kernel holds, set before a byte of a tenant is read.

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, Signal, getrlimit, set_parent_process_death_signal, setrlimit};

use super::Limits;

/// Sets them, for this process and all that it starts.
pub(super) fn set(limits: &Limits) -> Result<(), Errno> {
    // Written memory and not address space: the sandbox reserves terabytes that it never touches.
    limit(Resource::Data, limits.memory_bytes)?;
    limit(Resource::Cpu, limits.cpu_seconds)?;
    limit(Resource::Fsize, limits.file_bytes)?;
    limit(Resource::Nofile, limits.open_files)?;
    limit(Resource::Core, 0)?;
    // A server that is killed leaves nobody behind who writes into a run directory.
    set_parent_process_death_signal(Some(Signal::KILL))
}

fn limit(resource: Resource, most: u64) -> Result<(), Errno> {
    // What this process was started with may be less; it cannot be raised, and need not be.
    let most = getrlimit(resource).maximum.map_or(most, |allowed| most.min(allowed));
    setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
}
