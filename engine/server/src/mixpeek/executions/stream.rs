//! An execution as a stream of events.

use std::convert::Infallible;

use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, StreamExt};
use serde_json::{Value, json};

use super::model::ExecuteRetrieverResponse;
use crate::platform::error::ApiError;

/// Returns the stream of an execution that is on its way: the stages in order, then the whole answer or why there is none.
///
/// The stages are told when all have ended: they are asked in one go, in a process of its own.
pub fn stream(
    execution: impl Future<Output = Result<ExecuteRetrieverResponse, ApiError>> + Send + 'static,
) -> Response {
    let events = stream::once(execution).flat_map(|ended| {
        let events = match ended {
            Ok(execution) => events(&execution),
            Err(error) => {
                let failed = json!({ "event_type": "execution_error", "status": error.status.as_u16(), "code": error.code, "error": error.message });
                vec![("execution_error", failed)]
            }
        };
        stream::iter(events)
    });
    let written = events.map(|(name, body)| Ok::<_, Infallible>(Event::default().event(name).data(body.to_string())));
    Sse::new(written).into_response()
}

fn events(execution: &ExecuteRetrieverResponse) -> Vec<(&'static str, Value)> {
    let mut stages: Vec<_> = execution.stage_statistics.stages.iter().collect();
    let position = |metadata: &Option<serde_json::Map<String, Value>>| {
        metadata.as_ref().and_then(|known| known.get("position")).and_then(Value::as_u64).unwrap_or_default()
    };
    stages.sort_by_key(|(_, stage)| position(&stage.metadata));
    let total = stages.len();
    let mut events = Vec::with_capacity(2 * total + 1);
    for (index, (name, statistics)) in stages.into_iter().enumerate() {
        let place = json!({
            "execution_id": execution.execution_id, "stage_name": name, "stage_index": index, "total_stages": total,
        });
        events.push(("stage_start", told("stage_start", &place, json!({}))));
        let name = if statistics.error.is_some() { "stage_error" } else { "stage_complete" };
        let more = json!({ "statistics": statistics, "error": statistics.error });
        events.push((name, told(name, &place, more)));
    }
    let name = if execution.error.is_some() { "execution_error" } else { "execution_complete" };
    events.push((name, told(name, &json!(execution), json!({}))));
    events
}

fn told(name: &str, first: &Value, second: Value) -> Value {
    let mut told = json!({ "event_type": name });
    for members in [first, &second] {
        if let (Value::Object(told), Value::Object(members)) = (&mut told, members) {
            told.extend(members.clone());
        }
    }
    told
}
