//! Changes a PostgreSQL schema, and takes it back, without stopping its users.
//!
//! [`load`] reads a folder of migrations and says everything that is wrong with it. [`plan`] says what a run would do,
//! [`up`] does it, [`down`] undoes it, [`status`] says where things stand; [`fits`] is for the service, which asks before
//! it serves. What happens comes out as [`Event`]s, what goes wrong as a [`Failure`] with its [`Exit`] code and what to do
//! next.
//!
//! One session does everything: it holds the turn (an advisory lock), the timeouts, and the transaction. Before a lock that
//! users would queue behind, it looks who is in the way and waits outside; then it asks briefly, and again. What no
//! transaction protects is written into a journal first, so that a killed run can be taken up.
//!
//! Knows no AWS, prints nothing, reads no environment variable, and never runs by itself when a service starts.

mod alter;
mod body;
mod event;
mod exit;
mod failure;
mod fault;
mod header;
mod history;
mod index;
mod journal;
mod limits;
#[cfg(feature = "lint")]
mod lint;
mod load;
mod lock;
mod look;
mod loss;
mod phase;
mod plan;
mod reach;
mod relation;
mod rules;
mod run;
mod schema;
mod script;
mod session;
mod statement;
mod status;
mod step;
mod turn;
mod words;

pub use alter::{Change, Constraint, Validity};
pub use body::{Body, Hidden, Routine, Why};
pub use event::{CONTRACT, Event, Found, Way};
pub use exit::{Exit, TABLE};
pub use failure::{Cause, Failure};
pub use fault::{Fault, Problem, Unloadable};
pub use header::Waiver;
pub use history::{Drift, Unfit};
pub use limits::Limits;
#[cfg(feature = "lint")]
pub use lint::lint;
pub use load::{File, Migration, Migrations, folder, load};
pub use lock::LockMode;
pub use look::Holder;
pub use loss::{Accepted, Loss, NoLoss};
pub use phase::{NoVersion, Phase, UnknownPhase, Version};
pub use plan::{Lock, Manner, Plan, Planned, Step};
pub use relation::Relation;
pub use rules::Finding;
pub use run::{Down, Job, Resume, Up, down, fits, plan, status, up};
pub use schema::Schema;
pub use script::{Alone, Script};
pub use session::{APPLICATION, target};
pub use sqlx::postgres::PgConnectOptions;
pub use statement::{Act, Effect, Statement, Work, Write};
pub use status::{Applied, Pending, Status};
