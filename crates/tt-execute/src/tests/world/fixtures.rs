//! What plans and runs in the simulated account are made of.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use tt_environment::{
    AccountId, AfterInconclusive, Analysis, Aws, BucketName, ClusterName, ContainerName, Credentials, Environment,
    EnvironmentName, Image, ImageDigest, Inconclusive, Lock, Migrations, Minutes, Percent, Pinning, Records, Region,
    Rehearsal, ReleaseName, Repository, Rollout, Service, ServiceName, SmokeRequest, SmokeTest, Strategy,
};
use tt_plan::{Arn, GivenBy, Holder, PinnedImage, Release, Revision};

use crate::{Intent, Takeover, Until};

pub(in crate::tests) fn intent(until: Until, takeover: Takeover) -> Intent {
    Intent {
        holder: holder("ci"),
        takeover,
        until,
    }
}

pub(in crate::tests) fn holder(name: &str) -> Holder {
    Holder {
        name: name.to_owned(),
        principal: "arn:aws:iam::123456789012:role/ci".to_owned(),
    }
}

pub(super) fn release(n: u32) -> Release {
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

fn repository() -> Repository {
    Repository::parse("registry.example.com/acme/web").unwrap()
}

fn digest(n: u32) -> ImageDigest {
    ImageDigest::parse(&format!("sha256:{}", format!("{n:02x}").repeat(32))).unwrap()
}

pub(super) fn revision(n: u32) -> Revision {
    Revision {
        task_definition: Arn::new(format!("arn:aws:ecs:r:1:task-definition/web:{n}")),
        image: release(n).image.to_string(),
        digest: Some(digest(n)),
        release: Some(release(n).name),
    }
}

pub(in crate::tests) fn environment() -> Environment {
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
                percent: Percent::parse("10%").unwrap(),
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
            maximum_error_rate: Percent::parse("1%").unwrap(),
            maximum_p95: Duration::from_millis(200),
            inconclusive: Inconclusive {
                wait: Duration::from_mins(5),
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
        alarms: Vec::new(),
        migrations: Some(Migrations {
            command: vec!["migrate".to_owned()],
            timeout: Duration::from_mins(10),
            rehearsal: Rehearsal::Optional,
        }),
        secrets: BTreeMap::new(),
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
