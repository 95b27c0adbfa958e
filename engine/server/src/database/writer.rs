//! The one thread that writes.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::QueryError;
use crate::platform::error::ApiError;

/// Writes that wait; further ones make their callers wait.
const WAITING: usize = 1024;

/// Writes of one transaction.
const TOGETHER: usize = 256;

/// One write: done within the transaction, or told why there is none; the closure that it returns tells the caller how the
/// transaction ended.
type Write = Box<dyn FnOnce(Result<&mut Transaction<'_>, String>) -> Answer + Send>;

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
            let written = match transaction {
                Ok(transaction) => within(transaction, write),
                Err(reason) => Err(ApiError::internal(reason).into()),
            };
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
    // A panic is one caller's failure: the savepoint is rolled back, and the thread goes on for all others.
    let written = catch_unwind(AssertUnwindSafe(|| write(&savepoint)))
        .unwrap_or_else(|_| Err(ApiError::internal("a write to the database panicked").into()))?;
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
        commit(&mut connection, writes);
    }
}

/// Does the writes in one transaction, and tells their callers.
fn commit(connection: &mut Connection, writes: Vec<Write>) {
    let mut transaction = match connection.transaction_with_behavior(TransactionBehavior::Immediate) {
        Ok(transaction) => transaction,
        Err(error) => {
            let reason = format!("no transaction can be begun: {error}");
            writes.into_iter().for_each(|write| write(Err(reason.clone()))(Ok(())));
            return;
        }
    };
    let mut answers = Vec::with_capacity(writes.len());
    for write in writes {
        // A full disk rolls back the whole transaction; what came after it would be committed on its own.
        let is_lost = transaction.is_autocommit();
        answers.push(write(if is_lost {
            Err("the transaction was rolled back".to_owned())
        } else {
            Ok(&mut transaction)
        }));
    }
    let committed = transaction.commit().map_err(|error| error.to_string());
    for answer in answers {
        answer(committed.clone());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn writer() -> (Arc<Writer>, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join("a.db")).unwrap();
        connection.busy_timeout(std::time::Duration::from_millis(50)).unwrap();
        connection
            .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE numbers (number INTEGER PRIMARY KEY)")
            .unwrap();
        (Arc::new(Writer::start(connection)), folder)
    }

    async fn insert(writer: &Writer, numbers: Vec<i64>) -> Result<(), QueryError> {
        let write = move |connection: &Connection| {
            for number in numbers {
                connection.execute("INSERT INTO numbers VALUES (?1)", [number])?;
            }
            Ok(())
        };
        writer.write(write).await
    }

    async fn count(writer: &Writer) -> i64 {
        let count =
            |connection: &Connection| Ok(connection.query_row("SELECT count(*) FROM numbers", [], |row| row.get(0))?);
        writer.write(count).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn neighbours_in_a_transaction_are_all_or_nothing_each() {
        let (writer, _folder) = writer();
        insert(&writer, vec![-1]).await.unwrap();
        let all = (0..200).map(|number| {
            let writer = Arc::clone(&writer);
            // Every fourth inserts a number of its own first, and then one that is taken.
            let numbers = if number % 4 == 0 { vec![1000 + number, -1] } else { vec![number] };
            tokio::spawn(async move { insert(&writer, numbers).await.is_ok() })
        });
        let told: Vec<bool> = futures::future::join_all(all).await.into_iter().map(Result::unwrap).collect();
        assert!(told.iter().enumerate().all(|(number, done)| *done == (number % 4 != 0)));
        assert_eq!(count(&writer).await, 151);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_panic_is_one_callers_failure_and_leaves_nothing() {
        let (writer, _folder) = writer();
        let panics = writer.write(|connection: &Connection| -> Result<(), QueryError> {
            connection.execute("INSERT INTO numbers VALUES (1)", [])?;
            panic!("on purpose")
        });
        let (panicked, neighbour) = tokio::join!(panics, insert(&writer, vec![2]));
        assert!(panicked.is_err() && neighbour.is_ok());
        assert_eq!(count(&writer).await, 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_transaction_that_cannot_begin_is_said_and_later_ones_go_on() {
        let (writer, folder) = writer();
        let other = Connection::open(folder.path().join("a.db")).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        assert!(insert(&writer, vec![1]).await.is_err());
        other.execute_batch("COMMIT").unwrap();
        insert(&writer, vec![1]).await.unwrap();
        assert_eq!(count(&writer).await, 1);
    }
}
