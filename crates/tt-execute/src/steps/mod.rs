//! What each step does, one file per kind.

mod analyse;
mod bake;
mod complete;
mod migrate;
mod register;
mod revert;
mod shift;
mod smoke_test;
mod start;
