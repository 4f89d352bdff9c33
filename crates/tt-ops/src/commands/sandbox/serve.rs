//! `sandbox serve`: the sandbox itself, in the foreground.

use std::fs;

use aws_sandbox::{Config, Sandbox, Stack, TaskRuntime};

use super::{Runtime, place::Place};
use crate::{
    cli::Global,
    context::load,
    exit::Exit,
    failure::{Failure, chain},
};

pub(super) async fn run(global: &Global, name: &str, runtime: Runtime) -> Result<Exit, Failure> {
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::INFO)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let environment = load(global, name)?;
    let place = Place::of(&environment)?;
    let stack = Stack::read(&place.stack).map_err(|error| Failure::new(Exit::Usage, chain(&error)))?;
    let config = Config {
        state_dir: place.state.clone(),
        listen: place.listen,
        task_network: place.task_network,
        minute: environment.aws.minute,
        account: environment.aws.account.to_string(),
        as_user: aws_sandbox::unprivileged(&place.state),
        runtime: tasks_as(runtime)?,
    };
    let sandbox = Sandbox::start(config)
        .await
        .map_err(|error| Failure::new(Exit::Failed, chain(&error)))?;
    let applied = sandbox
        .apply_stack(&stack)
        .await
        .map_err(|error| Failure::new(Exit::Failed, chain(&error)));
    let asked = match applied {
        Ok(()) => wait(&sandbox, &place).await,
        Err(failure) => Err(failure),
    };
    sandbox.shutdown().await;
    let _gone = fs::remove_file(&place.ready);
    asked.map(|()| Exit::Done)
}

fn tasks_as(runtime: Runtime) -> Result<TaskRuntime, Failure> {
    match runtime {
        Runtime::Process => Ok(TaskRuntime::Process),
        Runtime::Container => TaskRuntime::container(std::env::var("DOCKER_HOST").ok().as_deref())
            .map_err(|error| Failure::new(Exit::Usage, error.to_string())),
    }
}

async fn wait(sandbox: &Sandbox, place: &Place) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::new(Exit::Failed, format!("the sandbox cannot go on: {error}"));
    fs::write(&place.ready, std::process::id().to_string()).map_err(failed)?;
    sandbox.asked_to_stop().await.map_err(failed)
}
