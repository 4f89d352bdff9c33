//! The environments in this repository load, mean what they should, and match the schema that editors read.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on should say where"
)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use expect_test::expect_file;
use tt_environment::{
    Credentials, Environment, EnvironmentName, Minutes, Percent, Pinning, Strategy, known, load, schema,
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../environments")
}

fn environment(name: &str, vars: &[(&str, &str)]) -> Environment {
    let vars = |wanted: &str| {
        vars.iter()
            .find(|(name, _)| *name == wanted)
            .map(|(_, value)| (*value).to_owned())
    };
    load(&folder(), &EnvironmentName::parse(name).unwrap(), &vars).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_environment_of_the_repository_loads() {
    let names = known(&folder()).unwrap();
    assert_eq!(
        names.iter().map(EnvironmentName::as_str).collect::<Vec<_>>(),
        ["local", "production", "staging"]
    );
    for name in names {
        environment(name.as_str(), &[]);
    }
}

#[test]
fn production_is_pinned_and_says_so_in_types() {
    let production = environment("production", &[]);
    assert_eq!(production.image.pinning, Pinning::DigestRequired);
    assert_eq!(production.aws.credentials, Credentials::DefaultChain);
    assert_eq!(production.aws.minute, Duration::from_mins(1));
    assert_eq!(production.aws.endpoint_url, None);
    assert_eq!(production.sandbox, None);
    let percent = Percent::parse("10%").unwrap();
    assert_eq!(
        production.rollout.strategy,
        Strategy::Canary {
            percent,
            bake: Minutes::new(1)
        }
    );
    assert_eq!(production.freeze.len(), 1);
}

#[test]
fn several_sandboxes_are_told_apart_by_variables() {
    let default = environment("local", &[]);
    assert_eq!(default.aws.endpoint_url.unwrap().as_str(), "http://127.0.0.1:4566/");
    assert_eq!(default.image.repository.registry(), "127.0.0.1:4566");

    let other = environment(
        "local",
        &[
            ("TT_SANDBOX_URL", "http://127.77.0.1:9000"),
            ("TT_SANDBOX_REGISTRY", "127.77.0.1:9000"),
        ],
    );
    assert_eq!(other.aws.endpoint_url.unwrap().as_str(), "http://127.77.0.1:9000/");
    assert_eq!(other.image.repository.as_str(), "127.77.0.1:9000/task-tracker");
}

#[test]
fn a_sandbox_shortens_what_aws_counts_in_minutes_and_nothing_else() {
    let local = environment("local", &[]);
    assert_eq!(local.rollout.bake.lasting(local.aws.minute), Duration::from_secs(10));
    assert_eq!(local.smoke_test.timeout, Duration::from_secs(5));
}

#[test]
fn paths_are_relative_to_the_file() {
    let local = environment("local", &[]);
    assert_eq!(
        local.sandbox.unwrap().stack,
        folder().join("../infrastructure/sandbox/stack.yaml")
    );
}

/// `UPDATE_EXPECT=1 cargo test -p tt-environment` writes the schema anew.
#[test]
fn the_schema_beside_the_environments_is_the_generated_one() {
    let generated = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    expect_file!["../../../environments/environment.schema.json"].assert_eq(&generated);
}
