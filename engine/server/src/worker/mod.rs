//! The child process in which everything that a tenant sent is read: this same program, started again with limits that the
//! kernel holds, told one [`Task`] on stdin, answering in lines of JSON on stdout.

mod limits;
mod order;
mod run;

use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rematch_engine::sandbox::{Compiler, HostSettings, PluginHost};
use serde_json::Value;

pub use order::{Limits, Message, Order, RunOrder, Task};

/// The hidden subcommand of this program that is a worker.
pub const WORKER_COMMAND: &str = "worker";

/// Why an order cannot be done.
#[derive(Debug)]
pub struct Failure {
    /// A stable identifier of the kind of failure.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
}

impl Failure {
    /// Returns a failure of that kind.
    #[must_use]
    pub fn new(code: &'static str, message: impl ToString) -> Self {
        Self { code, message: message.to_string() }
    }
}

/// Does the task on stdin. `compiler` is how this program compiles components, in a process of its own again.
pub fn main(compiler: Compiler) {
    let mut told = Vec::new();
    let outlet = Outlet::default();
    let done = std::io::stdin()
        .read_to_end(&mut told)
        .map_err(|error| Failure::new("internal", error))
        .and_then(|_| serde_json::from_slice::<Task>(&told).map_err(|error| Failure::new("internal", error)))
        .and_then(|task| {
            limits::set(&task.limits).map_err(|error| Failure::new("internal", error))?;
            do_task(task, compiler, &outlet)
        });
    match done {
        Ok(outcome) => outlet.say(&Message::Done(outcome)),
        Err(Failure { code, message }) => outlet.say(&Message::Failed { code: code.to_owned(), message }),
    }
}

fn do_task(task: Task, compiler: Compiler, outlet: &Outlet) -> Result<Value, Failure> {
    let plugins = plugin_host(&task.root, compiler)?;
    match task.order.clone() {
        Order::Run(order) => run::run(&task, &order, plugins, outlet),
    }
}

/// Components are compiled once for each organisation; what one tenant's compiler wrote, no other loads.
fn plugin_host(root: &Path, compiler: Compiler) -> Result<Arc<PluginHost>, Failure> {
    let settings = HostSettings { cache: Some(root.join("cache")), compiler: Some(compiler), log: None };
    PluginHost::new(settings).map(Arc::new).map_err(|error| Failure::new("internal", error))
}

/// Where messages go: stdout, one line each.
#[derive(Clone, Default)]
struct Outlet(Arc<Mutex<()>>);

impl Outlet {
    fn say(&self, message: &Message) {
        let Ok(mut line) = serde_json::to_vec(message) else { return };
        line.push(b'\n');
        let _one_at_a_time = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stdout = std::io::stdout().lock();
        // A server that is gone hears nothing; the work is resumed by the next one.
        let _ = stdout.write_all(&line).and_then(|()| stdout.flush());
    }
}
