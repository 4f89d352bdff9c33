//! Plan tables: a world, a wish, and the steps or the refusal that must come of it.

mod analysis;
mod database;
mod deploy;
mod migrate;
mod properties;
mod rollback;
mod world;
