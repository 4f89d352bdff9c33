//! Each promise against the real file with one thing broken: a promise that nothing breaks would prove nothing.

use super::*;

const FILE: &str = include_str!("../../../../../../.gitlab-ci.yml");

/// Behind this, instead of this, that: and what must be said.
const CASES: &[(&str, &str, &str, &str)] = &[
    (
        "",
        "staging, approve, production, operate]",
        "approve, staging, production, operate]",
        "the stages are",
    ),
    (
        "\nsign:",
        "stage: sign",
        "stage: build",
        "no job is in the stage `sign`",
    ),
    (
        "\nproduction:",
        "needs: [approve, images, sign]",
        "needs: [images, sign]",
        "production: needs no job that a person starts",
    ),
    (
        "\napprove:",
        "      when: manual\n",
        "",
        "production: needs no job that a person starts",
    ),
    (
        "\napprove:",
        "allow_failure: false",
        "allow_failure: true",
        "production: needs no job that a person starts",
    ),
    (
        "\napprove:",
        "environment: {name: approval",
        "environment: {name: production",
        "production: needs no job",
    ),
    (
        "\napprove:",
        "needs: [staging, images]",
        "needs: [images]",
        "approve: does not need the deploy to staging",
    ),
    (
        "\nproduction:",
        "resource_group: production",
        "resource_group: staging",
        "production: deploys to production, and its `resource_group`",
    ),
    (
        "\nproduction:",
        "environment: {name: production",
        "environment: {name: live",
        "production: deploys to production, and its `environment`",
    ),
    (
        "\nrollback:",
        "allow_failure: true",
        "resource_group: production",
        "rollback: a rollback with a `resource_group`",
    ),
    (
        "\n.on-main:",
        " && $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH",
        "",
        "staging: a rule lets it run elsewhere",
    ),
    (
        "\n.on-main:",
        "$CI_PIPELINE_SOURCE != \"schedule\" && ",
        "",
        "production: a rule lets it run elsewhere",
    ),
    (
        "\n.aws:",
        "AWS_TOKEN: {aud",
        "OTHER_TOKEN: {aud",
        "staging: has no token for AWS",
    ),
    (
        "\n.tt-ops:",
        "interruptible: false",
        "interruptible: true",
        "rollback: has a role in AWS and is interruptible",
    ),
    (
        "\nproduction:",
        "  timeout: 2h\n",
        "",
        "production: has a token for AWS and no `timeout`",
    ),
    (
        "\nproduction:",
        "    - !reference [.verified, script]\n",
        "",
        "production: deploys Some",
    ),
    (
        "\nproduction:",
        "--image \"$SERVICE_IMAGE\"",
        "--image \"$CI_COMMIT_SHA\"",
        "production: deploys Some",
    ),
    (
        "\n.verified:",
        "cosign verify-blob",
        "cosign version",
        "staging: runs a tt-ops whose signature",
    ),
    (
        "\nstaging:",
        "needs: [images, sign]",
        "needs: [images]",
        "staging: does not need the job of the stage `sign`",
    ),
    (
        "\nstaging:",
        "resource_group",
        "allow_failure: {exit_codes: [6]}\n  resource_group",
        "staging: `allow_failure`",
    ),
    (
        "\nstaging:",
        "resource_group",
        "allow_failure: true\n  resource_group",
        "staging: `allow_failure`",
    ),
    (
        "\nsecrets:",
        "stage: security",
        "stage: security\n  allow_failure: true",
        "secrets: `allow_failure`",
    ),
    (
        "\nstaging:",
        "SHORT_SHA\" --yes",
        "SHORT_SHA\" --yes | tee log",
        "tee log` is piped without",
    ),
    (
        "\nproduction:",
        "SHORT_SHA\" --yes",
        "SHORT_SHA\" --yes || true",
        "|| true` would let a failure pass",
    ),
    (
        "\nproduction:",
        "    - dist/tt-ops deploy",
        "    - set +e\n    - dist/tt-ops deploy",
        "production: `set +e`",
    ),
    (
        "\nproduction:",
        "stage: production",
        "stage: production\n  when: always",
        "production: `when: always`",
    ),
    ("\napprove:", "when: manual", "when: always", "approve: `when: always`"),
    (
        "\ndefault:",
        "[runner_system_failure]",
        "[runner_system_failure, script_failure]",
        "production: `retry` is for more",
    ),
    (
        "\nproduction:",
        "stage: production",
        "stage: production\n  retry: 2",
        "production: `retry` is for more",
    ),
    (
        "\nvariables:",
        "stable:v1.43.1",
        "stable:latest",
        "images: the image `quay.io/buildah/stable:latest`",
    ),
    (
        "\nvariables:",
        "aquasec/trivy:0.74.0",
        "aquasec/trivy",
        "vulnerabilities: the image",
    ),
    ("\nimages:", "  image: $BUILDAH\n", "", "images: names no image"),
    (
        "\nvariables:",
        "TRIVY:",
        "AWS_ACCESS_KEY_ID: x\n  TRIVY:",
        "the file sets AWS_ACCESS_KEY_ID",
    ),
    (
        "\nproduction:",
        "    - dist/tt-ops deploy",
        "    - export AWS_SECRET_ACCESS_KEY=x\n    - dist/tt-ops deploy",
        "production: uses AWS_SECRET_ACCESS_KEY",
    ),
];

fn complaints(text: &str) -> Vec<String> {
    broken(&Pipeline::new(&serde_yaml::from_str(text).unwrap()).unwrap())
}

/// What is said once the first occurrence of `find` behind `anchor` is replaced.
fn said(anchor: &str, find: &str, replace: &str) -> Vec<String> {
    let (before, after) = FILE.split_once(anchor).unwrap();
    assert!(after.contains(find), "nothing to break: {find} behind {anchor}");
    complaints(&format!("{before}{anchor}{}", after.replacen(find, replace, 1)))
}

#[test]
fn the_file_as_it_is_breaks_none() {
    assert_eq!(complaints(FILE), Vec::<String>::new());
}

#[test]
fn every_promise_is_broken_by_something() {
    for (anchor, find, replace, wanted) in CASES {
        let said = said(anchor, find, replace);
        assert!(
            said.iter().any(|complaint| complaint.contains(wanted)),
            "{find} → {replace}: wanted is `{wanted}`, said was {said:#?}"
        );
    }
}

#[test]
fn an_image_is_pinned_by_a_version_or_a_digest() {
    let with = |image: &str| complaints(&format!("job: {{image: '{image}', script: [a]}}"));
    let is_said = |image: &str| with(image).iter().any(|said| said.contains("not pinned"));
    assert!(!is_said("registry:5000/rust:1.95.0") && !is_said("rust@sha256:00"));
    assert!(is_said("registry:5000/rust") && is_said("rust:latest") && is_said("$UNKNOWN"));
}

#[test]
fn a_pipe_is_fine_once_its_first_failure_counts() {
    let (before, after) = FILE.split_once("\nproduction:").unwrap();
    let piped = after.replacen(
        "    - dist/tt-ops deploy production",
        "    - set -o pipefail\n    - dist/tt-ops status production | tee log\n    - dist/tt-ops deploy production",
        1,
    );
    assert_eq!(
        complaints(&format!("{before}\nproduction:{piped}")),
        Vec::<String>::new()
    );
}
