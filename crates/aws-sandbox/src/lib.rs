//! A local AWS with a real data plane.

mod cloudwatch;
