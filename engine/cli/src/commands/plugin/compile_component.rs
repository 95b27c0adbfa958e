//! `rematch compile-component`: the sandbox's compiler, in a process that the kernel ends when it takes too much.

use rematch_engine::score::wasm;
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::exit::{Exit, Failure};
use crate::plugin_arguments::CompileComponentArguments;
use crate::terminal::tell;

/// Compiles a component into the cache. The limits stand before a byte of the component is read.
pub(crate) fn compile_component(arguments: &CompileComponentArguments) -> Result<Exit, Failure> {
    let limited = limit(Resource::Cpu, arguments.cpu_seconds)
        .and_then(|()| limit(Resource::As, arguments.memory_bytes))
        // A compiler that is ended leaves no image of its memory behind.
        .and_then(|()| limit(Resource::Core, 0))
        .map_err(|error| format!("the limits of the compiler cannot be set: {error}"));
    match limited.and_then(|()| wasm::compile_into_cache(&arguments.component, &arguments.cache)) {
        Ok(()) => Ok(Exit::Done),
        Err(reason) => {
            // The process that called this one reads the reason there.
            tell(&reason.replace(['\n', '\r'], " "));
            Ok(Exit::Internal)
        }
    }
}

fn limit(resource: Resource, most: u64) -> Result<(), rustix::io::Errno> {
    // What this process was started with may be less; it cannot be raised, and need not be.
    let most = rustix::process::getrlimit(resource).maximum.map_or(most, |allowed| most.min(allowed));
    setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
}
