//! `env`: environment files, without any call to AWS.

use crate::{
    cli::{self, EnvCommand, Global},
    context::load,
    exit::Exit,
    failure::Failure,
    report::Reporter,
};

pub(crate) fn run(global: &Global, args: &cli::Env, reporter: &Reporter) -> Result<Exit, Failure> {
    match &args.command {
        EnvCommand::Schema => {
            Reporter::text(&format!("{:#}", tt_environment::schema()));
            Ok(Exit::Done)
        }
        EnvCommand::Check { environments } => check(global, environments, reporter),
    }
}

/// Every file is read, so that one mistake does not hide the next.
fn check(global: &Global, asked: &[String], reporter: &Reporter) -> Result<Exit, Failure> {
    let names = if asked.is_empty() {
        let known = tt_environment::known(&global.env_dir)?;
        known.iter().map(ToString::to_string).collect()
    } else {
        asked.to_vec()
    };
    let mut wrong: Option<Failure> = None;
    for name in &names {
        match load(global, name) {
            Ok(environment) => reporter.checked(&environment),
            Err(failure) => match &mut wrong {
                Some(first) => first.what.extend(failure.what),
                None => wrong = Some(failure),
            },
        }
    }
    wrong.map_or(Ok(Exit::Done), Err)
}
