//! What a change leaves to be done in portions, since one statement must end within its time: the tasks of a project that is
//! deleted, and the further tasks that have a label that is gone or somebody who is no member any more.
//!
//! The change itself has happened by then: the project is nobody's, the label is in no list. Rows of `leftovers` say what is left.
//! Any number of processes work at it; each portion is a statement that holds its row, takes the next tasks and says how far it came,
//! so one that dies in the middle has done its portion or not. What the previous release knows nothing of waits for this one.

mod clear;
mod taken_off;

pub(crate) use clear::run;
pub(crate) use taken_off::{left_on, taken_off};
