//! Every mistake in a file, and the words that answer it. Each row changes one thing in production.yaml.
//!
//! It is one table by design, however long: whoever adds a key looks here for the row that is missing.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on should say where"
)]
#![expect(clippy::needless_raw_string_hashes, reason = "UPDATE_EXPECT=1 writes them so")]

use std::path::Path;

use expect_test::{Expect, expect};
use tt_environment::{EnvironmentName, load};

const GOOD: &str = include_str!("../../../environments/production.yaml");

/// Loads production.yaml with `old` replaced by `new`, and compares the message.
fn check(old: &str, new: &str, expected: &Expect) {
    assert!(GOOD.contains(old), "production.yaml no longer says {old:?}");
    check_file(&GOOD.replacen(old, new, 1), expected);
}

fn check_file(text: &str, expected: &Expect) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("production.yaml"), text).unwrap();
    expected.assert_eq(&message(dir.path(), "production"));
}

fn message(dir: &Path, name: &str) -> String {
    let vars = |name: &str| (name == "PASSWORD").then(|| "hunter2".to_owned());
    let error = load(dir, &EnvironmentName::parse(name).unwrap(), &vars).expect_err("the file is bad");
    error
        .to_string()
        .replace(&format!("{}/production.yaml", dir.display()), "production.yaml")
        .replace(&dir.display().to_string(), "DIR")
}

#[test]
fn unknown_keys() {
    check(
        "strategy: canary",
        "stratgy: canary",
        &expect![[r#"
        production.yaml:29:3: unknown key `rollout.stratgy`
          known here: bake, canary, decision_timeout, linear, strategy
          did you mean `strategy`?"#]],
    );
    check(
        "  bake: 10m",
        "  bake: 10m\n  verify: yes",
        &expect![[r#"
        production.yaml:34:3: unknown key `rollout.verify`
          known here: bake, canary, decision_timeout, linear, strategy"#]],
    );
    check(
        "{secret: gitlab/registry}",
        "{username: ci, password: hunter2}",
        &expect![[r#"
            production.yaml:26:3: `image.credentials.secret` is missing
              it says: The name of the secret in Secrets Manager
            production.yaml:26:17: unknown key `image.credentials.username`
              known here: secret
            production.yaml:26:31: unknown key `image.credentials.password`
              known here: secret
            3 problems"#]],
    );
    check(
        "  account: \"123456789012\"",
        "  account: \"123456789012\"\n  404: x",
        &expect![[r#"
            production.yaml:10:3: unknown key `aws.404`
              known here: account, credentials, endpoint_url, minute, profile, region"#]],
    );
}

#[test]
fn duplicate_keys() {
    check(
        "  bake: 10m",
        "  bake: 10m\n  bake: 20m",
        &expect![[r#"
        production.yaml:34:3: `rollout.bake` is there twice
          keep one of them"#]],
    );
}

#[test]
fn missing_keys() {
    check(
        "  region: eu-central-1\n",
        "",
        &expect![[r#"
        production.yaml:7:1: `aws.region` is missing
          it says: The Region everything is in"#]],
    );
    check(
        "lock: {ttl: 2m}",
        "",
        &expect![[r#"
        production.yaml:5:1: `lock` is missing
          it says: The lock that keeps two deploys apart"#]],
    );
    check(
        "  canary: {percent: 10, bake: 1m}\n",
        "",
        &expect![[r#"
        production.yaml:28:1: `rollout.canary` is missing
          it says: the steps of the strategy `canary`, such as {percent: 10, bake: 1m}"#]],
    );
    check(
        "expect: 200",
        "expects: 200",
        &expect![[r#"
        production.yaml:54:22: unknown key `smoke_test.requests.0.expects`
          known here: expect, get
          did you mean `expect`?"#]],
    );
}

#[test]
fn wrong_types() {
    check(
        "\"123456789012\"",
        "123456789012",
        &expect![[r#"
        production.yaml:9:12: `aws.account` is the number 123456789012
          expected an AWS account id: 12 digits
          put it in quotes"#]],
    );
    check(
        "minimum_tasks: 2",
        "minimum_tasks: two",
        &expect![[r#"
        production.yaml:19:18: `service.minimum_tasks` is a text
          expected a whole number, not negative"#]],
    );
    check(
        "minimum_tasks: 2",
        "minimum_tasks: \"2\"",
        &expect![[r#"
        production.yaml:19:18: `service.minimum_tasks` is a text
          expected a whole number, not negative
          write it without quotes"#]],
    );
    check(
        "minimum_tasks: 2",
        "minimum_tasks: -2",
        &expect![[r#"
        production.yaml:19:18: `service.minimum_tasks` is the number -2
          expected a whole number, not negative"#]],
    );
    check(
        "minimum_tasks: 2",
        "minimum_tasks: ${TASKS}",
        &expect![[r#"
        production.yaml:19:18: `service.minimum_tasks` is a text
          expected a whole number, not negative
          variables are filled in in texts only"#]],
    );
    check(
        "require_digest: true",
        "require_digest: 1",
        &expect![[r#"
        production.yaml:24:19: `image.require_digest` is the number 1
          expected true or false"#]],
    );
    check(
        "ttl: 2m",
        "ttl: 120",
        &expect![[r#"
            production.yaml:72:13: `lock.ttl` is the number 120
              expected a duration such as 500ms, 15s, 10m, 24h or 14d"#]],
    );
    check(
        "alarms: [task-tracker-errors, task-tracker-p95]",
        "alarms: task-tracker-errors",
        &expect![[r#"
            production.yaml:58:9: `alarms` is a text
              expected a list"#]],
    );
    check(
        "records: {bucket: acme-tt-ops-production, prefix: task-tracker/}",
        "records:",
        &expect![[r#"
            production.yaml:69:9: `records` is nothing
              expected a mapping with the keys bucket, prefix
              give it a value, or leave the key out where it is optional"#]],
    );
    check(
        "command: [migrate, --output, json]",
        "command: []",
        &expect!["production.yaml:61:23: `migrations.command` must not be empty"],
    );
}

#[test]
fn bad_values() {
    check(
        "version: 1",
        "version: 2",
        &expect!["production.yaml:5:10: `version` must be 1, and this is 2"],
    );
    check(
        "\"123456789012\"",
        "\"1234\"",
        &expect!["production.yaml:9:12: `aws.account`: `1234` is not an AWS account id: 12 digits"],
    );
    check(
        "region: eu-central-1",
        "region: Frankfurt",
        &expect!["production.yaml:10:11: `aws.region`: `Frankfurt` is not an AWS Region code such as eu-central-1"],
    );
    check(
        "strategy: canary",
        "strategy: cannary",
        &expect![[r#"
        production.yaml:29:13: `rollout.strategy`: `cannary` is none of: all-at-once, linear, canary
          did you mean `canary`?"#]],
    );
    check(
        "then: rollback",
        "then: continue",
        &expect!["production.yaml:46:35: `analysis.inconclusive.then`: `continue` is none of: rollback, pause"],
    );
    check(
        "bake: 10m",
        "bake: 90s",
        &expect!["production.yaml:33:9: `rollout.bake`: `90s` is not a duration in whole minutes such as 10m or 1h"],
    );
    check(
        "maximum_p95: 200ms",
        "maximum_p95: 200",
        &expect![[r#"
        production.yaml:44:16: `analysis.maximum_p95` is the number 200
          expected a duration such as 500ms, 15s, 10m, 24h or 14d"#]],
    );
    check(
        "maximum_error_rate: 1%",
        "maximum_error_rate: 101%",
        &expect![
            "production.yaml:43:23: `analysis.maximum_error_rate`: `101%` is not a percentage above 0 and at most 100, with at most one decimal"
        ],
    );
    check(
        "percent: 10",
        "percent: 0.05",
        &expect![
            "production.yaml:31:21: `rollout.canary.percent`: `0.05` is not a percentage above 0 and at most 100, with at most one decimal"
        ],
    );
}

#[test]
fn bad_names() {
    check(
        "registry.gitlab.com/acme",
        "acme",
        &expect![
            "production.yaml:22:15: `image.repository`: `acme/task-tracker/service` is not an image repository: REGISTRY/PATH in lower case, without tag or digest, such as registry.gitlab.com/acme/service"
        ],
    );
    check(
        "acme/task-tracker/service",
        "acme/task-tracker/service:latest",
        &expect![
            "production.yaml:22:15: `image.repository`: `registry.gitlab.com/acme/task-tracker/service:latest` is not an image repository: REGISTRY/PATH in lower case, without tag or digest, such as registry.gitlab.com/acme/service"
        ],
    );
    check(
        "get: /readyz",
        "get: readyz",
        &expect![
            "production.yaml:54:13: `smoke_test.requests.0.get`: `readyz` is not the path of a request: a slash first, no spaces and no fragment"
        ],
    );
    check(
        "expect: 200",
        "expect: 2000",
        &expect!["production.yaml:54:30: `smoke_test.requests.0.expect` must be from 100 to 599, and this is 2000"],
    );
    check(
        "2026-12-20T00:00:00Z",
        "2026-12-20",
        &expect![
            "production.yaml:91:12: `freeze.0.from`: `2026-12-20` is not a moment as RFC 3339 writes it, such as 2026-12-20T00:00:00Z"
        ],
    );
    check(
        "prefix: task-tracker/",
        "prefix: /task-tracker",
        &expect![
            "production.yaml:69:51: `records.prefix`: `/task-tracker` is not a prefix of keys: empty, or ending in a slash and not starting with one"
        ],
    );
}

#[test]
fn values_that_contradict_each_other() {
    check(
        "  canary: {percent: 10",
        "  linear: {percent: 20, bake: 1m}\n  canary: {percent: 10",
        &expect!["production.yaml:31:11: `rollout.linear` does not go with this `rollout.strategy`: remove it"],
    );
    check(
        "strategy: canary\n",
        "strategy: all-at-once\n",
        &expect!["production.yaml:31:11: `rollout.canary` does not go with this `rollout.strategy`: remove it"],
    );
    check(
        "strategy: canary\n  # ECS",
        "strategy: linear\n  linear: {percent: 2, bake: 1m}\n  # ECS",
        &expect![[r#"
            production.yaml:30:21: `rollout.linear.percent` must be 3 to 100, and this is 2 %
            production.yaml:32:11: `rollout.canary` does not go with this `rollout.strategy`: remove it
            2 problems"#]],
    );
    check(
        "bake: 10m",
        "bake: 25h",
        &expect!["production.yaml:33:9: `rollout.bake` must be 0m to 24h"],
    );
    check(
        "decision_timeout: 60m",
        "decision_timeout: 0m",
        &expect!["production.yaml:35:21: `rollout.decision_timeout` must be 1m to 14d"],
    );
    check(
        "period: 60s",
        "period: 7s",
        &expect![
            "production.yaml:39:11: `analysis.period` must be 1s, 5s, 10s, 20s, 30s or a multiple of 60s, as CloudWatch has it"
        ],
    );
    check(
        "window: 2m",
        "window: 90s",
        &expect!["production.yaml:38:11: `analysis.window` must be a multiple of `analysis.period`"],
    );
    check(
        "ttl: 2m",
        "ttl: 1s",
        &expect!["production.yaml:72:13: `lock.ttl` must be 5s to 1h"],
    );
    check(
        "until: 2027-01-02",
        "until: 2026-01-02",
        &expect!["production.yaml:91:41: `freeze.0.until` must be later than `from`"],
    );
    check(
        "  DATABASE_URL:",
        "  DATABASE-URL:",
        &expect!["production.yaml:65:17: `secrets.DATABASE-URL` is not the name of an environment variable"],
    );
}

#[test]
fn what_only_a_sandbox_may_have() {
    check(
        "  region:",
        "  credentials: sandbox\n  region:",
        &expect![
            "production.yaml:10:16: `aws.credentials` is for a sandbox only: it needs an `aws.endpoint_url` at a loopback address"
        ],
    );
    check(
        "  region:",
        "  endpoint_url: http://10.0.0.1:4566\n  minute: 1s\n  region:",
        &expect![
            "production.yaml:11:11: `aws.minute` is for a sandbox only: it needs an `aws.endpoint_url` at a loopback address"
        ],
    );
    check(
        "freeze:",
        "sandbox: {stack: stack.yaml, state: .sandbox}\nfreeze:",
        &expect![
            "production.yaml:90:10: `sandbox` is for a sandbox only: it needs an `aws.endpoint_url` at a loopback address"
        ],
    );
    check(
        "  region:",
        "  endpoint_url: http://127.0.0.1:4566\n  credentials: sandbox\n  profile: admin\n  region:",
        &expect!["production.yaml:12:12: `aws.profile` does not go with `aws.credentials`: keep one of them"],
    );
}

#[test]
fn variables() {
    check(
        "eu-central-1",
        "${AWS_REGION}",
        &expect![[r#"
        production.yaml:10:11: `aws.region` needs the environment variable AWS_REGION, which is not set
          set it, or give a default in the file: ${AWS_REGION:-DEFAULT}"#]],
    );
    check(
        "bucket: acme-tt-ops-production",
        "bucket: \"${COMPANY}-tt-ops-${STAGE}\"",
        &expect![[r#"
            production.yaml:69:20: `records.bucket` needs the environment variable COMPANY, which is not set
              set it, or give a default in the file: ${COMPANY:-DEFAULT}
            production.yaml:69:38: `records.bucket` needs the environment variable STAGE, which is not set
              set it, or give a default in the file: ${STAGE:-DEFAULT}
            2 problems"#]],
    );
    check(
        "eu-central-1",
        "${AWS_REGION",
        &expect![[r#"
        production.yaml:10:11: `aws.region`: `${` begins a reference that is none
          write ${NAME} or ${NAME:-DEFAULT}, or $${ for a literal ${"#]],
    );
    check(
        "eu-central-1",
        "${AWS REGION}",
        &expect![[r#"
        production.yaml:10:11: `aws.region`: `${` begins a reference that is none
          write ${NAME} or ${NAME:-DEFAULT}, or $${ for a literal ${"#]],
    );
    check(
        "eu-central-1",
        "${PASSWORD}",
        &expect![
            "production.yaml:10:11: `aws.region`: the value (not shown) is not an AWS Region code such as eu-central-1"
        ],
    );
}

#[test]
fn secrets_in_the_file_are_refused_and_not_repeated() {
    check(
        "{secret: task-tracker/database-url}",
        "postgres://app:hunter2@db/app",
        &expect![[r#"
            production.yaml:65:17: `secrets.DATABASE_URL` must name a secret, not hold one
              keep the value in Secrets Manager and write {secret: NAME}; a value that was in a file is to be replaced"#]],
    );
    check(
        "secret: task-tracker/database-url",
        "secret: \"postgres://app:hunter2@db/app\"",
        &expect![
            "production.yaml:65:26: `secrets.DATABASE_URL.secret`: the value (not shown) is not the name of a Secrets Manager secret: up to 512 letters, digits and any of / _ + = . @ -"
        ],
    );
    check(
        "base_url: https://api.tasks.example.com:8443",
        "base_url: https://ci:hunter2@example.org",
        &expect![
            "production.yaml:50:13: `smoke_test.base_url`: the value (not shown) is not a URL that starts with http:// or https:// and holds no user name or password"
        ],
    );
}

#[test]
fn not_yaml() {
    check(
        "lock: {ttl: 2m}",
        "lock: {ttl: 2m",
        &expect!["production.yaml:75:1: this is not YAML: did not find expected ',' or '}'"],
    );
    check(
        "  region:",
        "\tregion:",
        &expect!["production.yaml:10:1: this is not YAML: found character that cannot start any token"],
    );
    check_file(
        "",
        &expect![[r#"
        production.yaml:1:1: the file holds nothing
          expected a mapping with the keys alarms, analysis, aws, database, freeze, image, lock, migrations, records, rollout, sandbox, secrets, service, smoke_test, version
          give it a value, or leave the key out where it is optional"#]],
    );
    check_file(
        "- a\n- b\n",
        &expect![[r#"
        production.yaml:1:1: the file holds a list
          expected a mapping with the keys alarms, analysis, aws, database, freeze, image, lock, migrations, records, rollout, sandbox, secrets, service, smoke_test, version"#]],
    );
}

#[test]
fn everything_wrong_is_said_at_once() {
    check_file(
        &GOOD
            .replace("region: eu-central-1", "region: Frankfurt")
            .replace("minimum_tasks: 2", "minimum_tasks: two")
            .replace("ttl: 2m", "tll: 2m"),
        &expect![[r#"
            production.yaml:10:11: `aws.region`: `Frankfurt` is not an AWS Region code such as eu-central-1
            production.yaml:19:18: `service.minimum_tasks` is a text
              expected a whole number, not negative
            production.yaml:72:8: unknown key `lock.tll`
              known here: ttl
              did you mean `ttl`?
            3 problems"#]],
    );
}

#[test]
fn an_unknown_environment_names_the_known_ones() {
    let dir = tempfile::tempdir().unwrap();
    expect!["there is no environment `production` in DIR; there is none at all (a file NAME.yaml is one)"]
        .assert_eq(&message(dir.path(), "production"));
    for file in [
        "staging.yaml",
        "production.yaml",
        "environment.schema.json",
        "Not An Environment.yaml",
    ] {
        std::fs::write(dir.path().join(file), GOOD).unwrap();
    }
    expect![[r#"
        there is no environment `prodcution` in DIR; known: production, staging
          did you mean `production`?"#]]
    .assert_eq(&message(dir.path(), "prodcution"));
    expect!["there is no environment `qa` in DIR; known: production, staging"].assert_eq(&message(dir.path(), "qa"));
    expect!["could not list the environments in DIR"].assert_eq(&message(&dir.path().join("nowhere"), "production"));
}

#[test]
fn how_the_database_is_backed_up() {
    check(
        "retention: 35d",
        "retention: 36d",
        &expect!["production.yaml:79:16: `database.backup.retention` must be 1d to 35d, as RDS has it"],
    );
    check(
        "retention: 35d",
        "retention: 36h",
        &expect!["production.yaml:79:16: `database.backup.retention` must be whole days"],
    );
    check(
        "rpo: 10m",
        "rpo: 0s",
        &expect!["production.yaml:85:10: `database.backup.rpo` must be longer than nothing"],
    );
    check(
        "keep_tested: 2",
        "keep_tested: 0",
        &expect!["production.yaml:81:18: `database.backup.keep_tested` must be from 1 to 50, and this is 0"],
    );
    check(
        "copy: {region: eu-west-1",
        "copy: {region: eu-central-1",
        &expect![
            "production.yaml:88:20: `database.backup.copy.region` is the Region that the database is in: a copy there is lost with it"
        ],
    );
    check(
        "kms_key: alias/task-tracker-backup",
        "kms_key: backup",
        &expect![
            "production.yaml:88:40: `database.backup.copy.kms_key`: `backup` is not a KMS key: its ARN, its id or `alias/NAME`"
        ],
    );
}

#[test]
fn how_the_database_is_reached() {
    check(
        "  instance: task-tracker\n",
        "  instance: task-tracker\n  reach: direct\n",
        &expect![[r#"
            production.yaml:75:1: `database.direct` is missing
              it says: the way there, such as {url: {secret: NAME}, migrations: FOLDER}"#]],
    );
    check(
        "  instance: task-tracker\n",
        "  instance: task-tracker\n  direct: {url: {secret: db/url}, migrations: ../migrations}\n",
        &expect!["production.yaml:77:11: `database.direct` goes with `reach: direct` only: add that, or remove this"],
    );
    check(
        "  instance: task-tracker\n",
        "  instance: task-tracker\n  reach: direct\n  direct: {url: \"postgres://app:hunter2@db/app\", migrations: ../migrations}\n",
        &expect![[r#"
            production.yaml:78:17: `database.direct.url` must name a secret, not hold one
              keep the value in Secrets Manager and write {secret: NAME}; a value that was in a file is to be replaced"#]],
    );
}
