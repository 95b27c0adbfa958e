//! Ballista's scheduler, which knows our node.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ballista_core::config::TaskSchedulingPolicy;
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::SchedulerConfig;
use ballista_scheduler::scheduler_process::{create_scheduler, start_grpc_service_with_listener};
use datafusion_proto::protobuf::{LogicalPlanNode, PhysicalPlanNode};
use tokio::net::TcpListener;

use super::ClusterError;
use super::codec::Codec;
use super::error::cannot_listen;

/// How a scheduler is run.
#[derive(Debug, Clone)]
pub struct SchedulerSettings {
    /// Where it listens. Whoever can connect may run jobs.
    pub listen: SocketAddr,
    /// An executor that was not heard of for so long is lost, and its units are dealt out again. A busy one asks for work every
    /// five seconds, though it can take none: less than twice that loses who is well.
    pub executor_timeout: Duration,
}

/// Runs a scheduler until it fails; `listening` is told the address once it takes connections. Jobs live in its memory: whoever
/// drives a run sends them again after a restart.
///
/// # Errors
///
/// Returns an error when the address cannot be listened at, or when Ballista's service ends.
pub async fn serve_scheduler(
    settings: SchedulerSettings,
    listening: impl FnOnce(SocketAddr),
) -> Result<(), ClusterError> {
    let failed = |reason: String| ClusterError::Process { process: "scheduler", reason };
    let listener =
        TcpListener::bind(settings.listen).await.map_err(|error| cannot_listen(settings.listen, &error, "--listen"))?;
    let address = listener.local_addr().map_err(|error| failed(error.to_string()))?;
    let timeout = settings.executor_timeout.as_secs().max(10);
    let config = SchedulerConfig {
        bind_host: address.ip().to_string(),
        bind_port: address.port(),
        external_host: address.ip().to_string(),
        // Executors ask for work: they need to reach the scheduler, and nobody needs to reach them.
        scheduling_policy: TaskSchedulingPolicy::PullStaged,
        executor_timeout_seconds: timeout,
        expire_dead_executor_interval_seconds: (timeout / 4).max(1),
        no_executors_grace_period_seconds: 4 * timeout,
        override_physical_codec: Some(Arc::new(Codec::default())),
        ..SchedulerConfig::default()
    };
    let config = Arc::new(config);
    let cluster = BallistaCluster::new_from_config(&config).await.map_err(|error| failed(error.to_string()))?;
    let scheduler = create_scheduler::<LogicalPlanNode, PhysicalPlanNode>(cluster, config);
    let scheduler = scheduler.await.map_err(|error| failed(error.to_string()))?;
    listening(address);
    start_grpc_service_with_listener(listener, scheduler).await.map_err(|error| failed(error.to_string()))
}
