//! The commands of `.gitlab-ci.yml`.

use std::{fs, path::Path};

use serde_yaml::Value;

use super::is_taken;

/// What GitLab fills in.
const VALUES: [(&str, &str); 3] = [
    (
        "SERVICE_IMAGE",
        "registry.example/service@sha256:0000000000000000000000000000000000000000000000000000000000000000",
    ),
    ("CI_COMMIT_SHORT_SHA", "1a2b3c4d"),
    ("CI_JOB_ID", "17"),
];

#[test]
fn the_pipeline_calls_what_there_is() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.gitlab-ci.yml");
    let pipeline: Value = serde_yaml::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let mut texts = Vec::new();
    collect(&pipeline, &mut texts);
    let commands: Vec<Vec<String>> = texts
        .iter()
        .flat_map(|text| text.lines())
        .filter_map(|line| command(line.trim()))
        .collect();
    for wanted in [
        "deploy staging",
        "deploy production",
        "rollback production",
        "restore production",
        "backup production",
    ] {
        let is_there = commands.iter().any(|command| command.join(" ").starts_with(wanted));
        assert!(
            is_there,
            "`tt-ops {wanted}` is not found in the pipeline: {commands:#?}"
        );
    }
    for command in &commands {
        assert_eq!(refused(command), None, "tt-ops {}", command.join(" "));
    }
}

#[test]
fn what_there_is_not_is_noticed() {
    for line in [
        "dist/tt-ops deploy staging",
        "dist/tt-ops deploy staging --image 1.0.0 --wait",
        "dist/tt-ops deploy staging --image 1.0.0 --output xml | tee run.jsonl",
        "tt-ops promote staging",
        "tt-ops backup verify staging",
    ] {
        let command = command(line).unwrap();
        assert!(refused(&command).is_some(), "tt-ops {}", command.join(" "));
    }
}

fn collect(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Sequence(items) => {
            for item in items {
                collect(item, texts);
            }
        }
        Value::Mapping(keys) => {
            for value in keys.values() {
                collect(value, texts);
            }
        }
        Value::Tagged(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The words after `tt-ops`, if that is what a line runs. Lines of the pipeline are simple: one command, quotes around one variable, and
/// nothing behind it but a pipe or a file.
fn command(line: &str) -> Option<Vec<String>> {
    let (program, rest) = line.split_once(' ')?;
    if program != "tt-ops" && !program.ends_with("/tt-ops") {
        return None;
    }
    let words = rest.split_whitespace().take_while(|word| !["|", ">"].contains(word));
    Some(words.map(|word| filled_in(word.trim_matches('"'))).collect())
}

fn filled_in(word: &str) -> String {
    let whole = VALUES.iter().fold(word.to_owned(), |word, (name, value)| {
        word.replace(&format!("${name}"), value)
    });
    assert!(
        !whole.contains(['$', '"', '\'', ';', '&', '`']),
        "`{word}` is not understood by this test"
    );
    whole
}

/// What the parser of the command line complains about.
fn refused(command: &[String]) -> Option<String> {
    is_taken(["tt-ops"].into_iter().chain(command.iter().map(String::as_str))).err()
}
