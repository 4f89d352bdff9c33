//! `make test-infrastructure`: what can be proven of the Terraform code without an account.
//!
//! Terraform itself does the work, against a provider that has AWS's schemas and no AWS (`infrastructure/terraform/offline`). Owns the
//! order of the checks and what their answers must be; never touches the working copy, an account or Terraform's registry.

mod broken;
mod ownership;
mod policy;
mod provider;
mod terraform;
mod tree;

use std::{sync::Mutex, thread, time::Instant};

use crate::{failure::Failure, interrupt::Interrupt, on_path::is_there, place::Place, say};

use self::{policy::Policy, provider::Provider, terraform::Terraform, tree::Tree};

/// Terraform and Node wait for each other most of the time, so a few at once are no burden.
const AT_ONCE: usize = 3;
/// The roots; `bootstrap` has no environment of its own.
const ENVIRONMENTS: [&str; 2] = ["staging", "production"];

/// Says what it checks; what the machine lacks the programs for is said as well, and left out.
pub(crate) fn run(place: &Place, interrupt: &Interrupt) -> Result<(), Failure> {
    let started = Instant::now();
    if !is_there("terraform") {
        say::line("skipped: the Terraform code was not tested, terraform is not on the PATH (1.11 or newer)");
        return Ok(());
    }
    terraform::formatted(place, interrupt)?;
    if !is_there("node") || !is_there("npm") {
        say::line(
            "skipped: of the Terraform code only the format was tested, Node is missing (apt-get install nodejs npm)",
        );
        return Ok(());
    }
    let policy = Policy::install(place, interrupt)?;
    let provider = Provider::start(place, interrupt)?;
    let tree = Tree::lay_out(place)?;
    let terraform = Terraform::new(provider.reattach(), interrupt);
    let checked = all(
        jobs(&tree),
        &Tools {
            place,
            interrupt,
            tree: &tree,
            terraform: &terraform,
            policy: &policy,
        },
    )?;
    say::line(format!(
        "the Terraform code holds: {checked} checks in {:.0} s",
        started.elapsed().as_secs_f64()
    ));
    Ok(())
}

/// What a job works with.
struct Tools<'a> {
    place: &'a Place,
    interrupt: &'a Interrupt,
    tree: &'a Tree,
    terraform: &'a Terraform<'a>,
    policy: &'a Policy,
}

/// Something that can be checked while something else is.
enum Job {
    /// What is wrong on purpose is refused.
    Broken,
    /// A module's own tests.
    Module(String),
    /// The root that makes the backend.
    Bootstrap,
    /// A root from an empty account to a second plan.
    Environment(&'static str),
}

/// The longest first, so that nobody waits for them at the end.
fn jobs(tree: &Tree) -> Vec<Job> {
    let environments = ENVIRONMENTS.into_iter().map(Job::Environment);
    let modules = tree.tested_modules().into_iter().map(Job::Module);
    let mut jobs: Vec<Job> = environments
        .chain([Job::Broken, Job::Bootstrap])
        .chain(modules)
        .collect();
    jobs.reverse();
    jobs
}

/// Every job is done, so that one finding does not hide the next; how many checks there were.
fn all(jobs: Vec<Job>, tools: &Tools<'_>) -> Result<usize, Failure> {
    let jobs = Mutex::new(jobs);
    let next = || jobs.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop();
    let work = || {
        let (mut checked, mut failures) = (0, Vec::new());
        while let Some(job) = next() {
            match job.check(tools) {
                Ok(count) => checked += count,
                Err(failure) => {
                    say::failure(&failure);
                    failures.push(failure);
                }
            }
        }
        (checked, failures)
    };
    let outcomes: Vec<(usize, Vec<Failure>)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).collect()
    });
    // A worker that panicked has said so; what it would have checked is missing.
    if outcomes.len() < AT_ONCE {
        return Err(Failure::Check("a check of the Terraform code broke off".to_owned()));
    }
    let checked = outcomes.iter().map(|(checked, _)| checked).sum();
    let failed = outcomes.iter().map(|(_, failures)| failures.len()).sum::<usize>();
    match failed {
        0 => Ok(checked),
        failed => Err(Failure::Check(format!(
            "{failed} of the Terraform code's parts did not hold, see above"
        ))),
    }
}

impl Job {
    /// How many checks it was, all of them passed.
    fn check(&self, tools: &Tools<'_>) -> Result<usize, Failure> {
        match self {
            Self::Broken => broken::refused(tools.terraform, &tools.tree.folder("offline/broken")),
            Self::Module(name) => {
                let folder = tools.tree.folder(&format!("modules/{name}"));
                tools.terraform.init(&folder)?;
                let passed = tools.terraform.test(&folder)?;
                say::line(format!("  module {name}: {passed} tests"));
                Ok(passed)
            }
            Self::Bootstrap => {
                let folder = tools.tree.folder("bootstrap");
                tools.terraform.init(&folder)?;
                tools.terraform.validate(&folder)?;
                let variables = ["-var=environment=staging", "-var=account_id=210987654321"];
                let plan = tools.terraform.plan(&folder, &variables)?;
                let policies = tools.policy.check(tools.place, tools.tree, "bootstrap", &plan)?;
                say::line(format!("  root bootstrap: validates, plans; {policies}"));
                Ok(2)
            }
            Self::Environment(name) => environment(name, tools),
        }
    }
}

fn environment(name: &str, tools: &Tools<'_>) -> Result<usize, Failure> {
    // A provider is configured for one account at a time, and both environments are here at once.
    let provider = Provider::start(tools.place, tools.interrupt)?;
    let terraform = &Terraform::new(provider.reattach(), tools.interrupt);
    let folder = tools.tree.folder(name);
    terraform.init(&folder)?;
    terraform.validate(&folder)?;
    let plan = terraform.plan(&folder, &[])?;
    let policies = tools.policy.check(tools.place, tools.tree, name, &plan)?;
    terraform.apply(&folder)?;
    ownership::outputs_as_recorded(tools.place, terraform, name, &folder)?;
    let fields = ownership::respected(tools.tree, terraform, name)?;
    say::line(format!(
        "  root {name}: validates, plans, applies; {policies}; after a deploy, {fields} fields of ECS and tt-ops are left alone"
    ));
    Ok(4 + fields)
}
