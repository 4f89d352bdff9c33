//! Looks into a PostgreSQL database: what is applied, what is in it, whether it is sound.
//!
//! Carried by the service (`task-tracker examine`, for databases that only its tasks reach) and by tt-ops (for those that it
//! reaches itself), so it knows neither AWS nor environments. It changes no data; it creates the extension `amcheck` where that is
//! allowed, and only when asked to look at everything.

mod amcheck;
mod error;
mod fact;
mod look;

pub use error::ExamineError;
pub use fact::{Fact, Pages};
pub use look::{Depth, examine};
