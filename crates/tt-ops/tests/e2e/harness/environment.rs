//! The environment file of a rehearsal: `environments/local.yaml` with shorter times.

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

/// Limits on speed are wide: these tests run on busy machines, and none of them is about speed.
const TEXT: &str = r#"version: 1
aws:
  account: "000000000000"
  region: eu-central-1
  endpoint_url: http://IP:4566
  credentials: sandbox
  minute: 1s
service:
  cluster: task-tracker
  name: task-tracker
  container: app
  minimum_tasks: 2
image:
  repository: REPOSITORY
  require_digest: false
rollout:
  strategy: canary
  canary: {percent: 10, bake: 2m}
  bake: 3m
  decision_timeout: 600m
analysis:
  window: 5s
  period: 1s
  interval: 500ms
  minimum_requests: 20
  maximum_error_rate: 1%
  maximum_p95: 5s
  inconclusive: {wait: 5m, then: rollback}
smoke_test:
  base_url: null
  timeout: 10s
  attempts: 5
  requests:
    - {get: /readyz, expect: 200}
    - {get: /api/openapi.json, expect: 200}
alarms: [task-tracker-errors]
migrations: {command: [migrate, --output, json], timeout: 2m}
secrets:
  DATABASE_URL: {secret: task-tracker/database-url}
records: {bucket: tt-ops-local, prefix: task-tracker/}
lock: {ttl: 6s}
database: {instance: task-tracker}
sandbox: {stack: STACK, state: STATE}
"#;

/// The text with this rehearsal's own values in it.
pub(crate) struct Template(String);

impl Template {
    pub(crate) fn at(ip: Ipv4Addr, state: &Path) -> Self {
        let stack = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../infrastructure/sandbox/stack.yaml");
        let values = [
            ("IP", ip.to_string()),
            ("REPOSITORY", repository(ip)),
            ("STACK", stack.display().to_string()),
            ("STATE", state.display().to_string()),
        ];
        Self(
            values
                .iter()
                .fold(TEXT.to_owned(), |text, (name, value)| text.replace(name, value)),
        )
    }

    /// With each first text replaced by its second. A text that is not there would change nothing, so it fails the test.
    pub(crate) fn with(&self, changes: &[(&str, &str)]) -> String {
        changes.iter().fold(self.0.clone(), |text, (from, to)| {
            assert_eq!(text.matches(from).count(), 1, "`{from}` stands once in an environment");
            text.replace(from, to)
        })
    }
}

/// Where a rehearsal's images are.
pub(crate) fn repository(ip: Ipv4Addr) -> String {
    format!("{ip}:4566/task-tracker")
}
