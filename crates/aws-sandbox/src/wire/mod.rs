//! The pieces of AWS's Query protocol: parameters in a form, answers and errors in XML.
//!
//! Owns the shapes on the wire and nothing about any service: `elb`, `rds` and `sts` say what is in them.

mod answer;
pub(crate) mod json;
mod query;
mod xml;

pub(crate) use answer::{QueryError, answer, empty_answer};
pub(crate) use query::{Parameters, parameters};
pub(crate) use xml::Xml;
