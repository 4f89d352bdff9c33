//! Amazon ECS: task definitions, services, service deployments, one-off tasks.

pub(crate) mod deployment;
pub(crate) mod one_off;
pub(crate) mod register;
pub(crate) mod revision;
pub(crate) mod service;
pub(crate) mod start;
pub(crate) mod tasks;
