//! Whole runs against a simulated ECS on a simulated clock: what was done, where users ended up, what was remembered.

mod database;
mod deploys;
mod locks;
mod rollbacks;
mod world;
