//! One job of a scheduler, as a client sees it: sent, asked after, cancelled.

use std::sync::Arc;
use std::time::Duration;

use ballista_core::config::{BALLISTA_JOB_NAME, BALLISTA_SCHEDULER_MAX_PARTITIONS_PER_TASK};
use ballista_core::serde::protobuf::execute_query_failure_result::Failure;
use ballista_core::serde::protobuf::execute_query_params::Query;
use ballista_core::serde::protobuf::execute_query_result::Result as Answer;
use ballista_core::serde::protobuf::scheduler_grpc_client::SchedulerGrpcClient;
use ballista_core::serde::protobuf::{
    CancelJobParams, ExecuteQueryParams, GetJobStatusParams, KeyValuePair, job_status,
};
use ballista_core::utils::{GrpcClientConfig, create_grpc_client_endpoint};
use ballista_core::version;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::physical_plan::AsExecutionPlan;
use datafusion_proto::protobuf::PhysicalPlanNode;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use super::ClusterError;
use super::codec::Codec;
use crate::benchmark::ClusterAddress;

/// How long one call may take.
const CALL: Duration = Duration::from_secs(20);

/// Bytes of a message that client and scheduler take: the default of Ballista's scheduler.
pub(super) const MESSAGE_BYTES: usize = 16 << 20;

/// What a call came to.
pub(super) enum Trouble {
    /// Nobody answered; it may go better later.
    Away(String),
    /// The scheduler said no.
    Refused(String),
}

/// How a job stands.
pub(super) enum JobState {
    /// The scheduler does not know it (any more).
    Unknown,
    /// It waits, or it is worked on.
    Underway,
    /// All of it is done.
    Done,
    /// It was given up, and why.
    Failed(String),
}

/// A connection to a scheduler.
pub(super) struct Client {
    calls: SchedulerGrpcClient<Channel>,
}

impl Client {
    /// Connects to a scheduler.
    pub(super) async fn connect(address: &ClusterAddress) -> Result<Self, Trouble> {
        let settings = GrpcClientConfig {
            connect_timeout_seconds: 5,
            timeout_seconds: CALL.as_secs(),
            // So that a connection that leads nowhere is found out.
            http2_keepalive_interval_seconds: 5,
            ..GrpcClientConfig::default()
        };
        let away = |error: &dyn std::error::Error| Trouble::Away(chain(error));
        let url = format!("http://{}:{}", address.host(), address.port());
        let endpoint = create_grpc_client_endpoint(url, Some(&settings)).map_err(|error| away(&error))?;
        let channel = endpoint.connect().await.map_err(|error| away(&error))?;
        let calls = SchedulerGrpcClient::new(channel)
            .max_encoding_message_size(MESSAGE_BYTES)
            .max_decoding_message_size(MESSAGE_BYTES);
        Ok(Self { calls })
    }

    /// Sends a plan, and returns its job's id. A partition is a task: what is lost with an executor is no more than that.
    pub(super) async fn send(&mut self, name: &str, plan: Vec<u8>) -> Result<String, Trouble> {
        let setting = |key: &str, value: &str| KeyValuePair { key: key.to_owned(), value: Some(value.to_owned()) };
        let parameters = ExecuteQueryParams {
            session_id: format!("rematch-{name}"),
            settings: vec![setting(BALLISTA_JOB_NAME, name), setting(BALLISTA_SCHEDULER_MAX_PARTITIONS_PER_TASK, "1")],
            operation_id: name.to_owned(),
            query: Some(Query::PhysicalPlan(plan)),
        };
        let mut request = Request::new(parameters);
        version::insert_version_header(request.metadata_mut());
        let answer = self.calls.execute_query(request).await.map_err(|status| trouble(&status))?;
        let theirs = version::version_from_metadata(answer.metadata());
        version::check_compatibility(Some(ballista_core::BALLISTA_VERSION), theirs).map_err(Trouble::Refused)?;
        match answer.into_inner().result {
            Some(Answer::Success(taken)) => Ok(taken.job_id),
            Some(Answer::Failure(refused)) => Err(Trouble::Refused(match refused.failure {
                Some(
                    Failure::PlanParsingFailure(why) | Failure::SessionNotFound(why) | Failure::SqlParsingFailure(why),
                ) => why,
                None => "it does not say why".to_owned(),
            })),
            None => Err(Trouble::Refused("its answer is empty; is it a scheduler of another version?".to_owned())),
        }
    }

    /// Asks how a job stands.
    pub(super) async fn state(&mut self, job: &str) -> Result<JobState, Trouble> {
        let answer = self.calls.get_job_status(GetJobStatusParams { job_id: job.to_owned() }).await;
        let status = answer.map_err(|status| trouble(&status))?.into_inner().status;
        Ok(match status.and_then(|status| status.status) {
            None => JobState::Unknown,
            Some(job_status::Status::Queued(_) | job_status::Status::Running(_)) => JobState::Underway,
            Some(job_status::Status::Successful(_)) => JobState::Done,
            Some(job_status::Status::Failed(failed)) => JobState::Failed(failed.error),
        })
    }

    /// Cancels a job. Executors that ask for work are not told: their tasks in flight end by themselves.
    pub(super) async fn cancel(&mut self, job: &str) -> Result<(), Trouble> {
        let cancelled = self.calls.cancel_job(CancelJobParams { job_id: job.to_owned() }).await;
        cancelled.map(drop).map_err(|status| trouble(&status))
    }
}

/// Returns a plan as the scheduler reads it.
pub(super) fn message_of(plan: Arc<dyn ExecutionPlan>) -> Result<Vec<u8>, ClusterError> {
    let unsendable = |error: datafusion::error::DataFusionError| ClusterError::Plan(error.to_string());
    let message = PhysicalPlanNode::try_from_physical_plan(plan, &Codec::default()).map_err(unsendable)?;
    let mut bytes = Vec::new();
    message.try_encode(&mut bytes).map_err(unsendable)?;
    Ok(bytes)
}

fn trouble(status: &Status) -> Trouble {
    let text = match std::error::Error::source(status) {
        Some(cause) => chain(cause),
        None => status.message().to_owned(),
    };
    match status.code() {
        // What a connection that broke, or a scheduler that just went, says.
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown => Trouble::Away(text),
        code => Trouble::Refused(format!("{text} ({code:?})")),
    }
}

/// Returns an error with its causes in a line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let said = next.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = next.source();
    }
    text
}
