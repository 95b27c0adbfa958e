//! An execution as a stream of events, each as it happens.

use std::convert::Infallible;
use std::pin::Pin;
use std::time::Instant;

use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::model::{ExecuteRetrieverResponse, FoundDocument};
use super::running::{Search, of_hit, of_stage};
use crate::App;
use crate::mixpeek::retrievers::model::BudgetLimits;
use crate::organisations::Principal;
use crate::platform::auth::while_the_token_holds;
use crate::platform::error::ApiError;
use crate::worker::Message;

/// Messages that wait until the client has taken those before.
const WAITING: usize = 64;

/// Returns the stream of a search: its stages as they begin and end, then the whole answer or why there is none. Dropped, the
/// search ends; it is when the token of whoever asked no longer holds, and when the server stops.
pub fn stream(app: &App, principal: &Principal, search: Search) -> Response {
    let (heard, messages) = mpsc::channel(WAITING);
    let (limits, begun) = search.clock();
    let execution_id = search.id.clone();
    let making = Box::pin(search.make(Some(heard)));
    let telling = Telling { making: Some(making), messages, ended: None, execution_id, limits, begun };
    let written = stream::unfold(telling, |mut telling| async move {
        let (name, body) = telling.next().await?;
        Some((Ok::<_, Infallible>(Event::default().event(name).data(body.to_string())), telling))
    });
    Sse::new(while_the_token_holds(app, principal, written)).into_response()
}

type Making = Pin<Box<dyn Future<Output = Result<ExecuteRetrieverResponse, ApiError>> + Send>>;

/// What happens to an execution, one thing after the other.
struct Telling {
    making: Option<Making>,
    messages: mpsc::Receiver<Message>,
    ended: Option<Result<ExecuteRetrieverResponse, ApiError>>,
    execution_id: String,
    limits: BudgetLimits,
    begun: Instant,
}

impl Telling {
    /// Returns the next event, `None` after the last one.
    async fn next(&mut self) -> Option<(&'static str, Value)> {
        loop {
            if let Some(making) = &mut self.making {
                tokio::select! {
                    biased;
                    Some(message) = self.messages.recv() => {
                        if let Some(event) = self.of_message(message) {
                            return Some(event);
                        }
                    }
                    ended = making => {
                        self.ended = Some(ended);
                        self.making = None;
                    }
                }
            } else if let Ok(message) = self.messages.try_recv() {
                if let Some(event) = self.of_message(message) {
                    return Some(event);
                }
            } else {
                let ended = self.ended.take()?;
                return Some(self.of_end(ended));
            }
        }
    }

    fn of_message(&self, message: Message) -> Option<(&'static str, Value)> {
        let event = |kind: &'static str, stage: &str, index: usize, total: usize| {
            json!({
                "event_type": kind, "execution_id": self.execution_id, "stage_name": stage, "stage_index": index,
                "total_stages": total, "budget_used": Search::budget(self.limits, self.begun),
            })
        };
        match message {
            Message::StageBegan { position, stages, name, .. } => {
                Some(("stage_start", event("stage_start", &name, position, stages)))
            }
            Message::StageEnded { position, stages, stage, hits } => {
                let kind = if stage.problem.is_some() { "stage_error" } else { "stage_complete" };
                let mut told = event(kind, &stage.name, position, stages);
                told["statistics"] = json!(of_stage(&stage, position));
                told["error"] = json!(stage.problem);
                told["documents"] = json!(hits.iter().map(of_hit).collect::<Vec<FoundDocument>>());
                Some((kind, told))
            }
            _ => None,
        }
    }

    fn of_end(&self, ended: Result<ExecuteRetrieverResponse, ApiError>) -> (&'static str, Value) {
        let (kind, mut told) = match ended {
            Ok(execution) if execution.error.is_none() => ("execution_complete", json!(execution)),
            Ok(execution) => ("execution_error", json!(execution)),
            Err(error) => {
                let told = json!({
                    "execution_id": self.execution_id, "status": error.status.as_u16(), "code": error.code,
                    "error": error.message,
                });
                ("execution_error", told)
            }
        };
        told["event_type"] = Value::from(kind);
        told["budget_used"] = json!(Search::budget(self.limits, self.begun));
        (kind, told)
    }
}
