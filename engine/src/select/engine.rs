//! The one place that configures DataFusion: how much memory it may use, and where it spills.

use std::path::Path;
use std::sync::Arc;

use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use tempfile::TempDir;

use super::SelectError;

/// DataFusion's own default for what a sort sets aside so that it can merge what it holds before it spills.
const SORT_RESERVATION_BYTES: usize = 10 << 20;

/// DataFusion with a limit of memory, and a folder to spill to that lives as long as this.
pub(crate) struct Engine {
    memory_bytes: usize,
    /// Taken by what DataFusion does not see.
    held_bytes: usize,
    batch_rows: usize,
    scratch: TempDir,
}

impl Engine {
    /// Makes the folder to spill to: hidden in `folder`, or among the system's temporary files where that cannot be.
    pub(crate) fn new(folder: &Path, memory_bytes: usize) -> Result<Self, SelectError> {
        let hidden = || tempfile::Builder::new().prefix(".rematch-select-").to_owned();
        let scratch = hidden().tempdir_in(folder).or_else(|_| hidden().tempdir());
        Ok(Self { memory_bytes, held_bytes: 0, batch_rows: 1024, scratch: scratch.map_err(SelectError::Scratch)? })
    }

    /// Sets the number of rows of a batch that fits in memory many times.
    pub(super) fn set_batch_rows(&mut self, batch_rows: usize) {
        self.batch_rows = batch_rows;
    }

    /// Takes off the memory that something else holds while this is used.
    pub(super) fn set_aside(&mut self, held_bytes: usize) {
        self.held_bytes = held_bytes;
    }

    fn available_bytes(&self) -> usize {
        self.memory_bytes.saturating_sub(self.held_bytes)
    }

    /// Returns the limit of memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Returns a context in which rows that come in order stay in order: everything is one partition.
    pub(crate) fn ordered(&self) -> Result<SessionContext, SelectError> {
        self.context(1)
    }

    /// Returns a context that uses every core where the order of rows does not matter.
    pub(super) fn parallel(&self) -> Result<SessionContext, SelectError> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        // Each partition sets memory aside; below that, more of them only spill more.
        let affordable = self.available_bytes() / (8 * SORT_RESERVATION_BYTES);
        self.context(cores.min(affordable).max(1))
    }

    fn context(&self, partitions: usize) -> Result<SessionContext, SelectError> {
        let mut config = SessionConfig::new().with_target_partitions(partitions).with_batch_size(self.batch_rows);
        let execution = &mut config.options_mut().execution;
        execution.sort_spill_reservation_bytes = SORT_RESERVATION_BYTES.min(self.available_bytes() / (8 * partitions));
        let disk = DiskManagerMode::Directories(vec![self.scratch.path().to_owned()]);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(FairSpillPool::new(self.available_bytes())))
            .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(disk))
            .build_arc()?;
        Ok(SessionContext::new_with_config_rt(config, runtime))
    }

    /// Returns the error of a plan that failed.
    pub(super) fn failed(&self, error: DataFusionError) -> SelectError {
        match error.find_root() {
            DataFusionError::ResourcesExhausted(_) => {
                SelectError::Memory { limit_bytes: self.memory_bytes, source: Box::new(error) }
            }
            _ => SelectError::Engine(error),
        }
    }
}

/// Returns whether the error is that of a name that no column has.
pub(crate) fn names_no_column(error: &DataFusionError) -> bool {
    match error.find_root() {
        DataFusionError::SchemaError(error, _) => matches!(error.as_ref(), SchemaError::FieldNotFound { .. }),
        _ => false,
    }
}
