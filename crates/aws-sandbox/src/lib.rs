//! A local AWS with a real data plane.
//!
//! One process plays the services a deployment needs and gives them real effects: tasks are processes, a load
//! balancer is a proxy, a database instance is a PostgreSQL. It speaks AWS's wire protocols and knows none of the
//! tools that talk to it.

mod clock;
mod cloudwatch;
mod config;
mod ecr;
mod ecs;
mod elb;
mod front;
mod logs;
#[cfg(test)]
mod loopback;
mod privileges;
mod rds;
mod registry;
mod runtime;
mod s3;
mod sandbox;
mod secrets;
mod services;
mod stack;
mod sts;
mod wire;

pub use config::{Config, NotThisMachine, TaskRuntime};
pub use privileges::unprivileged;
pub use sandbox::{Cause, Sandbox, StartError};
pub use stack::{Stack, StackError, StackFileError};

/// Programs as container images, packed and pushed to this sandbox's registry or any other.
pub mod image {
    pub use crate::registry::{
        Credentials, Destination, Digest, NotADigest, PackError, PackedImage, Program, PushError, pack, push,
    };
}
