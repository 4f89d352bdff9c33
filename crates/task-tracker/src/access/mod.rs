//! Who may do what. A request meets the `guard` first: it reads the credentials, asks the `policy` (made from the API's
//! own description) whether they suffice for this operation, and leaves a `Caller` for the endpoint.
//!
//! What a caller may see is never decided here: that is in each statement, as a join with `memberships` or a comparison
//! with the caller's id.

pub(crate) mod address;
mod caller;
pub(crate) mod cookie;
mod guard;
mod guessable;
mod origin;
pub(crate) mod password;
pub(crate) mod policy;
mod role;
mod scope;
pub(crate) mod secret;
pub(crate) mod shedding;
pub(crate) mod throttle;
pub(crate) mod turns;

pub(crate) use caller::{Caller, Via};
pub(crate) use guard::guard;
pub(crate) use role::Role;
pub(crate) use scope::Scope;
