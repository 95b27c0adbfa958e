//! The one thread that writes.

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::QueryError;
use crate::platform::error::ApiError;

/// Writes that wait; further ones make their callers wait.
const WAITING: usize = 1024;

/// Writes of one transaction.
const TOGETHER: usize = 256;

/// One write: done within the transaction; the closure that it returns tells the caller how the transaction ended.
type Write = Box<dyn FnOnce(&mut Transaction<'_>) -> Answer + Send>;

/// Tells the caller; `Err` where the transaction could not be committed.
type Answer = Box<dyn FnOnce(Result<(), String>) + Send>;

pub(super) struct Writer {
    writes: mpsc::Sender<Write>,
}

impl Writer {
    pub(super) fn start(connection: Connection) -> Self {
        let (writes, waiting) = mpsc::channel(WAITING);
        std::thread::spawn(move || work(connection, waiting));
        Self { writes }
    }

    pub(super) async fn write<T, F>(&self, write: F) -> Result<T, QueryError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, QueryError> + Send + 'static,
    {
        let (told, answer) = oneshot::channel();
        let write: Write = Box::new(move |transaction| {
            let written = within(transaction, write);
            Box::new(move |committed| {
                let outcome = match committed {
                    Ok(()) => written,
                    Err(reason) => Err(ApiError::internal(reason).into()),
                };
                // Nobody waits where the client is gone.
                let _ = told.send(outcome);
            })
        });
        let stopped = || QueryError::from(ApiError::internal("the database's writer is gone"));
        self.writes.send(write).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

/// Writes all or nothing of one caller, without an effect on its neighbours in the transaction.
fn within<T>(
    transaction: &mut Transaction<'_>,
    write: impl FnOnce(&Connection) -> Result<T, QueryError>,
) -> Result<T, QueryError> {
    let savepoint = transaction.savepoint()?;
    let written = write(&savepoint)?;
    savepoint.commit()?;
    Ok(written)
}

fn work(mut connection: Connection, mut waiting: mpsc::Receiver<Write>) {
    while let Some(first) = waiting.blocking_recv() {
        let mut writes = vec![first];
        while writes.len() < TOGETHER
            && let Ok(next) = waiting.try_recv()
        {
            writes.push(next);
        }
        let mut answers = Vec::with_capacity(writes.len());
        let committed =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).and_then(|mut transaction| {
                for write in writes.drain(..) {
                    answers.push(write(&mut transaction));
                }
                transaction.commit()
            });
        let committed = committed.map_err(|error| error.to_string());
        for answer in answers {
            answer(committed.clone());
        }
    }
}
