//! What all plugins of a process share.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use super::SandboxError;
use super::cache::CodeCache;
use super::engine::Engines;
use super::log::{CallLog, LogMessage};
use super::slots::Slots;

/// Hears the messages of components, each with the name of its scorer or stage.
pub type LogSink = Arc<dyn Fn(&str, &LogMessage) + Send + Sync>;

/// How a [`PluginHost`] is set up. By default nothing is kept between processes, components are compiled in this one,
/// and what they log is dropped.
#[derive(Clone, Default)]
pub struct HostSettings {
    /// Folder of compiled code. It is made where it does not exist, and used only if nobody else can write into it.
    pub cache: Option<PathBuf>,
    /// What compiles components, under limits on CPU time and memory. It needs a cache, by which it hands the code over.
    pub compiler: Option<Compiler>,
    /// Hears what components log, with the name of its scorer or stage.
    pub log: Option<LogSink>,
}

/// A program that compiles a component in a process of its own, where it can be ended.
///
/// It is called as `program arguments... COMPONENT CACHE CPU_SECONDS MEMORY_BYTES`. It must limit its own CPU time and
/// address space to the numbers given and then call [`compile_into_cache`](super::compile_into_cache) with the first
/// two; an error goes to its standard error, in one line, with an exit code other than 0.
#[derive(Debug, Clone)]
pub struct Compiler {
    /// The program.
    pub program: PathBuf,
    /// Its arguments before the four named above.
    pub arguments: Vec<OsString>,
}

/// Wasmtime for all plugins of a process: its engines, the clock behind deadlines, the pool of instances, the cache of
/// compiled code.
pub struct PluginHost {
    pub(crate) engines: Engines,
    pub(crate) slots: Arc<Slots>,
    pub(crate) cache: Option<CodeCache>,
    pub(crate) compiler: Option<Compiler>,
    pub(crate) log: Option<LogSink>,
    pub(crate) stop: Arc<AtomicBool>,
}

impl PluginHost {
    /// Returns the flag that stops all plugins when it is set: no further call is begun, and whoever wants one gives up.
    #[must_use]
    pub fn stop(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// Returns a host without plugins; each plugin is loaded into one.
    ///
    /// # Errors
    ///
    /// [`SandboxError::Host`] when the cache's folder cannot be made or is not ours alone, when a compiler is set without
    /// a cache, or when this machine cannot run WebAssembly.
    pub fn new(settings: HostSettings) -> Result<Self, SandboxError> {
        let HostSettings { cache, compiler, log } = settings;
        let failed = |reason| SandboxError::Host { reason };
        if compiler.is_some() && cache.is_none() {
            return Err(failed("a compiler is set without a cache, which it needs to hand its code over".to_owned()));
        }
        let cache = cache.map(|folder| CodeCache::open(&folder)).transpose().map_err(failed)?;
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let slots = u32::try_from(threads.saturating_mul(4)).unwrap_or(u32::MAX).clamp(16, 128);
        let engines = Engines::new(cache.as_ref().map(CodeCache::wasmtime), slots)
            .map_err(|error| failed(format!("wasmtime cannot be set up: {error:#}")))?;
        Ok(Self { engines, slots: Arc::new(Slots::new(slots)), cache, compiler, log, stop: Arc::default() })
    }

    /// Returns a host with the same cache and the same compiler that drops what components log, and stops with this one.
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub fn unheard(&self) -> Result<Self, SandboxError> {
        let cache = self.cache.as_ref().map(|cache| cache.folder().to_owned());
        let silent = Self::new(HostSettings { cache, compiler: self.compiler.clone(), log: None })?;
        Ok(Self { stop: Arc::clone(&self.stop), ..silent })
    }

    /// Passes on what a component said in a call.
    pub(crate) fn hear(&self, plugin: &str, log: &CallLog) {
        if let Some(sink) = &self.log {
            log.messages.iter().for_each(|message| sink(plugin, message));
        }
    }
}

impl std::fmt::Debug for PluginHost {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("PluginHost").field("compiler", &self.compiler).finish_non_exhaustive()
    }
}
