//! Amazon ECS: clusters, task definitions, services with their deployments, and tasks that are real processes.

mod codec;
mod error;
mod names;
mod rollout;
mod world;
