//! Small worlds to plan in.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use time::{OffsetDateTime, macros::datetime};
use tt_environment::{
    AccountId, AfterInconclusive, AlarmName, Analysis, Aws, BucketName, ClusterName, ContainerName, Credentials,
    Environment, EnvironmentName, Image, ImageDigest, Inconclusive, Lock, Migrations, Minutes, Percent, Pinning,
    Records, Region, Rehearsal, ReleaseName, Repository, Rollout, SecretName, Service, ServiceName, SmokeRequest,
    SmokeTest, Strategy,
};

use crate::{
    Alarm, AlarmState, Arn, Caller, Command, Deployment, DeploymentStatus, GivenBy, Holder, LifecycleStage,
    LiveRollout, LiveStrategy, Observed, Outcome, PinnedImage, RECORD_VERSION, Record, RecordId, Release, Revision,
    Route, ServiceState, Share, Step, TargetGroup, TrafficSplit,
};

pub(super) const NOW: OffsetDateTime = datetime!(2026-03-01 03:00 UTC);

pub(super) fn environment() -> Environment {
    let secret = SecretName::parse("task-tracker/database-url").unwrap();
    Environment {
        name: EnvironmentName::parse("staging").unwrap(),
        aws: Aws {
            account: AccountId::parse("123456789012").unwrap(),
            region: Region::parse("eu-central-1").unwrap(),
            endpoint_url: None,
            credentials: Credentials::DefaultChain,
            minute: Duration::from_mins(1),
        },
        service: Service {
            cluster: ClusterName::parse("web").unwrap(),
            name: ServiceName::parse("web").unwrap(),
            container: ContainerName::parse("app").unwrap(),
            minimum_tasks: 2,
        },
        image: Image {
            repository: repository(),
            pinning: Pinning::TagsResolved,
            credentials: None,
        },
        rollout: Rollout {
            strategy: Strategy::Canary {
                percent: percent("10%"),
                bake: Minutes::new(1),
            },
            bake: Minutes::new(10),
            decision_timeout: Minutes::new(60),
        },
        analysis: Analysis {
            window: Duration::from_mins(2),
            period: Duration::from_mins(1),
            interval: Duration::from_secs(15),
            minimum_requests: 100,
            maximum_error_rate: percent("1%"),
            maximum_p95: Duration::from_millis(200),
            inconclusive: Inconclusive {
                wait: Duration::from_mins(10),
                then: AfterInconclusive::Rollback,
            },
        },
        smoke_test: SmokeTest {
            base_url: None,
            timeout: Duration::from_secs(5),
            attempts: 3,
            requests: vec![SmokeRequest {
                path: "/readyz".to_owned(),
                expect: 200,
            }],
        },
        alarms: vec![AlarmName::parse("errors").unwrap()],
        migrations: Some(Migrations {
            command: vec!["migrate".to_owned()],
            timeout: Duration::from_mins(10),
            rehearsal: Rehearsal::Optional,
        }),
        secrets: BTreeMap::from([("DATABASE_URL".to_owned(), secret)]),
        records: Records {
            bucket: BucketName::parse("tt-ops-staging").unwrap(),
            prefix: String::new(),
        },
        lock: Lock {
            ttl: Duration::from_mins(2),
        },
        database: None,
        freeze: Vec::new(),
        sandbox: None,
        file: PathBuf::from("environments/staging.yaml"),
    }
}

pub(super) fn percent(text: &str) -> Percent {
    Percent::parse(text).unwrap()
}

fn repository() -> Repository {
    Repository::parse("registry.example.com/acme/web").unwrap()
}

/// The digest of release `n`.
pub(super) fn digest(n: u8) -> ImageDigest {
    ImageDigest::parse(&format!("sha256:{}", format!("{n:02x}").repeat(32))).unwrap()
}

/// Release `1.n.0`.
pub(super) fn release(n: u8) -> Release {
    Release {
        name: ReleaseName::parse(&format!("1.{n}.0")).unwrap(),
        image: PinnedImage {
            repository: repository(),
            digest: digest(n),
        },
        given_by: GivenBy::Digest,
        commit: None,
    }
}

pub(super) fn task_definition(n: u8) -> Arn {
    Arn::new(format!("arn:aws:ecs:eu-central-1:123456789012:task-definition/web:{n}"))
}

pub(super) fn revision(n: u8) -> Revision {
    Revision {
        task_definition: task_definition(n),
        image: release(n).image.to_string(),
        digest: Some(digest(n)),
        release: Some(release(n).name),
    }
}

/// Release 1.1.0 serves; nothing is in flight; nothing is on record.
pub(super) fn quiet() -> Observed {
    let group = |name: &str| TargetGroup {
        arn: Arn::new(format!("arn:aws:elasticloadbalancing:r:0:targetgroup/{name}/1")),
        healthy: 2,
        total: 2,
    };
    let route = |rule: &str, port: u16| Route {
        rule: Arn::new(format!(
            "arn:aws:elasticloadbalancing:r:0:listener-rule/app/web/1/{rule}/1"
        )),
        base_url: format!("http://lb.example.com:{port}"),
        weights: vec![(group("blue").arn, 100), (group("green").arn, 0)],
        sticky: false,
    };
    Observed {
        at: NOW,
        caller: Caller {
            account: AccountId::parse("123456789012").unwrap(),
            arn: "arn:aws:iam::123456789012:role/ci".to_owned(),
        },
        service: ServiceState {
            arn: Arn::new("arn:aws:ecs:eu-central-1:123456789012:service/web/web"),
            live: revision(1),
            desired: 2,
            running: 2,
            deployment: None,
            rollout: LiveRollout {
                strategy: LiveStrategy::Shifting(Strategy::AllAtOnce),
                bake: Minutes::new(10),
                pauses: Vec::new(),
                decision_timeout: None,
            },
            traffic: TrafficSplit {
                production: Some(route("prod", 443)),
                test: Some(route("test", 8443)),
                groups: vec![group("blue"), group("green")],
            },
            missing_roles: Vec::new(),
        },
        alarms: vec![Alarm {
            name: AlarmName::parse("errors").unwrap(),
            state: AlarmState::Ok,
        }],
        missing_secrets: Vec::new(),
        history: Vec::new(),
        lease: None,
    }
}

/// Release `1.n.0` is on its way from 1.1.0, by canary.
pub(super) fn in_flight(n: u8, stage: LifecycleStage, shifted: Share) -> Observed {
    let mut observed = quiet();
    observed.service.deployment = Some(Deployment {
        arn: Arn::new(format!(
            "arn:aws:ecs:eu-central-1:123456789012:service-deployment/web/web/{n}"
        )),
        from: Some(revision(1)),
        to: revision(n),
        target_group: None,
        status: DeploymentStatus::InProgress,
        stage: Some(stage),
        shifted,
        pause: None,
        created_at: NOW - Duration::from_mins(5),
        rollout: LiveRollout {
            strategy: LiveStrategy::Shifting(Strategy::Canary {
                percent: percent("10%"),
                bake: Minutes::new(1),
            }),
            bake: Minutes::new(10),
            pauses: vec![
                LifecycleStage::PostTestTrafficShift,
                LifecycleStage::PreProductionTrafficShift,
            ],
            decision_timeout: Some(Minutes::new(60)),
        },
    });
    observed
}

/// A run on record, `hours` ago.
pub(super) fn record(hours: u64, command: Command, n: u8, outcome: Outcome) -> Record {
    let started_at = NOW - Duration::from_hours(hours);
    Record {
        version: RECORD_VERSION,
        id: RecordId::new(started_at, hours),
        environment: EnvironmentName::parse("staging").unwrap(),
        command,
        who: Holder {
            name: "ada@laptop".to_owned(),
            principal: "arn:aws:iam::123456789012:user/ada".to_owned(),
        },
        release: release(n).name.to_string(),
        image: Some(release(n).image),
        commit: None,
        task_definition: Some(task_definition(n)),
        previous: Some(task_definition(n.saturating_sub(1))),
        deployment: None,
        plan: Vec::new(),
        timings: Vec::new(),
        schema: None,
        schema_changes: Vec::new(),
        outcome,
        stopped_at: None,
        token: hours,
        started_at,
        ended_at: Some(started_at + Duration::from_mins(5)),
    }
}

/// Steps in a line, short enough for a table.
pub(super) fn line(steps: &[Step]) -> String {
    let word = |step: &Step| match step {
        Step::Shift { to } => format!("shift {to}"),
        Step::Analyse { at } => format!("analyse {at}"),
        Step::Bake { minutes } => format!("bake {}", minutes.get()),
        Step::Relaunch { task_definition, .. } => format!("relaunch {}", task_definition.short()),
        Step::Register { .. }
        | Step::Migrate { .. }
        | Step::Start { .. }
        | Step::Attach { .. }
        | Step::SmokeTest
        | Step::Complete
        | Step::Revert { .. }
        | Step::AwaitReturn => step.name().to_owned(),
    };
    steps.iter().map(word).collect::<Vec<_>>().join("; ")
}
