//! Walks a [`Plan`](tt_plan::Plan) through ports and says what happened as [`Event`]s.
//!
//! It decides nothing that a plan could have decided, prints nothing, and knows neither AWS nor a wall clock: those come through
//! [`Cloud`], [`Journal`], [`Probe`] and [`Clock`]; what is about the database alone through those of [`database`].

pub mod database;
mod event;
mod executor;
mod halt;
mod lock;
mod migration;
mod one_off;
mod ports;
mod run;
mod spoken;
mod steps;
mod wait;

pub use event::{Event, Holdup};
pub use executor::{Executor, Intent, Until};
pub use halt::{Halt, Halted, Whereabouts};
pub use lock::{LockError, Takeover};
pub use migration::{Migrated, Migration};
pub use ports::{
    Answer, Clock, Cloud, Evidence, Journal, OneOff, OneOffTask, PortError, PortErrorKind, Probe, Progress,
    Registration, Start, StoppedTask, TaskArn, TaskLines, Version,
};

#[cfg(test)]
mod tests;
