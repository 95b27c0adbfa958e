//! The node in Ballista's messages.

use std::sync::Arc;

use ballista_core::serde::BallistaPhysicalExtensionCodec;
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::physical_plan::{PhysicalExtensionCodec, PhysicalProtoConverterExtension};
use serde::{Deserialize, Serialize};

use crate::unit::{Order, Task, WorkUnitsExec};

/// What a message of ours begins with; none of Ballista's own does, as this is no beginning of a protobuf message.
const MARK: &[u8] = b"\xffrematch-units:";

/// What is said of the node beside its input.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Message {
    /// The version of whoever sends it.
    version: String,
    order: Order,
    task: Task,
}

/// Brings [`WorkUnitsExec`] through the messages between client, scheduler and executors, and Ballista's own nodes as Ballista
/// does it.
#[derive(Debug, Default)]
pub(super) struct Codec {
    ballista: BallistaPhysicalExtensionCodec,
}

impl PhysicalExtensionCodec for Codec {
    fn try_decode(
        &self,
        bytes: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        context: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let Some(message) = bytes.strip_prefix(MARK) else {
            return self.ballista.try_decode(bytes, inputs, context, converter);
        };
        let unreadable = |error: serde_json::Error| DataFusionError::Plan(format!("no work units: {error}"));
        // The version comes first: another one may say anything else otherwise.
        let version = serde_json::from_slice::<serde_json::Value>(message).map_err(unreadable)?;
        let version = version.get("version").and_then(serde_json::Value::as_str).unwrap_or("unknown");
        if version != env!("CARGO_PKG_VERSION") {
            let own = env!("CARGO_PKG_VERSION");
            return Err(DataFusionError::Plan(format!(
                "the run is of rematch {version}, and this is rematch {own}; client, scheduler and executors must be of one version"
            )));
        }
        let Message { order, task, .. } = serde_json::from_slice(message).map_err(unreadable)?;
        let [input] = inputs else {
            return Err(DataFusionError::Plan(format!("work units with {} inputs, expected 1", inputs.len())));
        };
        Ok(Arc::new(WorkUnitsExec::new(order, task, Arc::clone(input))?))
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        bytes: &mut Vec<u8>,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<(), DataFusionError> {
        let Some(units) = node.downcast_ref::<WorkUnitsExec>() else {
            return self.ballista.try_encode(node, bytes, converter);
        };
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let message = Message { version, order: units.order().clone(), task: units.task() };
        bytes.extend_from_slice(MARK);
        serde_json::to_writer(bytes, &message).map_err(|error| DataFusionError::External(Box::new(error)))
    }
}

#[cfg(test)]
mod tests {
    use datafusion::physical_plan::ExecutionPlanProperties;
    use datafusion::prelude::SessionContext;
    use datafusion_proto::physical_plan::AsExecutionPlan;
    use datafusion_proto::protobuf::PhysicalPlanNode;

    use super::*;
    use crate::unit::UnitRange;

    fn order() -> Order {
        Order { run: "s3://bucket/run".into(), id: "0123".into(), drive: "4567".into() }
    }

    #[test]
    fn a_node_comes_back_with_its_units_and_its_task() {
        let ranges = [UnitRange { pipeline: 0, chunks: vec![0, 1] }, UnitRange { pipeline: 1, chunks: vec![7] }];
        let node = WorkUnitsExec::over(order(), Task::DoMissing, &ranges).expect("a node");
        let codec = Codec::default();
        let message = PhysicalPlanNode::try_from_physical_plan(Arc::new(node), &codec).expect("a message");
        let mut bytes = Vec::new();
        message.try_encode(&mut bytes).expect("bytes");
        let message = PhysicalPlanNode::try_decode(&bytes).expect("a message");
        let back = message.try_into_physical_plan(&SessionContext::new().task_ctx(), &codec).expect("a node");
        let units = back.downcast_ref::<WorkUnitsExec>().expect("units");
        assert_eq!((units.order(), units.task()), (&order(), Task::DoMissing));
        assert_eq!(back.output_partitioning().partition_count(), 2);
    }

    #[test]
    fn another_version_is_refused_with_both_versions() {
        let message = [MARK, br#"{"version":"9.9.9","something":"else"}"#].concat();
        let context = SessionContext::new().task_ctx();
        let converter = datafusion_proto::physical_plan::DefaultPhysicalProtoConverter {};
        let error = Codec::default().try_decode(&message, &[], &context, &converter).expect_err("another version");
        let text = error.to_string();
        assert!(text.contains("9.9.9") && text.contains(env!("CARGO_PKG_VERSION")), "{text}");
    }
}
