//! How is the same plan run on many machines? The work units that a process would do itself go, as the very same node of a
//! DataFusion plan, to a cluster of Apache DataFusion Ballista: its scheduler deals them out, its executors do them and write
//! the parts straight into the run directory, and a lost executor's units are dealt out again. There is no scheduler of our
//! own here.
//!
//! `shipping` puts what the units read where every executor finds it, by its content;
//! `codec` brings the node through Ballista's messages; `scheduler` and `executor` are Ballista's own processes with that codec
//! and an opener of runs; `job` is one job of the scheduler, as its clients see it; `drive` does the units of a run by such jobs
//! and looks at the parts to say how far they are.
//!
//! A run whose retrievers may not connect to everybody is a stranger's, who sent it to a server: executors get the rules with it,
//! give it none of their own credentials, and read nothing for it but what was shipped.
//!
//! All of it stands behind the cargo feature `cluster`: it brings gRPC and the whole of DataFusion.
//!
//! Not for: deciding which units there are, nor what happens to a run before and after they are done.

#[cfg(feature = "cluster")]
mod codec;
#[cfg(feature = "cluster")]
mod drive;
mod error;
#[cfg(feature = "cluster")]
mod executor;
#[cfg(feature = "cluster")]
mod job;
mod reach;
#[cfg(feature = "cluster")]
mod scheduler;
#[cfg(feature = "cluster")]
mod shipping;

#[cfg(feature = "cluster")]
pub use drive::ClusterDriver;
pub use error::ClusterError;
#[cfg(feature = "cluster")]
pub use executor::{ExecutorSettings, serve_executor};
pub use reach::{check_built, reach};
#[cfg(feature = "cluster")]
pub use scheduler::{SchedulerSettings, serve_scheduler};
