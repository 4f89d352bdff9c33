//! Amazon CloudWatch: the metrics the data plane produces, the queries over them and the alarms that watch them.
//!
//! Owns the numbers; never invents one: a second in which nothing was recorded has no data point.

pub(crate) mod metrics;
pub(crate) mod samples;
pub(crate) mod unit;

pub(crate) use metrics::Metrics;
pub(crate) use unit::Unit;
