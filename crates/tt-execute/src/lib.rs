//! Walks a [`Plan`](tt_plan::Plan) through ports and says what happened as [`Event`]s.
//!
//! It decides nothing that a plan could have decided, prints nothing, and knows neither AWS nor a wall clock: those come through
//! [`Cloud`], [`Journal`], [`Probe`] and [`Clock`].

mod event;
mod executor;
mod halt;
mod lock;
mod ports;
mod run;
mod steps;
mod wait;

pub use event::{Event, Holdup};
pub use executor::{Executor, Intent, Until};
pub use halt::{Halt, Halted, Whereabouts};
pub use lock::{LockError, Takeover};
pub use ports::{
    Answer, Clock, Cloud, Evidence, Journal, OneOff, PortError, PortErrorKind, Probe, Progress, Registration, Start,
    StoppedTask, TaskArn, Version,
};

#[cfg(test)]
mod tests;
