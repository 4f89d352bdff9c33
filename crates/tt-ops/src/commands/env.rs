//! `env`: environment files, without any call to AWS.

use std::path::Path;

use tt_environment::Terraform;

use crate::{
    cli::{self, EnvCommand, Global},
    context::load,
    exit::Exit,
    failure::{Failure, chain},
    report::Reporter,
};

pub(crate) fn run(global: &Global, args: &cli::Env, reporter: &Reporter) -> Result<Exit, Failure> {
    match &args.command {
        EnvCommand::Schema => {
            Reporter::text(&format!("{:#}", tt_environment::schema()));
            Ok(Exit::Done)
        }
        EnvCommand::Check {
            environments,
            terraform: None,
        } => check(global, environments, reporter),
        EnvCommand::Check {
            environments,
            terraform: Some(file),
        } => compare(global, environments, file, reporter),
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

/// One root of Terraform makes one environment, so one is compared.
fn compare(global: &Global, asked: &[String], file: &Path, reporter: &Reporter) -> Result<Exit, Failure> {
    let [name] = asked else {
        let what = format!(
            "{} is of one environment, and {} were named",
            file.display(),
            asked.len()
        );
        return Err(
            Failure::new(Exit::Usage, what).hint("compare them one after the other, each with its own root's file")
        );
    };
    let environment = load(global, name)?;
    let terraform = Terraform::read(file).map_err(|error| Failure::new(Exit::Usage, chain(&error)))?;
    let differences = tt_environment::differences(&environment, &terraform)?;
    if differences.is_empty() {
        reporter.checked(&environment);
        return Ok(Exit::Done);
    }
    let failure = Failure {
        exit: Exit::Differs,
        what: differences.iter().map(ToString::to_string).collect(),
        hints: Vec::new(),
    };
    Err(failure.hint("correct the environment's file, or apply Terraform again"))
}
