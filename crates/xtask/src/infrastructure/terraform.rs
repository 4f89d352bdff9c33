//! Terraform, told to ask nobody: no registry, no upgrade check, no configuration of the person's own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::{
    child::ending,
    failure::Failure,
    interrupt::Interrupt,
    place::Place,
    said::{self, Said},
};

/// Where a plan is kept beside its configuration.
const PLAN: &str = "plan.bin";
/// What `terraform plan -detailed-exitcode` says of a plan with changes.
const CHANGES: i32 = 2;

/// Terraform with a provider to speak to.
pub(super) struct Terraform<'a> {
    reattach: &'a str,
    interrupt: &'a Interrupt,
}

/// The code is as `terraform fmt` would write it.
pub(super) fn formatted(place: &Place, interrupt: &Interrupt) -> Result<(), Failure> {
    let folder = place.root().join("infrastructure").join("terraform");
    let mut command = quiet(&folder);
    command.args(["fmt", "-check", "-diff", "-recursive"]);
    let program = "terraform fmt -check (`terraform fmt -recursive infrastructure/terraform` mends it)";
    said::said(program, &mut command, interrupt).map(|_| ())
}

impl<'a> Terraform<'a> {
    pub(super) fn new(reattach: &'a str, interrupt: &'a Interrupt) -> Self {
        Self { reattach, interrupt }
    }

    pub(super) fn init(&self, folder: &Path) -> Result<(), Failure> {
        self.run(folder, &["init", "-no-color"]).map(|_| ())
    }

    pub(super) fn validate(&self, folder: &Path) -> Result<(), Failure> {
        self.run(folder, &["validate", "-no-color"]).map(|_| ())
    }

    /// What validation has to say, whether it passes or not.
    pub(super) fn diagnostics(&self, folder: &Path) -> Result<Value, Failure> {
        let said = said::ask(
            "terraform",
            self.command(folder).args(["validate", "-json"]),
            self.interrupt,
        )?;
        json(&folder.join("validate"), &said.out)
    }

    /// Runs the folder's `tests/`; how many passed.
    pub(super) fn test(&self, folder: &Path) -> Result<usize, Failure> {
        let said = self.run(folder, &["test", "-no-color"])?;
        let passed = said
            .out
            .lines()
            .filter(|line| line.starts_with("  run ") && line.ends_with("... pass"))
            .count();
        if passed == 0 {
            return Err(Failure::Check(format!("no test ran in {}", folder.display())));
        }
        Ok(passed)
    }

    /// Plans, and gives the plan as JSON.
    pub(super) fn plan(&self, folder: &Path, variables: &[&str]) -> Result<Plan, Failure> {
        let arguments = ["plan", "-no-color", "-detailed-exitcode", "-out", PLAN];
        let mut command = self.command(folder);
        command.args(arguments).args(variables);
        let said = said::ask("terraform", &mut command, self.interrupt)?;
        let changes = match said.status.code() {
            Some(0) => false,
            Some(CHANGES) => true,
            Some(_) | None => return Err(ended_badly(folder, &arguments, &said)),
        };
        let shown = self.run(folder, &["show", "-json", PLAN])?;
        let file = folder.join("plan.json");
        fs::write(&file, &shown.out).map_err(|cause| Failure::Write {
            path: file.clone(),
            cause,
        })?;
        let value = json(&file, &shown.out)?;
        Ok(Plan { file, changes, value })
    }

    /// Carries out the last plan, on a state in the folder.
    pub(super) fn apply(&self, folder: &Path) -> Result<(), Failure> {
        self.run(folder, &["apply", "-no-color", PLAN]).map(|_| ())
    }

    pub(super) fn outputs(&self, folder: &Path) -> Result<Value, Failure> {
        let said = self.run(folder, &["output", "-json"])?;
        json(&folder.join("outputs"), &said.out)
    }

    fn run(&self, folder: &Path, arguments: &[&str]) -> Result<Said, Failure> {
        let said = said::ask("terraform", self.command(folder).args(arguments), self.interrupt)?;
        if said.status.success() {
            return Ok(said);
        }
        Err(ended_badly(folder, arguments, &said))
    }

    fn command(&self, folder: &Path) -> Command {
        let mut command = quiet(folder);
        command.env("TF_REATTACH_PROVIDERS", self.reattach);
        command
    }
}

/// A plan of changes, or of none.
pub(super) struct Plan {
    /// Its JSON, for other programs.
    pub(super) file: PathBuf,
    /// Whether an apply would do anything.
    pub(super) changes: bool,
    value: Value,
}

impl Plan {
    /// The resources that an apply would change, each with what it has and what it would get.
    pub(super) fn changed(&self) -> Vec<Change<'_>> {
        let resources = self.value["resource_changes"].as_array().map_or(&[][..], Vec::as_slice);
        let acts = |change: &&Value| change["change"]["actions"] != serde_json::json!(["no-op"]);
        resources
            .iter()
            .filter(acts)
            .map(|found| Change {
                address: found["address"].as_str().unwrap_or_default(),
                before: &found["change"]["before"],
                after: &found["change"]["after"],
            })
            .collect()
    }
}

/// One resource of a plan.
pub(super) struct Change<'p> {
    pub(super) address: &'p str,
    before: &'p Value,
    after: &'p Value,
}

impl Change<'_> {
    /// Whether an apply would give this attribute another value.
    pub(super) fn touches(&self, attribute: &str) -> bool {
        self.before[attribute] != self.after[attribute]
    }
}

/// Terraform as it is for everybody: whatever the person has configured is left out.
fn quiet(folder: &Path) -> Command {
    let mut command = Command::new("terraform");
    command
        .current_dir(folder)
        .env("TF_CLI_CONFIG_FILE", "/dev/null")
        .env("TF_IN_AUTOMATION", "1")
        .env("TF_INPUT", "0")
        .env("CHECKPOINT_DISABLE", "1");
    for own in [
        "TF_CLI_ARGS",
        "TF_DATA_DIR",
        "TF_LOG",
        "TF_PLUGIN_CACHE_DIR",
        "TF_WORKSPACE",
    ] {
        command.env_remove(own);
    }
    command
}

fn ended_badly(folder: &Path, arguments: &[&str], said: &Said) -> Failure {
    let name = folder
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    Failure::Said {
        program: format!("terraform {} of {name}", arguments.first().unwrap_or(&"")),
        how: ending(said.status),
        said: said.all(),
    }
}

fn json(what: &Path, text: &str) -> Result<Value, Failure> {
    serde_json::from_str(text).map_err(|cause| Failure::Json {
        path: what.to_owned(),
        cause,
    })
}
