//! The environment `local`: a sandbox, and `tt-ops` pointed at it.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};

use crate::{child::Child, failure::Failure, interrupt::Interrupt, place::Place, say};

/// Where the sandbox of `environments/local.yaml` keeps its state unless told otherwise.
const STATE: &str = "TT_SANDBOX_STATE";

/// What a task is there: `process` or `container`.
const RUNTIME: &str = "TT_SANDBOX_RUNTIME";

/// `tt-ops` for one state folder.
#[derive(Debug, Clone)]
pub(crate) struct Tool {
    place: Place,
    state: Option<PathBuf>,
    /// `DOCKER_HOST` of the engine that runs tasks; nothing when they are processes.
    engine: Option<String>,
}

impl Tool {
    /// With the state that `make up` keeps between runs.
    pub(crate) fn of_the_user(place: &Place) -> Self {
        Self {
            place: place.clone(),
            state: None,
            engine: None,
        }
    }

    /// With a state of a chore's own, so that a chore neither meets nor touches what the user has.
    pub(crate) fn of_a_chore(place: &Place, results: &Path) -> Self {
        Self {
            place: place.clone(),
            state: Some(results.join("sandbox")),
            engine: None,
        }
    }

    /// The same, with tasks as containers of an engine.
    pub(crate) fn with_containers(self, docker_host: String) -> Self {
        Self {
            engine: Some(docker_host),
            ..self
        }
    }

    /// Whether it has been built.
    pub(crate) fn is_built(&self) -> bool {
        self.place.program("tt-ops").is_file()
    }

    /// A command that answers no questions and says what it does.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.place.program("tt-ops"));
        command
            .args(arguments)
            .current_dir(self.place.root())
            .stdin(Stdio::null());
        if let Some(state) = &self.state {
            command.env(STATE, state);
        }
        if let Some(engine) = &self.engine {
            command.env(RUNTIME, "container").env("DOCKER_HOST", engine);
        }
        command
    }

    /// Runs a command to its end, whatever that is, its words to be seen.
    pub(crate) fn run(&self, arguments: &[&str], interrupt: &Interrupt) -> Result<ExitStatus, Failure> {
        say::line(format!("  $ tt-ops {}", arguments.join(" ")));
        Child::start(&format!("tt-ops {}", arguments.join(" ")), self.command(arguments))?.wait(interrupt)
    }

    /// Runs a command that must end well.
    pub(crate) fn succeed(&self, arguments: &[&str], interrupt: &Interrupt) -> Result<(), Failure> {
        say::line(format!("  $ tt-ops {}", arguments.join(" ")));
        Child::start(&format!("tt-ops {}", arguments.join(" ")), self.command(arguments))?.succeed(interrupt)
    }

    /// Runs a command that must end well, its words kept in a file.
    pub(crate) fn logged(&self, arguments: &[&str], log: &Path) -> Result<Child, Failure> {
        let mut command = self.command(arguments);
        let (out, err) = log_file(log)?;
        command.stdout(out).stderr(err);
        Ok(Child::start(&format!("tt-ops {}", arguments.join(" ")), command)?.logged(log))
    }

    /// Deploys an image tag to `local`.
    pub(crate) fn deploy(&self, release: &str, interrupt: &Interrupt) -> Result<ExitStatus, Failure> {
        self.run(&["deploy", "local", "--image", release, "--yes"], interrupt)
    }
}

/// An environment that ends, and is forgotten, when this is dropped.
#[derive(Debug)]
pub(crate) struct Local {
    tool: Tool,
}

impl Local {
    /// Starts a sandbox with nothing in it. What a killed run left of the same chore is ended first.
    pub(crate) fn fresh(tool: Tool, interrupt: &Interrupt) -> Result<Self, Failure> {
        if tool.state.as_ref().is_some_and(|state| state.exists()) {
            tool.succeed(&["sandbox", "down", "local", "--wipe"], interrupt)?;
        }
        // From here on there may be something to end, even if starting it fails half-way.
        let local = Self { tool };
        local.tool.succeed(&["sandbox", "up", "local"], interrupt)?;
        Ok(local)
    }

    pub(crate) fn tool(&self) -> &Tool {
        &self.tool
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        if let Err(failure) = self
            .tool
            .succeed(&["sandbox", "down", "local", "--wipe"], &Interrupt::never())
        {
            say::failure(&failure);
        }
    }
}

/// Both streams into one file.
pub(crate) fn log_file(path: &Path) -> Result<(Stdio, Stdio), Failure> {
    let write = |cause| Failure::Write {
        path: path.to_owned(),
        cause,
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(write)?;
    }
    let file = File::create(path).map_err(write)?;
    let again = file.try_clone().map_err(write)?;
    Ok((file.into(), again.into()))
}
