//! Plan tables: a world, a wish, and the steps or the refusal that must come of it.

mod analysis;
mod deploy;
mod properties;
mod rollback;
mod world;
