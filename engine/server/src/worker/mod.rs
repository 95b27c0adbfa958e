//! The child process in which everything that a tenant sent is read: this same program, started again with limits that the
//! kernel holds, told one [`Task`] on stdin, answering in lines of JSON on stdout.

mod component;
mod confine;
mod documents;
mod evaluate;
mod inspect;
mod limits;
mod names;
mod narrow;
mod native_scorer;
mod order;
mod place;
mod query;
mod rejudge;
mod run;
mod score;
mod search;
mod sockets;
mod telling;
mod written;

use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rematch_engine::sandbox::{Compiler, HostSettings, PluginHost};
use rematch_engine::storage;
use serde_json::Value;

use self::confine::{Confinement, Ground, confine};

pub use component::ComponentOrder;
pub use confine::{UnconfinedError, confine_executor};
pub(crate) use documents::INVALID_FILTERS;
pub use evaluate::{EvaluateOrder, EvaluateOutcome, EvaluatedQuery, Measure};
pub use inspect::InspectOrder;
pub use native_scorer::NativeScorerOrder;
pub use query::QueryOrder;
pub(crate) use query::{TABLES, json_of};
pub use rejudge::RejudgeOrder;
pub use score::{RunToScore, ScoreFailure, ScoreOrder, ScoredRun, ScoredSession};
pub use written::{Catalogue, CheckOrder, Forecasting, Written};

pub use order::{Handed, Limits, Message, Order, RunOrder, Task};
pub use search::{FoundHit, SearchInputs, SearchOrder, SearchOutcome, SearchedStage};

/// The hidden subcommand of this program that is a worker.
pub const WORKER_COMMAND: &str = "worker";

/// The kind of failure of what was told to stop and kept what it had done: another attempt goes on from there.
pub(crate) const INTERRUPTED: &str = "interrupted";

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
        .and_then(|task| begin(task, compiler, &outlet));
    match done {
        Ok(outcome) => outlet.say(&Message::Done(outcome)),
        Err(Failure { code, message }) => outlet.say(&Message::Failed { code: code.to_owned(), message }),
    }
}

/// Sets the limits, and only then looks at what the task is about.
fn begin(task: Task, compiler: Compiler, outlet: &Outlet) -> Result<Value, Failure> {
    let failed =
        |error: &dyn std::fmt::Display| Failure::new("internal", format!("a worker cannot be confined: {error}"));
    limits::set(&task.limits).map_err(|error| failed(&error))?;
    if !limits::is_child_of(task.server) {
        return Err(Failure::new("internal", "the server that asked is gone"));
    }
    if let Order::NativeScorer(order) = &task.order {
        return native_scorer::run(&task, order);
    }
    if confine(&Ground::folder(&task.root)).map_err(|error| failed(&error))? == Confinement::None {
        // Nothing is left to do when stderr is gone.
        let _ = writeln!(
            std::io::stderr(),
            "this kernel has no Landlock: workers are confined to a folder by checks alone"
        );
    }
    storage::connect_within(task.outbound()?);
    // The user's own cache is out of reach, and no tenant's.
    storage::keep_fetched_in(std::env::temp_dir().join("objects"));
    do_task(task, compiler, outlet)
}

fn do_task(task: Task, compiler: Compiler, outlet: &Outlet) -> Result<Value, Failure> {
    let plugins = plugin_host(&task.root, compiler)?;
    match task.order.clone() {
        Order::Run(order) => run::run(&task, &order, plugins, outlet),
        Order::NativeScorer(order) => native_scorer::run(&task, &order),
        Order::Search(order) => search::search(&task, &order, plugins, outlet),
        Order::Evaluate(order) => evaluate::evaluate(&task, &order, plugins, outlet),
        Order::Score(order) => score::score(&task, &order, &plugins, outlet),
        Order::Inspect(order) => inspect::inspect(&order),
        Order::Component(order) => component::describe(&order, &plugins),
        Order::Check(order) => written::check(&task, &order, &plugins),
        Order::Rejudge(order) => rejudge::rejudge(&task, &order, plugins, outlet),
        Order::Query(order) => query::query(&task, &order),
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
