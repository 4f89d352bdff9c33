//! Amazon ECS: clusters, task definitions, services with their deployments, and tasks that are real processes.
//!
//! `ops` answers the API, `world` is what is remembered, `rollout` and `scheduler` decide (purely), `engine` carries it
//! out, `view` puts the world into the words of the model.

mod codec;
mod engine;
mod error;
mod events;
mod names;
mod ops;
mod plane;
mod rollout;
mod scheduler;
mod strategy;
mod timeline;
mod view;
mod weights;
mod world;

pub(crate) use engine::Engine;
pub(crate) use error::EcsError;
pub(crate) use ops::services::exists as service_exists;
pub(crate) use ops::{answer, clusters, definitions, services};
pub(crate) use plane::Plane;
pub(crate) use timeline::timelines;
