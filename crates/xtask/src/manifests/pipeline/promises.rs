//! What the pipeline promises, a function each; what breaks it is said with the job's name.

use serde_yaml::Value;

use super::jobs::{Job, Pipeline, sequence, texts};

/// Those that are deployed to, in this order.
pub(super) const ENVIRONMENTS: [&str; 2] = ["staging", "production"];
/// The order of the stages that there must be.
const STAGES: [&str; 8] = [
    "lint",
    "test",
    "security",
    "build",
    "sign",
    "staging",
    "approve",
    "production",
];
/// Long-lived keys, which nobody has to keep: AWS believes GitLab's tokens.
const KEYS: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

/// Every promise that is broken.
pub(super) fn broken(pipeline: &Pipeline) -> Vec<String> {
    [
        stages_in_order,
        production_waits_for_a_person,
        deploys_take_turns,
        deploys_run_on_the_default_branch_only,
        jobs_with_a_role_are_left_alone,
        deployed_is_what_was_signed,
        failures_are_failures,
        nothing_runs_regardless,
        only_the_runners_faults_are_retried,
        images_are_pinned,
        no_keys,
    ]
    .iter()
    .flat_map(|promise| promise(pipeline))
    .collect()
}

fn stages_in_order(pipeline: &Pipeline) -> Vec<String> {
    let there: Vec<&str> = pipeline
        .stages
        .iter()
        .map(String::as_str)
        .filter(|stage| STAGES.contains(stage))
        .collect();
    let mut complaints = Vec::new();
    if there != STAGES {
        complaints.push(format!("the stages are {there:?}, wanted are {STAGES:?}"));
    }
    let empty = STAGES
        .iter()
        .filter(|stage| !pipeline.jobs.iter().any(|job| job.text("stage") == Some(stage)));
    complaints.extend(empty.map(|stage| format!("no job is in the stage `{stage}`")));
    complaints
}

/// An order of stages is not enough: a job with `needs` does not wait for stages.
fn production_waits_for_a_person(pipeline: &Pipeline) -> Vec<String> {
    let approves = |job: &Job| {
        job.is_manual()
            && job.get("allow_failure") == Some(&Value::Bool(false))
            && !job.rules().any(|rule| rule.get("allow_failure").is_some())
            && job
                .named("environment")
                .is_some_and(|name| !ENVIRONMENTS.contains(&name))
    };
    let saw_staging = |job: &Job| {
        let mut needed = job.needs().into_iter().filter_map(|name| pipeline.job(name));
        needed.any(|needed| needed.environments_of("deploy").iter().any(|name| name == "staging"))
    };
    let deploys = |job: &&Job| job.environments_of("deploy").iter().any(|name| name == "production");
    let mut complaints = Vec::new();
    if !pipeline.running("deploy").any(|job| deploys(&job)) {
        complaints.push("no job deploys to production".to_owned());
    }
    for job in pipeline.running("deploy").filter(deploys) {
        let approval = job
            .needs()
            .into_iter()
            .filter_map(|name| pipeline.job(name))
            .find(|needed| approves(needed));
        match approval {
            None => complaints.push(format!(
                "{}: needs no job that a person starts, that blocks (`allow_failure: false`) and that has a protected environment of its own",
                job.name
            )),
            Some(approval) if !saw_staging(approval) => complaints.push(format!(
                "{}: does not need the deploy to staging, so untried releases could be approved",
                approval.name
            )),
            Some(_) => {}
        }
    }
    complaints
}

/// Two deploys of one environment wait for each other; a rollback waits for none.
fn deploys_take_turns(pipeline: &Pipeline) -> Vec<String> {
    let mut complaints = Vec::new();
    for job in &pipeline.jobs {
        for target in job.environments_of("deploy") {
            for (key, value) in [
                ("resource_group", job.text("resource_group")),
                ("environment", job.named("environment")),
            ] {
                if value != Some(target.as_str()) {
                    complaints.push(format!(
                        "{}: deploys to {target}, and its `{key}` is {value:?}",
                        job.name
                    ));
                }
            }
        }
        if !job.environments_of("rollback").is_empty() && job.get("resource_group").is_some() {
            complaints.push(format!(
                "{}: a rollback with a `resource_group` waits for the deploy that it is to take back",
                job.name
            ));
        }
    }
    complaints
}

/// The role's condition in AWS says the same; a job that is refused there should not have been made.
fn deploys_run_on_the_default_branch_only(pipeline: &Pipeline) -> Vec<String> {
    let restricted = |rule: &Value| {
        let condition = rule.get("if").and_then(Value::as_str).unwrap_or_default();
        condition.contains("$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH")
            && condition.contains("$CI_PIPELINE_SOURCE != \"schedule\"")
            && !condition.contains("||")
    };
    pipeline
        .running("deploy")
        .filter(|job| job.rules().next().is_none() || !job.rules().all(restricted))
        .map(|job| {
            format!(
                "{}: a rule lets it run elsewhere than on the default branch, or by a schedule",
                job.name
            )
        })
        .collect()
}

/// What talks to an account is not cancelled by a newer commit, and says how long it and its token live.
fn jobs_with_a_role_are_left_alone(pipeline: &Pipeline) -> Vec<String> {
    let mut complaints = Vec::new();
    for job in &pipeline.jobs {
        let in_an_account = [
            "deploy",
            "rollback",
            "verify",
            "backup",
            "restore",
            "db-migrate",
            "db-rollback",
        ]
        .iter()
        .any(|subcommand| !job.environments_of(subcommand).is_empty());
        if in_an_account && !job.has_a_role() {
            complaints.push(format!("{}: has no token for AWS (`id_tokens: AWS_TOKEN`)", job.name));
        }
        if job.has_a_role() && job.get("interruptible") != Some(&Value::Bool(false)) {
            complaints.push(format!("{}: has a role in AWS and is interruptible", job.name));
        }
        // GitLab: without a timeout of the job, a token lives for five minutes.
        if job.has_a_role() && job.text("timeout").is_none() {
            complaints.push(format!("{}: has a token for AWS and no `timeout` of its own", job.name));
        }
    }
    complaints
}

/// The signature that is looked at is that of the very image that is deployed, in the same script and before.
fn deployed_is_what_was_signed(pipeline: &Pipeline) -> Vec<String> {
    let mut complaints = Vec::new();
    for job in pipeline.running("deploy") {
        let lines = job.lines();
        let deploys = |line: &String| line.contains("tt-ops deploy");
        let (before, after) = lines.split_at(lines.iter().position(deploys).unwrap_or(lines.len()));
        for deploy in after.iter().filter(|line| deploys(line)) {
            let image = deploy
                .split_once("--image ")
                .and_then(|(_, rest)| rest.split(' ').next());
            let verified = |image: &str| {
                before
                    .iter()
                    .any(|line| line.starts_with("cosign verify ") && line.split(' ').any(|word| word == image))
            };
            if !image.is_some_and(verified) {
                complaints.push(format!(
                    "{}: deploys {image:?} without `cosign verify` of the same before",
                    job.name
                ));
            }
        }
        if !before.iter().any(|line| line.starts_with("cosign verify-blob ")) {
            complaints.push(format!(
                "{}: runs a tt-ops whose signature it has not looked at",
                job.name
            ));
        }
        for stage in ["build", "sign"] {
            let mut needed = job.needs().into_iter().filter_map(|name| pipeline.job(name));
            if !needed.any(|needed| needed.text("stage") == Some(stage)) {
                complaints.push(format!("{}: does not need the job of the stage `{stage}`", job.name));
            }
        }
    }
    complaints
}

/// An exit code other than 0 ends a job in red, and the pipeline with it.
fn failures_are_failures(pipeline: &Pipeline) -> Vec<String> {
    let mut complaints = Vec::new();
    for job in &pipeline.jobs {
        let of_rules = job.rules().filter_map(|rule| rule.get("allow_failure"));
        for allowed in job.get("allow_failure").into_iter().chain(of_rules) {
            // With `true`, GitLab lets a pipeline go on without a manual job; no other way to say that exists.
            let waited_for = pipeline
                .jobs
                .iter()
                .any(|other| other.needs().contains(&job.name.as_str()));
            let optional = job.is_manual() && !waited_for && job.environments_of("deploy").is_empty();
            let fine = allowed == &Value::Bool(false) || (allowed == &Value::Bool(true) && optional);
            if !fine {
                complaints.push(format!("{}: `allow_failure` would let a failure pass", job.name));
            }
        }
        let mut pipefail = false;
        for line in job.lines() {
            pipefail |= line.starts_with("set -o pipefail") || line.starts_with("set -euo pipefail");
            let words: Vec<&str> = line.split_whitespace().collect();
            if words.contains(&"||") || line.contains("set +e") || line.ends_with('&') {
                complaints.push(format!("{}: `{line}` would let a failure pass", job.name));
            }
            if line.contains("tt-ops ") && words.contains(&"|") && !pipefail {
                complaints.push(format!(
                    "{}: `{line}` is piped without `set -o pipefail` before",
                    job.name
                ));
            }
        }
    }
    complaints
}

fn nothing_runs_regardless(pipeline: &Pipeline) -> Vec<String> {
    let always = |value: Option<&Value>| value.and_then(Value::as_str) == Some("always");
    pipeline
        .jobs
        .iter()
        .filter(|job| always(job.get("when")) || job.rules().any(|rule| always(rule.get("when"))))
        .map(|job| format!("{}: `when: always` runs it after a failure as well", job.name))
        .collect()
}

/// A failed script is an answer; to ask again could turn a rollback into a second try that nobody asked for.
fn only_the_runners_faults_are_retried(pipeline: &Pipeline) -> Vec<String> {
    let safe = |retry: &Value| texts(retry.get("when")) == ["runner_system_failure"];
    pipeline
        .jobs
        .iter()
        .filter(|job| job.get("retry").is_some_and(|retry| !safe(retry)))
        .map(|job| format!("{}: `retry` is for more than runner_system_failure", job.name))
        .collect()
}

/// By digest, or by a tag that says a version.
fn images_are_pinned(pipeline: &Pipeline) -> Vec<String> {
    let pinned = |image: &str| {
        let name = image.rsplit('/').next().unwrap_or(image);
        let versioned = |tag: &str| tag.contains(|c: char| c.is_ascii_digit());
        image.contains("@sha256:") || name.split_once(':').is_some_and(|(_, tag)| versioned(tag))
    };
    let value = |job: &Job, image: &str| {
        let name = image.strip_prefix('$')?;
        job.variables()
            .remove(name)
            .or_else(|| pipeline.variables.get(name).cloned())
    };
    let mut complaints = Vec::new();
    for job in &pipeline.jobs {
        let services = sequence(job.get("services"))
            .filter_map(|service| service.as_str().or_else(|| service.get("name").and_then(Value::as_str)));
        let Some(image) = job.named("image") else {
            complaints.push(format!("{}: names no image", job.name));
            continue;
        };
        for image in services.chain([image]) {
            let image = value(job, image).unwrap_or_else(|| image.to_owned());
            if !pinned(&image) {
                complaints.push(format!("{}: the image `{image}` is not pinned", job.name));
            }
        }
    }
    complaints
}

fn no_keys(pipeline: &Pipeline) -> Vec<String> {
    let mut complaints = Vec::new();
    for key in KEYS {
        if pipeline.variables.contains_key(key) {
            complaints.push(format!("the file sets {key}"));
        }
        let uses = |job: &&Job| job.variables().contains_key(key) || job.lines().iter().any(|line| line.contains(key));
        complaints.extend(
            pipeline
                .jobs
                .iter()
                .filter(uses)
                .map(|job| format!("{}: uses {key}", job.name)),
        );
    }
    complaints
}

#[cfg(test)]
mod tests;
