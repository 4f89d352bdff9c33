//! From what is written to what is meant: keys that only make sense together, limits that are not in the grammar, and
//! defaults. Every value on its own is already known to be good.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::ProblemKind;
use crate::interpolate::is_variable;
use crate::locate::Part;
use crate::node::Node;
use crate::shape::Finding;
use crate::written::{HttpUrl, is_loopback};
use crate::{
    AfterInconclusive, Analysis, Aws, Credentials, Environment, EnvironmentName, Freeze, Image, Inconclusive, Lock,
    Migrations, Minutes, Pinning, Records, Rehearsal, Rollout, Sandbox, SecretName, Service, SmokeRequest, SmokeTest,
    Strategy, raw,
};

const DAY: Minutes = Minutes::new(24 * 60);
const FORTNIGHT: Minutes = Minutes::new(14 * 24 * 60);

/// What the file means, or everything in it that contradicts itself.
pub(crate) fn validate(
    raw: raw::Environment,
    name: EnvironmentName,
    file: &Path,
    tree: &Node,
) -> Result<Environment, Vec<Finding>> {
    let mut check = Check {
        tree,
        findings: Vec::new(),
    };
    let local = raw
        .aws
        .endpoint_url
        .as_ref()
        .is_some_and(|HttpUrl(url)| is_loopback(url));
    if raw.sandbox.is_some() && !local {
        check.refuse("sandbox", NEEDS_LOOPBACK);
    }
    let aws = check.aws(raw.aws, local);
    let rollout = check.rollout(&raw.rollout);
    let analysis = check.analysis(&raw.analysis);
    let smoke_test = check.smoke_test(raw.smoke_test);
    let migrations = raw.migrations.map(|migrations| check.migrations(migrations));
    let secrets = check.secrets(raw.secrets);
    let lock = check.lock(&raw.lock);
    let database = check.database(raw.database, &aws.region, file);
    let freeze = check.freeze(raw.freeze);
    let (Some(rollout), true) = (rollout, check.findings.is_empty()) else {
        return Err(check.findings);
    };
    Ok(Environment {
        name,
        aws,
        service: Service {
            cluster: raw.service.cluster,
            name: raw.service.name,
            container: raw.service.container,
            minimum_tasks: raw.service.minimum_tasks,
        },
        image: Image {
            repository: raw.image.repository,
            pinning: if raw.image.require_digest {
                Pinning::DigestRequired
            } else {
                Pinning::TagsResolved
            },
            credentials: raw.image.credentials.map(|reference| reference.secret),
        },
        rollout,
        analysis,
        smoke_test,
        alarms: raw.alarms,
        migrations,
        secrets,
        records: Records {
            bucket: raw.records.bucket,
            prefix: raw.records.prefix.as_str().to_owned(),
        },
        lock,
        database,
        freeze,
        sandbox: raw.sandbox.map(|sandbox| Sandbox {
            stack: beside(file, &sandbox.stack),
            state: beside(file, &sandbox.state),
        }),
        file: file.to_owned(),
    })
}

const NEEDS_LOOPBACK: &str = "is for a sandbox only: it needs an `aws.endpoint_url` at a loopback address";

/// What was found so far, and the tree that says where.
pub(crate) struct Check<'c> {
    tree: &'c Node,
    findings: Vec<Finding>,
}

impl Check<'_> {
    fn aws(&mut self, aws: raw::Aws, local: bool) -> Aws {
        let credentials = match (aws.credentials, aws.profile) {
            (Some(raw::Credentials::Sandbox), profile) => {
                if !local {
                    self.refuse("aws.credentials", NEEDS_LOOPBACK);
                }
                if profile.is_some() {
                    self.refuse("aws.profile", "does not go with `aws.credentials`: keep one of them");
                }
                Credentials::Sandbox
            }
            (None, Some(profile)) => Credentials::Profile(profile),
            (None, None) => Credentials::DefaultChain,
        };
        if aws.minute.is_some() && !local {
            self.refuse("aws.minute", NEEDS_LOOPBACK);
        }
        let minute = aws.minute.map_or(Duration::from_mins(1), |minute| minute.0);
        self.within(
            "aws.minute",
            minute,
            Duration::from_millis(10),
            Duration::from_mins(1),
            "10ms to 60s",
        );
        let endpoint_url = aws.endpoint_url.map(|HttpUrl(url)| url);
        Aws {
            account: aws.account,
            region: aws.region,
            endpoint_url,
            credentials,
            minute,
        }
    }

    fn rollout(&mut self, rollout: &raw::Rollout) -> Option<Rollout> {
        self.within("rollout.bake", rollout.bake.0, Minutes::new(0), DAY, "0m to 24h");
        self.within(
            "rollout.decision_timeout",
            rollout.decision_timeout.0,
            Minutes::new(1),
            FORTNIGHT,
            "1m to 14d",
        );
        let strategy = match rollout.strategy {
            raw::Strategy::AllAtOnce => {
                self.unused_steps(rollout.linear.as_ref(), "linear");
                self.unused_steps(rollout.canary.as_ref(), "canary");
                Strategy::AllAtOnce
            }
            raw::Strategy::Linear => {
                self.unused_steps(rollout.canary.as_ref(), "canary");
                let steps = self.steps(rollout.linear.as_ref(), "linear")?;
                // Amazon ECS API Reference, LinearConfiguration: stepPercent is 3.0 to 100.0.
                if steps.percent.tenths() < 30 {
                    self.refuse(
                        "rollout.linear.percent",
                        &format!("must be 3 to 100, and this is {}", steps.percent),
                    );
                }
                Strategy::Linear {
                    percent: steps.percent,
                    bake: steps.bake.0,
                }
            }
            raw::Strategy::Canary => {
                self.unused_steps(rollout.linear.as_ref(), "linear");
                let steps = self.steps(rollout.canary.as_ref(), "canary")?;
                Strategy::Canary {
                    percent: steps.percent,
                    bake: steps.bake.0,
                }
            }
        };
        Some(Rollout {
            strategy,
            bake: rollout.bake.0,
            decision_timeout: rollout.decision_timeout.0,
        })
    }

    fn steps<'s>(&mut self, steps: Option<&'s raw::Steps>, strategy: &str) -> Option<&'s raw::Steps> {
        let key = format!("rollout.{strategy}");
        let Some(steps) = steps else {
            let purpose = format!("the steps of the strategy `{strategy}`, such as {{percent: 10, bake: 1m}}");
            self.missing("rollout", key, purpose);
            return None;
        };
        self.within(&format!("{key}.bake"), steps.bake.0, Minutes::new(0), DAY, "0m to 24h");
        Some(steps)
    }

    fn unused_steps(&mut self, steps: Option<&raw::Steps>, strategy: &str) {
        if steps.is_some() {
            self.refuse(
                &format!("rollout.{strategy}"),
                "does not go with this `rollout.strategy`: remove it",
            );
        }
    }

    fn analysis(&mut self, analysis: &raw::Analysis) -> Analysis {
        let (window, period, interval) = (analysis.window.0, analysis.period.0, analysis.interval.0);
        // Amazon CloudWatch API Reference, MetricStat: 1, 5, 10, 20, 30, 60 seconds, or a multiple of 60.
        let seconds = period.as_secs();
        let whole = period.subsec_nanos() == 0;
        if !(whole && (matches!(seconds, 1 | 5 | 10 | 20 | 30) || (seconds > 0 && seconds.is_multiple_of(60)))) {
            self.refuse(
                "analysis.period",
                "must be 1s, 5s, 10s, 20s, 30s or a multiple of 60s, as CloudWatch has it",
            );
        } else if window.is_zero() || !window.as_millis().is_multiple_of(period.as_millis()) {
            self.refuse("analysis.window", "must be a multiple of `analysis.period`");
        }
        self.positive("analysis.interval", interval);
        self.positive("analysis.maximum_p95", analysis.maximum_p95.0);
        Analysis {
            window,
            period,
            interval,
            minimum_requests: analysis.minimum_requests,
            maximum_error_rate: analysis.maximum_error_rate,
            maximum_p95: analysis.maximum_p95.0,
            inconclusive: Inconclusive {
                wait: analysis.inconclusive.wait.0,
                then: match analysis.inconclusive.then {
                    raw::AfterInconclusive::Rollback => AfterInconclusive::Rollback,
                    raw::AfterInconclusive::Pause => AfterInconclusive::Pause,
                },
            },
        }
    }

    fn smoke_test(&mut self, smoke_test: raw::SmokeTest) -> SmokeTest {
        self.positive("smoke_test.timeout", smoke_test.timeout.0);
        let requests = smoke_test.requests.into_iter();
        SmokeTest {
            base_url: smoke_test.base_url.map(|HttpUrl(url)| url),
            timeout: smoke_test.timeout.0,
            attempts: smoke_test.attempts,
            requests: requests
                .map(|request| SmokeRequest {
                    path: request.get.as_str().to_owned(),
                    expect: request.expect,
                })
                .collect(),
        }
    }

    fn migrations(&mut self, migrations: raw::Migrations) -> Migrations {
        self.positive("migrations.timeout", migrations.timeout.0);
        Migrations {
            command: migrations.command,
            timeout: migrations.timeout.0,
            rehearsal: if migrations.require_rehearsal {
                Rehearsal::Required
            } else {
                Rehearsal::Optional
            },
        }
    }

    fn secrets(&mut self, secrets: BTreeMap<String, raw::SecretReference>) -> BTreeMap<String, SecretName> {
        for variable in secrets.keys().filter(|variable| !is_variable(variable)) {
            self.refuse(
                &format!("secrets.{variable}"),
                "is not the name of an environment variable",
            );
        }
        secrets
            .into_iter()
            .map(|(variable, reference)| (variable, reference.secret))
            .collect()
    }

    fn lock(&mut self, lock: &raw::Lock) -> Lock {
        self.within(
            "lock.ttl",
            lock.ttl.0,
            Duration::from_secs(5),
            Duration::from_hours(1),
            "5s to 1h",
        );
        Lock { ttl: lock.ttl.0 }
    }

    fn freeze(&mut self, freezes: Vec<raw::Freeze>) -> Vec<Freeze> {
        for (index, _) in freezes
            .iter()
            .enumerate()
            .filter(|(_, freeze)| freeze.until.0 <= freeze.from.0)
        {
            self.refuse(&format!("freeze.{index}.until"), "must be later than `from`");
        }
        let freeze = |freeze: raw::Freeze| Freeze {
            from: freeze.from.0,
            until: freeze.until.0,
            reason: freeze.reason,
        };
        freezes.into_iter().map(freeze).collect()
    }

    /// A key that is needed below `parent` because of what stands beside it.
    pub(crate) fn missing(&mut self, parent: &str, key: String, purpose: String) {
        self.findings.push(Finding {
            indices: self.tree.indices(parent),
            part: Part::Key,
            key,
            kind: ProblemKind::MissingKey { purpose },
        });
    }

    pub(crate) fn positive(&mut self, key: &str, duration: Duration) {
        if duration.is_zero() {
            self.refuse(key, "must be longer than nothing");
        }
    }

    pub(crate) fn within<T: PartialOrd + Copy>(&mut self, key: &str, value: T, minimum: T, maximum: T, limits: &str) {
        if value < minimum || value > maximum {
            self.refuse(key, &format!("must be {limits}"));
        }
    }

    pub(crate) fn refuse(&mut self, key: &str, why: &str) {
        self.findings.push(Finding {
            indices: self.tree.indices(key),
            part: Part::Value,
            key: key.to_owned(),
            kind: ProblemKind::NotAllowed(format!("`{key}` {why}")),
        });
    }
}

/// A path in a file is relative to that file, wherever the program was started.
pub(crate) fn beside(file: &Path, path: &str) -> PathBuf {
    file.parent().map_or_else(|| PathBuf::from(path), |dir| dir.join(path))
}
