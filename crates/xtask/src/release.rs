//! Releases of the service as images in the sandbox's registry.

use std::process::{Command, Stdio};

use crate::{child::Child, containers::Images, failure::Failure, interrupt::Interrupt, place::Place, ports, say};

/// A release and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Release {
    name: String,
    program: Program,
}

/// What an image runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Program {
    /// The service.
    Service,
    /// A program of its own that is the service, but answers a share of requests with 500.
    Faulty,
}

impl Release {
    /// The service, under this name.
    pub(crate) fn good(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            program: Program::Service,
        }
    }

    /// The really bad one, under this name.
    pub(crate) fn bad(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            program: Program::Faulty,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Builds the image from the Dockerfile, as CI does, and pushes it.
    pub(crate) fn push_built(&self, images: &Images, interrupt: &Interrupt) -> Result<(), Failure> {
        match self.program {
            Program::Service => images.push_good(&self.name, interrupt),
            Program::Faulty => images.push_bad(&self.name, interrupt),
        }
    }

    /// Packs the program into an image and pushes it by the protocol that any registry speaks.
    pub(crate) fn push(&self, place: &Place, interrupt: &Interrupt) -> Result<(), Failure> {
        let program = match self.program {
            Program::Service => place.program("task-tracker"),
            Program::Faulty => place.program("examples").join("faulty_release"),
        };
        let image = format!("{}/task-tracker:{}", ports::SANDBOX, self.name);
        let mut command = Command::new(place.program("aws-sandbox"));
        command
            .args(["image", "push", "--env", &format!("RELEASE={}", self.name)])
            .arg(program)
            .arg(&image)
            .current_dir(place.root())
            .stdin(Stdio::null());
        say::line(format!("  $ aws-sandbox image push … {image}"));
        Child::start(&format!("aws-sandbox image push {}", self.name), command)?.succeed(interrupt)
    }
}
