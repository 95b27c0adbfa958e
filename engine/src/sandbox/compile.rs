//! From bytes to a compiled component: in this process, or in one that can be ended.
//!
//! Compiling cannot be metered from inside: a legal component of a megabyte can keep the compiler busy for minutes and
//! fill the memory. Where a [`Compiler`] is set, a component that the cache does not hold yet is compiled in a child
//! process, which limits its own CPU time and memory and leaves the code in the cache.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use wasmtime::Engine;
use wasmtime::component::Component;

use super::cache::CodeCache;
use super::engine;
use super::host::{Compiler, PluginHost};
use super::load::ComponentFile;
use crate::benchmark::Limits;

/// How often a child process is looked at.
const POLL: Duration = Duration::from_millis(5);

/// Time that a child gets by the wall clock, in multiples of its CPU time: others use the processors too.
const WALL_FACTOR: u64 = 3;

/// Most of a child's words that are read, bytes.
const MAX_WORDS: u64 = 16 << 10;

/// Compiles the component file `component` and leaves the code in the folder `cache`: what a [`Compiler`] does once it
/// has limited itself.
///
/// # Errors
///
/// Says in one line why the component does not compile, or why the code cannot be kept.
pub fn compile_into_cache(component: &Path, cache: &Path) -> Result<(), String> {
    let bytes = std::fs::read(component).map_err(|error| format!("it cannot be read: {error}"))?;
    let cache = CodeCache::open(cache)?;
    let engine = Engine::new(&engine::config(Some(cache.wasmtime().clone())))
        .map_err(|error| format!("wasmtime cannot be set up: {error:#}"))?;
    Component::from_binary(&engine, &bytes).map_err(|error| does_not_compile(&error))?;
    // Wasmtime counts code that it could write, and keeps silent about code that it could not.
    match cache.wasmtime().cache_misses() + cache.wasmtime().cache_hits() {
        0 => Err(format!("the compiled code cannot be written to `{}`", cache.folder().display())),
        _ => Ok(()),
    }
}

impl PluginHost {
    /// Compiles a component, or loads it from the cache. The flag says whether its instances come from the pool.
    pub(crate) fn compile(&self, file: &ComponentFile, limits: &Limits) -> Result<(Component, bool), String> {
        if let (Some(cache), Some(compiler)) = (&self.cache, &self.compiler)
            && !cache.has(file, self.engines.on_demand(), limits)
        {
            compile_in_child(compiler, cache, file, limits)?;
            cache
                .note(file, self.engines.on_demand(), limits)
                .map_err(|error| format!("the cache `{}` cannot be written: {error}", cache.folder().display()))?;
        }
        if let Some(pooled) = self.engines.pooled(limits)
            && let Ok(component) = Component::from_binary(pooled, &file.bytes)
        {
            return Ok((component, true));
        }
        let component = Component::from_binary(self.engines.on_demand(), &file.bytes);
        Ok((component.map_err(|error| does_not_compile(&error))?, false))
    }
}

fn does_not_compile(error: &wasmtime::Error) -> String {
    format!("it does not compile: {error:#}")
}

fn compile_in_child(
    compiler: &Compiler,
    cache: &CodeCache,
    file: &ComponentFile,
    limits: &Limits,
) -> Result<(), String> {
    let no_child = |error| format!("the compiler `{}` cannot be started: {error}", compiler.program.display());
    // The bytes that were hashed, where nobody else can change them.
    let mut component = tempfile::NamedTempFile::new_in(cache.folder()).map_err(no_child)?;
    component.write_all(&file.bytes).map_err(no_child)?;
    let mut words = tempfile::tempfile_in(cache.folder()).map_err(no_child)?;
    // The last line of what it says is the reason, not advice on backtraces.
    let mut child = Command::new(&compiler.program)
        .env_remove("RUST_BACKTRACE")
        .args(&compiler.arguments)
        .arg(component.path())
        .arg(cache.folder())
        .args([limits.compile_seconds.to_string(), limits.compile_memory_bytes.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(words.try_clone().map_err(no_child)?)
        .spawn()
        .map_err(no_child)?;
    let patience = Duration::from_secs(limits.compile_seconds.saturating_mul(WALL_FACTOR).saturating_add(1));
    let status = wait(&mut child, patience).map_err(no_child)?;
    match status {
        Some(status) if status.success() => Ok(()),
        _ => Err(why(status, &said(&mut words), limits)),
    }
}

/// Waits for the child to end and ends it when it takes too long by the wall clock; `None` says so.
fn wait(child: &mut Child, patience: Duration) -> std::io::Result<Option<ExitStatus>> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if started.elapsed() > patience {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(POLL);
    }
}

/// Returns what the child wrote to its standard error.
fn said(words: &mut File) -> String {
    let mut bytes = Vec::new();
    let read = words.seek(SeekFrom::Start(0)).and_then(|_| words.take(MAX_WORDS).read_to_end(&mut bytes));
    read.map_or_else(|error| error.to_string(), |_| String::from_utf8_lossy(&bytes).trim().to_owned())
}

/// Says why a child left no code. `status` is `None` when it was ended for taking too long.
fn why(status: Option<ExitStatus>, words: &str, limits: &Limits) -> String {
    let too_long = format!("compiling took more than {} s of CPU time", limits.compile_seconds);
    // The last is what the system says to a thread that there is no room for the stack of.
    let out_of_memory =
        ["memory allocation of", "Cannot allocate memory", "out of memory", "Resource temporarily unavailable"];
    match status {
        None => too_long,
        Some(status) if killed(status) => too_long,
        Some(_) if out_of_memory.iter().any(|sign| words.contains(sign)) => {
            format!("compiling took more than {} MiB of memory", limits.compile_memory_bytes >> 20)
        }
        Some(status) if words.is_empty() => format!("the compiler ended with {status} and said nothing"),
        Some(_) => words.lines().next_back().unwrap_or_default().to_owned(),
    }
}

/// Returns whether the system ended a process, which it does when its CPU time is over.
#[cfg(unix)]
fn killed(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt as _;

    const SIGKILL: i32 = 9;
    const SIGXCPU: i32 = 24;
    matches!(status.signal(), Some(SIGKILL | SIGXCPU))
}

#[cfg(not(unix))]
fn killed(_: ExitStatus) -> bool {
    false
}
