//! A job's time against what its environment allows a deploy: a job that ends before the bake does would look like a failure, and
//! its token dies with it.

use std::time::Duration;

use serde_yaml::Value;

use super::jobs::{Job, Pipeline};

/// Starting tasks, the smoke test, ending the old tasks: what no file bounds.
const FOR_THE_REST: Duration = Duration::from_mins(15);

/// The deploys of an environment whose job would end before they could.
pub(super) fn too_short(pipeline: &Pipeline, environment: &str, file: &Value) -> Vec<String> {
    let Some(needed) = longest(file) else {
        return vec![format!(
            "environments/{environment}.yaml: a duration is missing or cannot be read"
        )];
    };
    let minutes = |time: Duration| time.as_secs() / 60;
    let complaint = |job: &Job| match job.text("timeout").and_then(duration) {
        Some(time) if time >= needed => None,
        given => Some(format!(
            "{}: a deploy to {environment} may take {} minutes, the job's `timeout` is {}",
            job.name,
            minutes(needed),
            given.map_or("not given".to_owned(), |time| format!("{} minutes", minutes(time)))
        )),
    };
    pipeline
        .running("deploy")
        .filter(|job| job.environments_of("deploy").iter().any(|name| name == environment))
        .filter_map(complaint)
        .collect()
}

/// The longest way through a deploy that still ends well, by the environment's own numbers.
fn longest(file: &Value) -> Option<Duration> {
    let at = |path: &[&str]| {
        let value = path.iter().try_fold(file, |value, key| value.get(*key))?;
        duration(value.as_str()?)
    };
    let rollout = file.get("rollout")?;
    let (steps, wait) = match rollout.get("strategy")?.as_str()? {
        "canary" => (1, at(&["rollout", "canary", "bake"])?),
        "linear" => {
            let percent = rollout.get("linear")?.get("percent")?.as_u64()?;
            let steps = u32::try_from(100_u64.div_ceil(percent.max(1))).ok()?;
            (steps, at(&["rollout", "linear", "bake"])?)
        }
        _ => (1, Duration::ZERO),
    };
    let step = wait + at(&["analysis", "window"])? + at(&["analysis", "inconclusive", "wait"])?;
    Some(at(&["migrations", "timeout"])? + step * steps + at(&["rollout", "bake"])? + FOR_THE_REST)
}

/// A number and a unit, as the environments and the pipeline write it.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().ok()?;
    let seconds = match &text[digits.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    Some(Duration::from_secs(number * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENVIRONMENT: &str = "
rollout: {strategy: canary, canary: {percent: 10, bake: 1m}, bake: 10m}
analysis: {window: 2m, inconclusive: {wait: 10m, then: rollback}}
migrations: {timeout: 10m}
";

    fn said(timeout: &str, environment: &str) -> Vec<String> {
        let text = format!("job: {{script: [tt-ops deploy here --yes]{timeout}}}");
        let pipeline = Pipeline::new(&serde_yaml::from_str(&text).unwrap()).unwrap();
        too_short(&pipeline, "here", &serde_yaml::from_str(environment).unwrap())
    }

    #[test]
    fn a_job_that_would_end_before_its_deploy_is_named() {
        let wanted = "job: a deploy to here may take 48 minutes, the job's `timeout` is";
        assert_eq!(said(", timeout: 48m", ENVIRONMENT), Vec::<String>::new());
        assert_eq!(said(", timeout: 47m", ENVIRONMENT), [format!("{wanted} 47 minutes")]);
        assert_eq!(said("", ENVIRONMENT), [format!("{wanted} not given")]);
    }

    #[test]
    fn every_step_counts_and_a_missing_number_is_no_permission() {
        let linear = ENVIRONMENT.replace(
            "strategy: canary, canary: {percent: 10",
            "strategy: linear, linear: {percent: 30",
        );
        assert!(said(", timeout: 1h", &linear)[0].contains("may take 87 minutes"));
        assert!(said(", timeout: 9h", "rollout: {strategy: canary}")[0].contains("cannot be read"));
    }
}
