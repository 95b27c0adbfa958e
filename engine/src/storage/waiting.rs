//! Work of object stores, done on a thread of its own, so that its callers may block on any thread.

use std::io;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, PoisonError};

use tokio::runtime::{Builder, Runtime};

/// One thread: it only moves bytes between sockets and callers.
static RUNTIME: Mutex<Option<Runtime>> = Mutex::new(None);

/// Something that is under way.
pub(super) struct Waiting<T>(Receiver<T>);

/// Begins work; it goes on whether or not anybody waits for it.
pub(super) fn begin<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> io::Result<Waiting<T>> {
    let (sender, receiver) = sync_channel(1);
    let mut runtime = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = match &mut *runtime {
        Some(runtime) => runtime,
        none => {
            let made =
                Builder::new_multi_thread().worker_threads(1).thread_name("object-store").enable_all().build()?;
            none.insert(made)
        }
    };
    runtime.spawn(async move {
        // Nobody waits any more where this fails.
        let _ = sender.send(work.await);
    });
    Ok(Waiting(receiver))
}

impl<T> Waiting<T> {
    /// Waits for the end.
    pub(super) fn wait(self) -> io::Result<T> {
        self.0.recv().map_err(|_| io::Error::other("the thread of the object stores died"))
    }
}

/// Does work and waits for its end.
pub(super) fn wait<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> io::Result<T> {
    begin(work)?.wait()
}
