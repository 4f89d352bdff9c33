//! The jobs of a pipeline as GitLab puts them together: `extends`, `!reference` and `default` are resolved.

use std::collections::BTreeMap;

use serde_yaml::{Mapping, Value};

/// What stands at the top of the file and is no job (GitLab documentation, "CI/CD YAML syntax reference").
const GLOBAL: [&str; 6] = ["default", "include", "spec", "stages", "variables", "workflow"];

/// A pipeline, its templates used up.
#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) stages: Vec<String>,
    pub(super) variables: BTreeMap<String, String>,
    pub(super) jobs: Vec<Job>,
}

/// A job with everything that it has from elsewhere.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) name: String,
    keys: Mapping,
}

impl Pipeline {
    pub(super) fn new(file: &Value) -> Result<Self, String> {
        let top = file.as_mapping().ok_or("the file is no mapping")?;
        let default = top
            .get("default")
            .and_then(Value::as_mapping)
            .cloned()
            .unwrap_or_default();
        let mut jobs = Vec::new();
        for (name, keys) in top {
            let name = name.as_str().unwrap_or_default();
            if name.starts_with('.') || GLOBAL.contains(&name) || !keys.is_mapping() {
                continue;
            }
            let Value::Mapping(own) = referenced(&extended(top, name, 0)?, top)? else {
                continue;
            };
            let mut keys = default.clone();
            keys.extend(own);
            jobs.push(Job {
                name: name.to_owned(),
                keys,
            });
        }
        Ok(Self {
            stages: texts(top.get("stages")),
            variables: variables(top.get("variables")),
            jobs,
        })
    }

    pub(super) fn job(&self, name: &str) -> Option<&Job> {
        self.jobs.iter().find(|job| job.name == name)
    }

    /// The jobs that run `tt-ops` with this subcommand.
    pub(super) fn running<'a>(&'a self, subcommand: &'a str) -> impl Iterator<Item = &'a Job> {
        self.jobs
            .iter()
            .filter(move |job| !job.environments_of(subcommand).is_empty())
    }
}

impl Job {
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.keys.get(key)
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Value::as_str)
    }

    /// The name under a key that may be a name or a mapping with one (`image`, `environment`).
    pub(super) fn named(&self, key: &str) -> Option<&str> {
        let value = self.get(key)?;
        value.as_str().or_else(|| value.get("name").and_then(Value::as_str))
    }

    /// The jobs that it waits for by name.
    pub(super) fn needs(&self) -> Vec<&str> {
        sequence(self.get("needs"))
            .filter_map(|need| need.as_str().or_else(|| need.get("job").and_then(Value::as_str)))
            .collect()
    }

    pub(super) fn rules(&self) -> impl Iterator<Item = &Value> {
        sequence(self.get("rules"))
    }

    /// Every line that a shell gets, in order; `after_script` has a shell of its own and its exit code counts for nothing.
    pub(super) fn lines(&self) -> Vec<String> {
        ["before_script", "script"]
            .into_iter()
            .flat_map(|key| texts(self.get(key)))
            .flat_map(|text| text.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>())
            .filter(|line| !line.is_empty())
            .collect()
    }

    /// The environments that `tt-ops <subcommand>` is called with.
    pub(super) fn environments_of(&self, subcommand: &str) -> Vec<String> {
        self.lines()
            .iter()
            .filter_map(|line| {
                let mut words = line.split_whitespace();
                let program = words.next()?;
                let is_ours = program == "tt-ops" || program.ends_with("/tt-ops");
                (is_ours && words.next()? == subcommand).then(|| words.next().unwrap_or_default().to_owned())
            })
            .collect()
    }

    pub(super) fn variables(&self) -> BTreeMap<String, String> {
        variables(self.get("variables"))
    }

    /// Whether a person starts it, whatever rule brought it into the pipeline.
    pub(super) fn is_manual(&self) -> bool {
        let manual = |value: &Value| value.get("when").and_then(Value::as_str) == Some("manual");
        self.text("when") == Some("manual") || (self.rules().next().is_some() && self.rules().all(manual))
    }

    /// Whether AWS gives it a role.
    pub(super) fn has_a_role(&self) -> bool {
        self.get("id_tokens")
            .is_some_and(|tokens| tokens.get("AWS_TOKEN").is_some())
    }
}

pub(super) fn sequence(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_sequence).into_iter().flatten()
}

/// One text, or many.
pub(super) fn texts(value: Option<&Value>) -> Vec<String> {
    let one = value.and_then(Value::as_str).map(ToOwned::to_owned);
    let many = sequence(value).filter_map(Value::as_str).map(ToOwned::to_owned);
    one.into_iter().chain(many).collect()
}

fn variables(value: Option<&Value>) -> BTreeMap<String, String> {
    let pair = |(name, value): (&Value, &Value)| {
        let value = value.get("value").unwrap_or(value);
        let text = value.as_str().map_or_else(|| format!("{value:?}"), ToOwned::to_owned);
        Some((name.as_str()?.to_owned(), text))
    };
    value
        .and_then(Value::as_mapping)
        .into_iter()
        .flatten()
        .filter_map(pair)
        .collect()
}

/// GitLab allows eleven levels of `extends`; a circle has more.
fn extended(top: &Mapping, name: &str, depth: usize) -> Result<Value, String> {
    let keys = top
        .get(name)
        .ok_or_else(|| format!("`extends` names `{name}`, which does not exist"))?;
    if depth > 11 {
        return Err(format!("`extends` of `{name}` never ends"));
    }
    let mut whole = Value::Mapping(Mapping::new());
    for parent in texts(keys.get("extends")) {
        whole = merged(whole, extended(top, &parent, depth + 1)?);
    }
    Ok(merged(whole, keys.clone()))
}

/// Mappings are merged, anything else is replaced.
fn merged(under: Value, over: Value) -> Value {
    match (under, over) {
        (Value::Mapping(mut under), Value::Mapping(over)) => {
            for (key, value) in over {
                let below = under.remove(&key).unwrap_or(Value::Null);
                under.insert(key, merged(below, value));
            }
            Value::Mapping(under)
        }
        (_, over) => over,
    }
}

/// Puts what `!reference [job, key]` names in its place; a list within a list becomes part of it.
fn referenced(value: &Value, top: &Mapping) -> Result<Value, String> {
    match value {
        Value::Tagged(tagged) if tagged.tag == "!reference" => {
            let path = texts(Some(&tagged.value));
            let (job, keys) = path.split_first().ok_or("an empty `!reference`")?;
            let mut found = extended(top, job, 0)?;
            for key in keys {
                found = found
                    .get(key)
                    .cloned()
                    .ok_or_else(|| format!("`!reference {path:?}` names nothing"))?;
            }
            referenced(&found, top)
        }
        Value::Sequence(items) => {
            let mut flat = Vec::new();
            for item in items {
                let resolved = referenced(item, top)?;
                match resolved.as_sequence() {
                    Some(inner) if matches!(item, Value::Tagged(_)) => flat.extend(inner.iter().cloned()),
                    _ => flat.push(resolved),
                }
            }
            Ok(Value::Sequence(flat))
        }
        Value::Mapping(mapping) => mapping
            .iter()
            .map(|(key, value)| Ok((key.clone(), referenced(value, top)?)))
            .collect::<Result<Mapping, String>>()
            .map(Value::Mapping),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Tagged(_) => Ok(value.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipeline(text: &str) -> Result<Pipeline, String> {
        Pipeline::new(&serde_yaml::from_str(text).unwrap())
    }

    #[test]
    fn a_job_has_what_it_extends_refers_to_and_gets_by_default() {
        let text = "
default: {interruptible: true, retry: {max: 1}}
.one: {script: [a], variables: {A: '1', B: '1'}}
.two: {extends: .one, variables: {B: '2'}, interruptible: false}
job: {extends: [.two], script: [!reference [.one, script], b], needs: [{job: x}, y]}
";
        let pipeline = pipeline(text).unwrap();
        let [job] = pipeline.jobs.as_slice() else {
            panic!("{pipeline:?}")
        };
        assert_eq!(job.lines(), ["a", "b"]);
        assert_eq!(
            job.variables(),
            BTreeMap::from([("A".into(), "1".into()), ("B".into(), "2".into())])
        );
        assert_eq!(job.get("interruptible"), Some(&Value::Bool(false)));
        assert!(job.get("retry").is_some());
        assert_eq!(job.needs(), ["x", "y"]);
    }

    #[test]
    fn what_names_nothing_or_never_ends_is_said() {
        let said = |text| pipeline(text).unwrap_err();
        assert!(said("job: {extends: .no}").contains("`.no`"));
        assert!(said(".a: {extends: .a}\njob: {extends: .a}").contains("never ends"));
        assert!(said(".a: {b: 1}\njob: {script: [!reference [.a, c]]}").contains("names nothing"));
    }

    #[test]
    fn only_what_runs_tt_ops_counts() {
        let text = "job: {script: ['cosign sign-blob dist/tt-ops deploy', 'dist/tt-ops deploy staging --yes', tt-ops verify x]}";
        let pipeline = pipeline(text).unwrap();
        assert_eq!(pipeline.jobs[0].environments_of("deploy"), ["staging"]);
        assert_eq!(pipeline.running("verify").count(), 1);
        assert_eq!(pipeline.running("rollback").count(), 0);
    }
}
